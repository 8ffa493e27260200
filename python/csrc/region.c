/* Opens the shared memory. Nothing here knows Python objects. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "region.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout_gen.h"

/* More loops than any machine has cores for: a bound against a corrupt header. */
#define MAX_LOOPS 1024

static uint32_t word(const uint8_t *p, uint32_t off)
{
    uint32_t v;
    memcpy(&v, p + off, 4);
    return v;
}

/* Maps the same pages twice in a row, so that a frame that runs over the end of the ring is still contiguous. */
static uint8_t *map_twice(int fd, off_t at, size_t size)
{
    uint8_t *base = mmap(NULL, size * 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    for (int i = 0; i < 2; i++) {
        void *want = base + size * (size_t)i;
        if (mmap(want, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, at) != want) {
            munmap(base, size * 2);
            return NULL;
        }
    }
    return base;
}

static bool ring_size_ok(uint32_t n, long page)
{
    return n != 0 && (n & (n - 1)) == 0 && n % (uint32_t)page == 0 && n <= (1u << 30);
}

int region_open(Region *r, int fd, const int *doorbells, uint32_t doorbell_count, char *why, size_t why_size)
{
    memset(r, 0, sizeof *r);
    struct stat st;
    long page = sysconf(_SC_PAGESIZE);
    if (fstat(fd, &st) != 0) {
        snprintf(why, why_size, "the region cannot be read: %s", strerror(errno));
        return -1;
    }
    if (st.st_size < COVET_CONTROL_START) {
        snprintf(why, why_size, "the region is too small: %lld bytes", (long long)st.st_size);
        return -1;
    }
    uint8_t head[COVET_PAGE_SIZE];
    if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head) {
        snprintf(why, why_size, "the region cannot be read: %s", strerror(errno));
        return -1;
    }
    uint64_t magic;
    memcpy(&magic, head + COVET_REGION_MAGIC, 8);
    if (magic != COVET_MAGIC) {
        snprintf(why, why_size, "the region does not begin with the magic number");
        return -1;
    }
    uint32_t version = word(head, COVET_REGION_VERSION), loops = word(head, COVET_REGION_LOOPS);
    uint32_t req = word(head, COVET_REGION_REQUEST_BYTES), ans = word(head, COVET_REGION_ANSWER_BYTES);
    uint32_t start = word(head, COVET_REGION_DATA_START);
    if (version != COVET_VERSION) {
        snprintf(why, why_size, "the engine speaks layout version %u, this extension %u", version, (unsigned)COVET_VERSION);
        return -1;
    }
    if (loops == 0 || loops > MAX_LOOPS || loops != doorbell_count) {
        snprintf(why, why_size, "the region has %u loops, but %u doorbells were given", loops, doorbell_count);
        return -1;
    }
    uint64_t need = (uint64_t)start + (uint64_t)loops * ((uint64_t)req + ans);
    if (!ring_size_ok(req, page) || !ring_size_ok(ans, page) || start % (uint32_t)page != 0 ||
        start < COVET_CONTROL_START + loops * COVET_CONTROL_SIZE || need > (uint64_t)st.st_size) {
        snprintf(why, why_size, "the region's sizes do not fit: %u loops, rings of %u and %u bytes from %u in %lld", loops,
                 req, ans, start, (long long)st.st_size);
        return -1;
    }
    r->header_size = start;
    r->header = mmap(NULL, start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (r->header == MAP_FAILED) {
        r->header = NULL;
        snprintf(why, why_size, "the region cannot be mapped: %s", strerror(errno));
        return -1;
    }
    r->links = calloc(loops, sizeof *r->links);
    if (r->links == NULL) {
        snprintf(why, why_size, "out of memory");
        region_close(r);
        return -1;
    }
    r->count = loops;
    off_t at = (off_t)start;
    for (uint32_t i = 0; i < loops; i++, at += (off_t)req + (off_t)ans) {
        Link *l = &r->links[i];
        l->control = r->header + COVET_CONTROL_START + i * COVET_CONTROL_SIZE;
        l->request_size = req;
        l->answer_size = ans;
        l->doorbell = doorbells[i];
        l->last = &l->first;
        l->request = map_twice(fd, at, req);
        l->answer = map_twice(fd, at + (off_t)req, ans);
        if (l->request == NULL || l->answer == NULL) {
            snprintf(why, why_size, "the rings cannot be mapped: %s", strerror(errno));
            region_close(r);
            return -1;
        }
        l->request_head = atomic_load(at64(l->control, COVET_CONTROL_REQUEST_HEAD));
        l->answer_tail = l->published_tail = atomic_load(at64(l->control, COVET_CONTROL_ANSWER_TAIL));
        l->answer_head = atomic_load(at64(l->control, COVET_CONTROL_ANSWER_HEAD));
    }
    return 0;
}

void region_close(Region *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        Link *l = &r->links[i];
        if (l->request != NULL)
            munmap(l->request, (size_t)l->request_size * 2);
        if (l->answer != NULL)
            munmap(l->answer, (size_t)l->answer_size * 2);
        for (Pending *p = l->first, *next; p != NULL; p = next) {
            next = p->next;
            free(p);
        }
        free(l->slots);
    }
    free(r->links);
    if (r->header != NULL)
        munmap(r->header, r->header_size);
    memset(r, 0, sizeof *r);
}

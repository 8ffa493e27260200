/* The byte rings: reading requests, writing answers. Nothing here knows Python objects. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout_gen.h"
#include "region.h"

static uint32_t round_up(uint32_t n) { return (n + COVET_ALIGN - 1) & ~(uint32_t)(COVET_ALIGN - 1); }

bool link_readable(Link *l)
{
    return atomic_load(at64(l->control, COVET_CONTROL_REQUEST_TAIL)) != l->request_head;
}

const uint8_t *link_next(Link *l, uint32_t *length, bool *broken)
{
    uint64_t tail = atomic_load(at64(l->control, COVET_CONTROL_REQUEST_TAIL));
    uint64_t there = tail - l->request_head;
    if (there == 0)
        return NULL;
    const uint8_t *f = l->request + (l->request_head & (l->request_size - 1));
    uint32_t n;
    memcpy(&n, f + COVET_LENGTH, 4); /* read once: what is checked is what is used */
    if (there > l->request_size || there < COVET_HEAD_SIZE || n < COVET_HEAD_SIZE || n > COVET_MAX_FRAME ||
        n % COVET_ALIGN != 0 || n > there) {
        *broken = true;
        return NULL;
    }
    *length = n;
    return f;
}

void link_consume(Link *l, uint32_t length)
{
    l->request_head += length;
    atomic_store_explicit(at64(l->control, COVET_CONTROL_REQUEST_HEAD), l->request_head, memory_order_release);
}

uint8_t *link_tail(Link *l) { return l->answer + (l->answer_tail & (l->answer_size - 1)); }

static uint32_t room_now(Link *l)
{
    uint64_t used = l->answer_tail - l->answer_head;
    return used >= l->answer_size ? 0 : l->answer_size - (uint32_t)used;
}

uint32_t link_room(Link *l)
{
    if (l->first != NULL)
        return 0;
    if (room_now(l) < COVET_MAX_FRAME)
        l->answer_head = atomic_load(at64(l->control, COVET_CONTROL_ANSWER_HEAD));
    return room_now(l);
}

void link_advance(Link *l, uint32_t n) { l->answer_tail += round_up(n); }

static bool fits(Link *l, uint32_t n)
{
    if (room_now(l) >= n)
        return true;
    l->answer_head = atomic_load(at64(l->control, COVET_CONTROL_ANSWER_HEAD));
    return room_now(l) >= n;
}

uint8_t *link_reserve(Link *l, uint32_t n)
{
    n = round_up(n);
    uint8_t *f;
    if (l->first == NULL && fits(l, n)) {
        f = link_tail(l);
        l->answer_tail += n;
    }
    else {
        /* Bounded: every call has one final answer, and a stream no more than its credit. */
        Pending *p = malloc(sizeof *p + n);
        if (p == NULL)
            return NULL;
        p->next = NULL;
        p->length = n;
        *l->last = p;
        l->last = &p->next;
        f = p->data;
    }
    memset(f, 0, n < 64 ? n : 64); /* the heads of all types are under 64 bytes: no stale bytes of the ring in them */
    memset(f + n - COVET_ALIGN, 0, COVET_ALIGN);
    memcpy(f + COVET_LENGTH, &n, 4);
    return f;
}

static void ring_bell(Link *l)
{
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(l->doorbell, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    /* EAGAIN: the bell has rung and nobody has looked yet, so it need not ring again. */
}

void link_publish(Link *l)
{
    if (l->first != NULL)
        link_unclog(l);
    if (l->answer_tail == l->published_tail)
        return;
    l->published_tail = l->answer_tail;
    atomic_store(at64(l->control, COVET_CONTROL_ANSWER_TAIL), l->answer_tail);
    /* The plain look first keeps the cache line shared while the loop is awake. */
    if (atomic_load(at32(l->control, COVET_CONTROL_ASLEEP)) != 0 &&
        atomic_exchange(at32(l->control, COVET_CONTROL_ASLEEP), 0) != 0)
        ring_bell(l);
}

bool link_unclog(Link *l)
{
    for (int look = 0; l->first != NULL; look++) {
        while (l->first != NULL && fits(l, l->first->length)) {
            Pending *p = l->first;
            memcpy(link_tail(l), p->data, p->length);
            l->answer_tail += p->length;
            l->first = p->next;
            if (l->first == NULL)
                l->last = &l->first;
            free(p);
            look = 0;
        }
        if (l->first == NULL || look > 0)
            break;
        /* Say that we wait, then look once more: the engine may have made room in between. */
        atomic_store(at32(l->control, COVET_CONTROL_STARVED), 1);
    }
    return l->first == NULL;
}

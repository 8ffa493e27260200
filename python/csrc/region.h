/* The shared memory of the worker and its engine, and the rings in it: internal/ring/layout.md draws it. */
#ifndef COVET_REGION_H
#define COVET_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct Call;

/* A frame that did not fit into the answer ring. */
typedef struct Pending {
    struct Pending *next;
    uint32_t length;
    uint8_t data[];
} Pending;

/* One I/O loop's pair of rings, seen from the worker. */
typedef struct {
    uint8_t *control;
    uint8_t *request, *answer;      /* data, each mapped twice in a row */
    uint32_t request_size, answer_size;
    uint64_t request_head;          /* ours; published to the control block */
    uint64_t answer_tail;           /* ours; published by link_publish */
    uint64_t published_tail;
    uint64_t answer_head;           /* the engine's, as last seen */
    int doorbell;                   /* written to wake the loop */
    Pending *first, **last;         /* frames that wait for room, oldest first */
    struct Call **slots;
    uint32_t slot_count;
} Link;

typedef struct {
    uint8_t *header;                /* header and control blocks */
    size_t header_size;
    Link *links;
    uint32_t count;
} Region;

/* Slots above this are a fault of the engine: it counts them from 0 and takes no more than the worker's credit. */
#define MAX_SLOT (1u << 20)

/* Maps the region behind fd; -1 and a reason in why (a static text) when it is not what this build expects. */
int region_open(Region *r, int fd, const int *doorbells, uint32_t doorbell_count, char *why, size_t why_size);
void region_close(Region *r);

static inline _Atomic uint64_t *at64(uint8_t *base, uint32_t off) { return (_Atomic uint64_t *)(void *)(base + off); }
static inline _Atomic uint32_t *at32(uint8_t *base, uint32_t off) { return (_Atomic uint32_t *)(void *)(base + off); }

/* ring.c */

/* The next frame of the request ring: NULL when there is none, and *broken when the ring holds nonsense. */
const uint8_t *link_next(Link *l, uint32_t *length, bool *broken);
void link_consume(Link *l, uint32_t length);
bool link_readable(Link *l);
/* Room for a frame of n bytes, rounded up and with its head written: in the ring, or in memory that waits for room in
 * it. NULL: out of memory. In the ring it counts once link_commit is called, at most n long. */
uint8_t *link_reserve(Link *l, uint32_t n);
/* How many bytes can be written at link_tail in one piece, 0 when frames wait for room. */
uint32_t link_room(Link *l);
uint8_t *link_tail(Link *l);
void link_advance(Link *l, uint32_t n);
/* Publishes what was written and wakes the loop if it sleeps. */
void link_publish(Link *l);
/* Moves waiting frames into the ring; false while some still wait (the engine has been asked to wake us). */
bool link_unclog(Link *l);

#endif

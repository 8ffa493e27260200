/* Out is where bytes are written to: borrowed memory first (the answer ring), the heap once that is full. */
#ifndef COVET_OUT_H
#define COVET_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*    start            p                 end
 *      |  written     |  room            |
 * heap is NULL while the memory is borrowed; else it equals start and belongs to the Out. */
typedef struct {
    uint8_t *start, *p, *end, *heap;
} Out;

/* What the writers of JSON leaves leave for commas, colons and brackets. */
#define OUT_SLACK 8

/* Makes room for n more bytes, moving to the heap. -1 with MemoryError. */
int out_grow(Out *o, size_t n);
void out_free(Out *o);

static inline int out_need(Out *o, size_t n)
{
    return (size_t)(o->end - o->p) >= n ? 0 : out_grow(o, n);
}
/* The same for writers that keep the place p themselves: the place to go on at, NULL with MemoryError. */
static inline uint8_t *out_room(Out *o, uint8_t *p, size_t n)
{
    if (__builtin_expect((size_t)(o->end - p) >= n, 1))
        return p;
    o->p = p;
    return out_grow(o, n) < 0 ? NULL : o->p;
}
static inline size_t out_len(const Out *o) { return (size_t)(o->p - o->start); }
static inline int out_put(Out *o, const void *data, size_t n)
{
    if (out_need(o, n) < 0)
        return -1;
    memcpy(o->p, data, n);
    o->p += n;
    return 0;
}
static inline int out_byte(Out *o, uint8_t b)
{
    if (out_need(o, 1) < 0)
        return -1;
    *o->p++ = b;
    return 0;
}

#endif

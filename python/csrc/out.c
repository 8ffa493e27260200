#include "bridge.h"

/* A result larger than this is a mistake of the handler: it should stream. */
#define OUT_MAX ((size_t)1 << 31)

int out_grow(Out *o, size_t n)
{
    size_t have = out_len(o), room = (size_t)(o->end - o->start) * 2;
    if (n > OUT_MAX || have > OUT_MAX - n) {
        PyErr_SetString(PyExc_MemoryError, "the result is larger than 2 GiB");
        return -1;
    }
    if (room < have + n)
        room = have + n;
    if (room < 1024)
        room = 1024;
    uint8_t *heap = PyMem_RawRealloc(o->heap, room);
    if (heap == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (o->heap == NULL && have > 0)
        memcpy(heap, o->start, have);
    o->heap = o->start = heap;
    o->p = heap + have;
    o->end = heap + room;
    return 0;
}

void out_free(Out *o)
{
    PyMem_RawFree(o->heap);
    o->heap = o->start = o->p = o->end = NULL;
}

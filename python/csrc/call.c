/* The life of a call: made from a frame, ended by its final answer. */
#include "bridge.h"

Call *call_new(Bridge *b, uint32_t loop, const uint8_t *f, uint32_t n)
{
    Call *c = PyMem_RawCalloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    atomic_init(&c->refs, 1);
    c->state = b->state;
    c->bridge = b;
    c->loop = loop;
    c->slot = get32(f + COVET_SLOT);
    c->generation = get32(f + COVET_GENERATION);
    c->frame = f;
    c->length = n;
    c->last = &c->first;
    c->head = f[COVET_REQUEST_METHOD] == COVET_METHOD_HEAD;
    c->ended = !(f[COVET_FLAGS] & COVET_FLAG_BODY_FOLLOWS);
    c->credit = COVET_STREAM_WINDOW;
    return c;
}

/* The last reference may be dropped on any thread: nothing of the event loop's is left in the call by then. */
void call_unref(Call *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    body_drop(c);
    Py_XDECREF(c->body);
    Py_XDECREF(c->trailers);
    Py_XDECREF(c->route);
    Py_XDECREF(c->coro);
    if (c->owned)
        PyMem_RawFree((void *)(uintptr_t)c->frame);
    PyMem_RawFree(c);
}

int call_own_frame(Call *c)
{
    if (c->owned)
        return 0;
    uint8_t *copy = PyMem_RawMalloc(c->length);
    if (copy == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(copy, c->frame, c->length);
    /* The memory is shared, so what was checked in the ring is checked again in what is kept. */
    if (!frame_check_request(copy, c->length)) {
        PyMem_RawFree(copy);
        PyErr_SetString(c->state->bridge_error, "the engine changed a frame while it was read");
        return -1;
    }
    c->frame = copy;
    c->owned = true;
    return 0;
}

static void clear_args(Call *c)
{
    if (c->args == NULL)
        return;
    for (Py_ssize_t i = 0; i < c->plan->count; i++)
        Py_XDECREF(c->args[i]);
    PyMem_RawFree(c->args);
    c->args = NULL;
}

void call_let_go(Call *c)
{
    Py_CLEAR(c->context);
    Py_CLEAR(c->driver);
    Py_CLEAR(c->task);
}

void call_finish(Call *c)
{
    Bridge *b = c->bridge;
    if (b == NULL)
        return;
    State *st = c->state;
    Link *l = &b->region.links[c->loop];
    clear_args(c);
    if (c->slot < l->slot_count && l->slots[c->slot] == c)
        l->slots[c->slot] = NULL;
    c->stage = STAGE_DONE;
    c->plan = NULL;
    c->bridge = NULL;
    atomic_fetch_sub(&b->in_flight, 1);
    _Atomic uint64_t *handled = at64(b->region.header, COVET_REGION_HANDLED);
    atomic_store_explicit(handled, atomic_load_explicit(handled, memory_order_relaxed) + 1, memory_order_relaxed);
    answer_pump_drop(c);
    if (!c->ended) {
        c->ended = true;
        c->end_reason = COVET_REASON_GONE;
    }
    if (c->piece_waiter != NULL || c->body_waiters != NULL || c->write_waiter != NULL) {
        PyObject *error = bridge_exception(st, st->client_gone, COVET_REASON_GONE), *w;
        if (error == NULL)
            PyErr_Clear();
        if ((w = c->piece_waiter) != NULL) {
            c->piece_waiter = NULL;
            future_resolve(st, w, NULL, error);
            Py_DECREF(w);
        }
        if ((w = c->write_waiter) != NULL) {
            c->write_waiter = NULL;
            future_resolve(st, w, NULL, error);
            Py_DECREF(w);
        }
        if ((w = c->body_waiters) != NULL) {
            c->body_waiters = NULL;
            for (Py_ssize_t i = 0; i < PyList_GET_SIZE(w); i++)
                future_resolve(st, PyList_GET_ITEM(w, i), NULL, error);
            Py_DECREF(w);
        }
        Py_XDECREF(error);
    }
    Py_CLEAR(c->exchange);
    Py_CLEAR(c->request);
    if (b->driving != c) /* else the drive that runs lets go of them: its coroutine may go on after the answer */
        call_let_go(c);
    call_unref(c);
}

/* A request's body: pieces as they come, or whole. The engine sends what WANT has asked for, no more. */
#include "bridge.h"

/* How many bytes may wait unread; asked for anew whenever a quarter has been read. */
#define WINDOW (256u << 10)

PyObject *bridge_exception(State *st, PyObject *type, uint32_t reason)
{
    static const char *const texts[] = {"the exchange is over",  "the client has gone",          "the deadline has passed",
                                        "the body is too large", "the body's framing is broken", "the server is stopping"};
    static const char *const names[] = {"", "gone", "timeout", "too_large", "invalid", "shutdown"};
    if (reason >= sizeof texts / sizeof *texts)
        reason = COVET_REASON_GONE;
    PyObject *exc = PyObject_CallFunction(type, "s", texts[reason]);
    if (exc == NULL)
        return NULL;
    PyObject *name = PyUnicode_FromString(names[reason]);
    if (name == NULL || PyObject_SetAttr(exc, st->names.reason, name) < 0)
        Py_CLEAR(exc);
    Py_XDECREF(name);
    return exc;
}

void future_resolve(State *st, PyObject *future, PyObject *value, PyObject *error)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, st->names.done), *r = NULL;
    if (done == Py_False)
        r = error != NULL ? PyObject_CallMethodOneArg(future, st->names.set_exception, error)
                          : PyObject_CallMethodOneArg(future, st->names.set_result, value == NULL ? Py_None : value);
    if (done == NULL || (done == Py_False && r == NULL))
        PyErr_WriteUnraisable(future);
    Py_XDECREF(done);
    Py_XDECREF(r);
}

static bool is_done(State *st, PyObject *future)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, st->names.done);
    if (done == NULL)
        PyErr_Clear();
    Py_XDECREF(done);
    return done != Py_False;
}

static PyObject *end_error(Call *c)
{
    State *st = c->state;
    bool gone = c->end_reason == COVET_REASON_GONE;
    return bridge_exception(st, gone ? st->client_gone : st->bridge_error, c->end_reason);
}

void body_drop(Call *c)
{
    for (Piece *p = c->first, *next; p != NULL; p = next) {
        next = p->next;
        Py_DECREF(p->data);
        PyMem_RawFree(p);
    }
    c->first = NULL;
    c->last = &c->first;
    c->unread = 0;
}

/* Bytes were taken over by the application: lets as many follow. */
static void consumed(Call *c, size_t n)
{
    c->wanted += n;
    if (c->bridge != NULL && !c->ended && (c->wanted >= WINDOW / 4 || c->unread == 0)) {
        answer_want(c, (uint32_t)c->wanted);
        c->wanted = 0;
    }
}

static void open_window(Call *c)
{
    if (c->streaming || c->collecting || c->ended || c->bridge == NULL)
        return;
    answer_want(c, WINDOW);
}

void body_piece(Call *c, const uint8_t *p, uint32_t n)
{
    if (c->ended || n == 0)
        return;
    if (c->unread + n > 2 * (size_t)WINDOW) {
        /* More than was asked for: a fault of the engine. A body with a hole must not look complete. */
        body_end(c, COVET_REASON_INVALID);
        return;
    }
    PyObject *data = PyBytes_FromStringAndSize((const char *)p, n);
    if (data == NULL) {
        PyErr_Clear();
        body_end(c, COVET_REASON_SHUTDOWN);
        return;
    }
    PyObject *w = c->piece_waiter;
    if (w != NULL && c->first == NULL && !is_done(c->state, w)) {
        c->piece_waiter = NULL;
        future_resolve(c->state, w, data, NULL);
        Py_DECREF(w);
        Py_DECREF(data);
        consumed(c, n);
        return;
    }
    Piece *piece = PyMem_RawMalloc(sizeof *piece);
    if (piece == NULL) {
        Py_DECREF(data);
        body_end(c, COVET_REASON_SHUTDOWN);
        return;
    }
    piece->next = NULL;
    piece->data = data;
    *c->last = piece;
    c->last = &piece->next;
    c->unread += n;
    if (c->collecting) {
        /* body() keeps all of it: the engine's limit on bodies is the bound. */
        c->unread = 0;
        consumed(c, n);
    }
}

static PyObject *join(Call *c)
{
    Py_ssize_t n = 0;
    for (Piece *p = c->first; p != NULL; p = p->next)
        n += PyBytes_GET_SIZE(p->data);
    PyObject *whole = PyBytes_FromStringAndSize(NULL, n);
    if (whole == NULL)
        return NULL;
    char *to = PyBytes_AS_STRING(whole);
    for (Piece *p = c->first; p != NULL; p = p->next) {
        memcpy(to, PyBytes_AS_STRING(p->data), (size_t)PyBytes_GET_SIZE(p->data));
        to += PyBytes_GET_SIZE(p->data);
    }
    body_drop(c);
    return whole;
}

static void settle_body(Call *c)
{
    PyObject *error = NULL, *waiters = c->body_waiters;
    if (c->end_reason == COVET_REASON_COMPLETE)
        c->body = join(c);
    if (c->body == NULL) {
        error = PyErr_Occurred() ? raised() : end_error(c);
        if (error == NULL)
            error = raised();
    }
    c->body_waiters = NULL;
    for (Py_ssize_t i = 0; waiters != NULL && i < PyList_GET_SIZE(waiters); i++)
        future_resolve(c->state, PyList_GET_ITEM(waiters, i), c->body, error);
    Py_XDECREF(waiters);
    Py_XDECREF(error);
}

void body_end(Call *c, uint32_t reason)
{
    if (c->ended)
        return;
    c->ended = true;
    c->end_reason = reason;
    if (c->collecting)
        settle_body(c);
    PyObject *w = c->piece_waiter;
    if (w != NULL && c->first == NULL) {
        PyObject *error = reason == COVET_REASON_COMPLETE ? PyObject_CallNoArgs(PyExc_StopAsyncIteration) : end_error(c);
        if (error == NULL)
            error = raised();
        c->piece_waiter = NULL;
        future_resolve(c->state, w, NULL, error);
        Py_DECREF(w);
        Py_DECREF(error);
    }
}

static PyObject *lower_bytes(const uint8_t *p, uint32_t n)
{
    PyObject *name = PyBytes_FromStringAndSize(NULL, n);
    if (name == NULL)
        return NULL;
    char *to = PyBytes_AS_STRING(name);
    for (uint32_t i = 0; i < n; i++)
        to[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i]);
    return name;
}

/* The memory is shared: every length is read once and checked against what is left. A section that is malformed, or
 * that there is no memory for, ends where it is. */
void body_trailers(Call *c, const uint8_t *f, uint32_t n)
{
    uint32_t count = n < COVET_BODY_END_SIZE || c->ended ? 0 : get16(f + COVET_BODY_END_FIELD_COUNT);
    if (count == 0 || c->trailers != NULL)
        return;
    uint64_t at = get32(f + COVET_BODY_END_FIELDS), left = get32(f + COVET_BODY_END_FIELDS + 4);
    if (at + left > n)
        return;
    PyObject *list = c->trailers = PyList_New(0);
    while (list != NULL && count-- > 0 && left >= 8) {
        uint32_t name_len = get32(f + at), value_len = get32(f + at + 4);
        at += 8;
        left -= 8;
        if ((uint64_t)name_len + value_len > left)
            break;
        PyObject *name = lower_bytes(f + at, name_len), *pair = NULL;
        PyObject *value = name == NULL ? NULL : PyBytes_FromStringAndSize((const char *)f + at + name_len, value_len);
        if (value != NULL)
            pair = PyTuple_Pack(2, name, value);
        int r = pair == NULL ? -1 : PyList_Append(list, pair);
        Py_XDECREF(name);
        Py_XDECREF(value);
        Py_XDECREF(pair);
        if (r < 0)
            break;
        at += (uint64_t)name_len + value_len;
        left -= (uint64_t)name_len + value_len;
    }
    PyErr_Clear();
}

static PyObject *new_future(Call *c) { return PyObject_CallMethodNoArgs(c->bridge->loop, c->state->names.create_future); }

/* What is known without waiting: a new reference, or NULL, with an exception if that is the answer. */
static PyObject *known_body(Call *c)
{
    if (c->body == NULL && !(c->frame[COVET_FLAGS] & COVET_FLAG_BODY_FOLLOWS)) {
        Bytes b = frame_span(c->frame, COVET_REQUEST_BODY);
        c->body = PyBytes_FromStringAndSize((const char *)b.p, b.n);
    }
    return Py_XNewRef(c->body);
}

PyObject *body_read(Call *c)
{
    State *st = c->state;
    PyObject *body = known_body(c), *error = NULL;
    if (body == NULL && !PyErr_Occurred() && c->ended && !c->streaming && c->end_reason == COVET_REASON_COMPLETE)
        body = Py_XNewRef(c->body = join(c)); /* it ended before anyone asked, as one of no bytes does */
    if (body == NULL && PyErr_Occurred())
        return NULL;
    if (body == NULL && c->streaming)
        error = PyObject_CallFunction(st->bridge_error, "s", "the body is being read as a stream");
    else if (body == NULL && c->ended)
        error = end_error(c);
    if (body != NULL || error != NULL) {
        PyObject *r = ready_new(st, body, error);
        Py_XDECREF(body);
        Py_XDECREF(error);
        return r;
    }
    if (PyErr_Occurred() || bridge_check(c->bridge) < 0)
        return NULL;
    PyObject *future = new_future(c);
    if (future == NULL)
        return NULL;
    if (c->body_waiters == NULL)
        c->body_waiters = PyList_New(0);
    if (c->body_waiters == NULL || PyList_Append(c->body_waiters, future) < 0) {
        Py_DECREF(future);
        return NULL;
    }
    open_window(c);
    c->collecting = true;
    return future;
}

/* ---- the iterator that Request.stream() gives ---- */

typedef struct {
    PyObject_HEAD
    Call *call;
    bool done; /* a kept body has been given */
} BodyStream;

PyObject *body_stream(Call *c)
{
    if (c->body == NULL && c->collecting) {
        PyErr_SetString(c->state->bridge_error, "the body is being read whole");
        return NULL;
    }
    PyTypeObject *type = c->state->body_stream_type;
    BodyStream *s = (BodyStream *)type->tp_alloc(type, 0);
    if (s == NULL)
        return NULL;
    s->call = call_ref(c);
    return (PyObject *)s;
}

static void stream_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    call_unref(((BodyStream *)self)->call);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *ready_error(State *st, PyObject *error)
{
    if (error == NULL)
        return NULL;
    PyObject *r = ready_new(st, NULL, error);
    Py_DECREF(error);
    return r;
}

static PyObject *stream_next(PyObject *self)
{
    BodyStream *s = (BodyStream *)self;
    Call *c = s->call;
    State *st = c->state;
    if (s->done)
        return ready_error(st, PyObject_CallNoArgs(PyExc_StopAsyncIteration));
    PyObject *kept = known_body(c);
    if (kept != NULL) {
        s->done = true;
        PyObject *r = PyBytes_GET_SIZE(kept) > 0 ? ready_new(st, kept, NULL)
                                                 : ready_error(st, PyObject_CallNoArgs(PyExc_StopAsyncIteration));
        Py_DECREF(kept);
        return r;
    }
    if (PyErr_Occurred())
        return NULL;
    if (c->bridge != NULL && bridge_check(c->bridge) < 0)
        return NULL;
    open_window(c);
    c->streaming = true;
    Piece *p = c->first;
    if (p != NULL) {
        size_t n = (size_t)PyBytes_GET_SIZE(p->data);
        c->first = p->next;
        if (c->first == NULL)
            c->last = &c->first;
        c->unread -= n;
        consumed(c, n);
        PyObject *r = ready_new(st, p->data, NULL);
        Py_DECREF(p->data);
        PyMem_RawFree(p);
        return r;
    }
    if (c->ended) {
        s->done = true;
        return ready_error(st, c->end_reason == COVET_REASON_COMPLETE ? PyObject_CallNoArgs(PyExc_StopAsyncIteration) : end_error(c));
    }
    if (c->piece_waiter != NULL && !is_done(st, c->piece_waiter)) {
        PyErr_SetString(PyExc_RuntimeError, "the body's next piece is already being awaited");
        return NULL;
    }
    PyObject *future = new_future(c);
    if (future != NULL)
        Py_XSETREF(c->piece_waiter, Py_NewRef(future));
    return future;
}

static PyType_Slot stream_slots[] = {
    {Py_tp_dealloc, stream_dealloc},
    {Py_am_aiter, PyObject_SelfIter},
    {Py_am_anext, stream_next},
    {0, NULL},
};
PyType_Spec body_stream_spec = {"covet._bridge.BodyStream", sizeof(BodyStream), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, stream_slots};

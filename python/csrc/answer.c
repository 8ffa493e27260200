/* Frames up: whole responses, errors, streams, signals. A frame is written once, where possible straight in the ring. */
#include "bridge.h"

static Link *link_of(Call *c) { return &c->bridge->region.links[c->loop]; }

/* A frame never takes more than half of a ring, whatever its size. */
static uint32_t at_most(Link *l, uint32_t n) { return n < l->answer_size / 2 ? n : l->answer_size / 2; }

static void put_head(uint8_t *f, const Call *c, uint8_t type)
{
    f[COVET_TYPE] = type;
    put32(f + COVET_SLOT, c->slot);
    put32(f + COVET_GENERATION, c->generation);
}

static void put_span(uint8_t *f, uint32_t at, uint32_t off, uint32_t n)
{
    put32(f + at, off);
    put32(f + at + 4, n);
}

static uint8_t *reserve(Call *c, uint32_t n, uint8_t type)
{
    uint8_t *f = link_reserve(link_of(c), n);
    if (f != NULL)
        put_head(f, c, type);
    /* Out of memory with the ring full: the supervisor's deadline ends the exchange. */
    return f;
}

static void signal_frame(Call *c, uint8_t type, uint32_t value)
{
    uint8_t *f = reserve(c, COVET_SIGNAL_SIZE, type);
    if (f != NULL)
        put32(f + COVET_BYTES, value);
    bridge_touched(c->bridge);
}

void answer_want(Call *c, uint32_t n) { signal_frame(c, COVET_TYPE_WANT, n); }

void answer_cancelled(Call *c)
{
    if (c->bridge == NULL)
        return;
    signal_frame(c, COVET_TYPE_CANCELLED, 0);
    call_finish(c);
}

/* ---- fields ---- */

typedef struct {
    Out out;
    uint8_t small[1024];
    uint32_t count;
} Fields;

static void fields_init(Fields *s)
{
    s->out = (Out){s->small, s->small, s->small + sizeof s->small, NULL};
    s->count = 0;
}

/* Field text is bytes or str within Latin-1, as header values are on the wire (RFC 9110 section 5.5). */
static int text_of(PyObject *o, const uint8_t **p, size_t *n)
{
    if (PyBytes_Check(o)) {
        *p = (const uint8_t *)PyBytes_AS_STRING(o);
        *n = (size_t)PyBytes_GET_SIZE(o);
        return 0;
    }
    if (!PyUnicode_Check(o)) {
        PyErr_Format(PyExc_TypeError, "a header is str, not %s", Py_TYPE(o)->tp_name);
        return -1;
    }
    if (PyUnicode_KIND(o) != PyUnicode_1BYTE_KIND) {
        PyErr_Format(PyExc_ValueError, "a header holds characters outside Latin-1: %R", o);
        return -1;
    }
    *p = PyUnicode_1BYTE_DATA(o);
    *n = (size_t)PyUnicode_GET_LENGTH(o);
    return 0;
}

/* CR, LF and NUL may split a response (RFC 9110 section 5.5). The engine refuses them, too: here, the author gets a
 * traceback. */
static bool splits(const uint8_t *p, size_t n)
{
    return memchr(p, '\n', n) != NULL || memchr(p, '\r', n) != NULL || memchr(p, 0, n) != NULL;
}

static int fields_add(Fields *s, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len)
{
    uint8_t sizes[8];
    put32(sizes, (uint32_t)name_len);
    put32(sizes + 4, (uint32_t)value_len);
    if (name_len == 0 || splits(name, name_len) || splits(value, value_len)) {
        PyErr_SetString(PyExc_ValueError, "a header has no name, or holds a line break or a NUL");
        return -1;
    }
    if (name_len + value_len > COVET_MAX_INLINE || s->count >= COVET_MAX_FIELDS) {
        PyErr_SetString(PyExc_ValueError, "the response has too many or too long headers");
        return -1;
    }
    if (out_put(&s->out, sizes, 8) < 0 || out_put(&s->out, name, name_len) < 0 || out_put(&s->out, value, value_len) < 0)
        return -1;
    s->count++;
    return 0;
}

static int fields_add_all(Fields *s, PyObject *headers)
{
    if (headers == NULL || headers == Py_None)
        return 0;
    PyObject *fast = PySequence_Fast(headers, "headers are a list of pairs");
    if (fast == NULL)
        return -1;
    int r = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast) && r == 0; i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(fast, i);
        const uint8_t *n, *v;
        size_t nn, vn;
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "headers are a list of pairs");
            r = -1;
        }
        else if ((r = text_of(PyTuple_GET_ITEM(pair, 0), &n, &nn)) == 0 && (r = text_of(PyTuple_GET_ITEM(pair, 1), &v, &vn)) == 0)
            r = fields_add(s, n, nn, v, vn);
    }
    Py_DECREF(fast);
    return r;
}

/* The number of a content type, or the type as one more field. */
static int content_number(Fields *s, PyObject *content_type, uint8_t *number)
{
    static const char *const names[COVET_CONTENT_COUNT] = COVET_CONTENT_NAMES;
    *number = COVET_CONTENT_NONE;
    if (content_type == NULL || content_type == Py_None)
        return 0;
    const uint8_t *p;
    size_t n;
    if (text_of(content_type, &p, &n) < 0)
        return -1;
    for (uint8_t i = 1; i < COVET_CONTENT_COUNT; i++)
        if (strlen(names[i]) == n && memcmp(names[i], p, n) == 0) {
            *number = i;
            return 0;
        }
    return fields_add(s, (const uint8_t *)"content-type", 12, p, n);
}

static int fields_check(Call *c, Fields *s)
{
    if (out_len(&s->out) <= link_of(c)->answer_size / 4 && out_len(&s->out) <= COVET_MAX_INLINE)
        return 0;
    PyErr_SetString(PyExc_ValueError, "the response's headers are too long");
    return -1;
}

static void put_response(uint8_t *f, int status, uint8_t number, const Fields *s, int64_t length)
{
    put16(f + COVET_RESPONSE_STATUS, (uint16_t)status);
    f[COVET_RESPONSE_TYPE] = number;
    put16(f + COVET_RESPONSE_FIELD_COUNT, (uint16_t)(s ? s->count : 0));
    put_span(f, COVET_RESPONSE_FIELDS, COVET_RESPONSE_SIZE, (uint32_t)(s ? out_len(&s->out) : 0));
    put64(f + COVET_RESPONSE_LENGTH, (uint64_t)length);
    if (s != NULL)
        memcpy(f + COVET_RESPONSE_SIZE, s->out.start, out_len(&s->out));
}

static int start_with(Call *c, int status, uint8_t number, Fields *s, int64_t length)
{
    uint32_t n = s ? (uint32_t)out_len(&s->out) : 0;
    uint8_t *f = reserve(c, COVET_RESPONSE_SIZE + n, COVET_TYPE_START);
    if (f == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    put_response(f, status, number, s, length);
    c->started = true;
    bridge_touched(c->bridge);
    return 0;
}

static int check_status(long status)
{
    if (status >= 200 && status <= 999)
        return 0;
    PyErr_Format(PyExc_ValueError, "the status %ld of the response is not between 200 and 999", status);
    return -1;
}

int answer_start(Call *c, int status, PyObject *headers, PyObject *content_type, int64_t length)
{
    Fields s;
    uint8_t number;
    fields_init(&s);
    int r = check_status(status) < 0 || fields_add_all(&s, headers) < 0 || content_number(&s, content_type, &number) < 0 ||
                    fields_check(c, &s) < 0
                ? -1
                : start_with(c, status, number, &s, length);
    out_free(&s.out);
    return r;
}

void answer_end(Call *c, bool aborted)
{
    if (c->bridge == NULL)
        return;
    if (c->gone) {
        answer_cancelled(c);
        return;
    }
    uint8_t *f = reserve(c, COVET_HEAD_SIZE, COVET_TYPE_END);
    if (f != NULL && aborted)
        f[COVET_FLAGS] = COVET_FLAG_ABORTED;
    bridge_touched(c->bridge);
    call_finish(c);
}

int answer_end_with(Call *c, PyObject *trailers)
{
    Fields s;
    int r = -1;
    fields_init(&s);
    if (fields_add_all(&s, trailers) == 0 && fields_check(c, &s) == 0) {
        uint32_t n = (uint32_t)out_len(&s.out);
        uint8_t *f = reserve(c, COVET_END_SIZE + n, COVET_TYPE_END);
        if (f == NULL)
            PyErr_NoMemory();
        else {
            put16(f + COVET_END_FIELD_COUNT, (uint16_t)s.count);
            put_span(f, COVET_END_FIELDS, COVET_END_SIZE, n);
            memcpy(f + COVET_END_SIZE, s.out.start, n);
            bridge_touched(c->bridge);
            call_finish(c);
            r = 0;
        }
    }
    out_free(&s.out);
    return r;
}

int answer_inform(Call *c, int status, PyObject *headers)
{
    Fields s;
    int r = -1;
    fields_init(&s);
    if (status < 102 || status > 199)
        PyErr_Format(PyExc_ValueError, "%d is not the status of an interim response that an application sends", status);
    else if (fields_add_all(&s, headers) == 0) {
        r = 0;
        uint32_t n = COVET_RESPONSE_SIZE + (uint32_t)out_len(&s.out);
        if (c->bridge != NULL && !c->gone && !c->started && (r = fields_check(c, &s)) == 0 &&
            link_room(link_of(c)) >= n + COVET_ALIGN) {
            /* Without room in the ring it is left out: what waits for room in memory is bounded by the calls and their
             * credit, and a handler may hint for ever. */
            uint8_t *f = reserve(c, n, COVET_TYPE_INFORM);
            put_response(f, status, COVET_CONTENT_NONE, &s, -1);
            bridge_touched(c->bridge);
        }
    }
    out_free(&s.out);
    return r;
}

/* ---- bodies that are larger than a frame, or than the client's credit ---- */

void answer_pump_drop(Call *c)
{
    if (c->pump_view.obj != NULL)
        PyBuffer_Release(&c->pump_view);
    memset(&c->pump_view, 0, sizeof c->pump_view);
    PyMem_RawFree(c->pump_heap);
    c->pump_heap = NULL;
    c->pump = NULL;
    c->pump_left = 0;
}

void answer_pump(Call *c)
{
    Link *l = link_of(c);
    uint32_t most = at_most(l, COVET_MAX_CHUNK + COVET_PIECE_DATA) - COVET_PIECE_DATA;
    while (c->pump_left > 0 && c->credit > 0) {
        uint32_t n = c->pump_left < most ? (uint32_t)c->pump_left : most;
        if ((int64_t)n > c->credit)
            n = (uint32_t)c->credit;
        uint8_t *f = reserve(c, COVET_PIECE_DATA + n, COVET_TYPE_CHUNK);
        if (f == NULL) {
            answer_end(c, true);
            return;
        }
        put32(f + COVET_PIECE_LENGTH, n);
        memcpy(f + COVET_PIECE_DATA, c->pump, n);
        c->pump += n;
        c->pump_left -= n;
        c->credit -= n;
    }
    bridge_touched(c->bridge);
    if (c->pump_left > 0)
        return;
    if (c->stage == STAGE_PUMP) {
        answer_end(c, false);
        return;
    }
    PyObject *w = c->write_waiter;
    if (w != NULL) {
        answer_pump_drop(c);
        c->write_waiter = NULL;
        future_resolve(c->state, w, NULL, NULL);
        Py_DECREF(w);
    }
}

/* ---- whole responses ---- */

/* Statuses whose responses have no content: RFC 9110 sections 15.3.5 and 15.4.5. */
static bool no_content(int status) { return status == 204 || status == 304; }

/* Sends a body that is in memory already: inline, or as a stream of its own. view is taken over. */
static int send_body(Call *c, int status, uint8_t number, Fields *s, const uint8_t *p, size_t n, Py_buffer *view, uint8_t *heap)
{
    uint32_t fields = s ? (uint32_t)out_len(&s->out) : 0;
    bool bare = c->head || no_content(status);
    int r = 0;
    if (bare || n <= at_most(link_of(c), COVET_MAX_INLINE)) {
        uint32_t body = bare ? 0 : (uint32_t)n;
        uint8_t *f = reserve(c, COVET_RESPONSE_SIZE + fields + body, COVET_TYPE_RESPONSE);
        if (f == NULL) {
            PyErr_NoMemory();
            r = -1;
        }
        else {
            put_response(f, status, number, s, (int64_t)n);
            put_span(f, COVET_RESPONSE_BODY, COVET_RESPONSE_SIZE + fields, body);
            if (body > 0)
                memcpy(f + COVET_RESPONSE_SIZE + fields, p, body);
        }
        if (view != NULL)
            PyBuffer_Release(view);
        PyMem_RawFree(heap);
        if (r == 0) {
            bridge_touched(c->bridge);
            call_finish(c);
        }
        return r;
    }
    if (start_with(c, status, number, s, (int64_t)n) < 0) {
        if (view != NULL)
            PyBuffer_Release(view);
        PyMem_RawFree(heap);
        return -1;
    }
    if (view != NULL)
        c->pump_view = *view;
    c->pump_heap = heap;
    c->pump = p;
    c->pump_left = n;
    c->stage = STAGE_PUMP;
    answer_pump(c);
    return 0;
}

static int send_json(Call *c, PyObject *value)
{
    Link *l = link_of(c);
    Out out = {NULL, NULL, NULL, NULL};
    uint32_t room = link_room(l), most = at_most(l, COVET_MAX_INLINE);
    uint8_t *f = NULL;
    if (room > COVET_RESPONSE_SIZE + 64) {
        f = link_tail(l);
        room = (room - COVET_RESPONSE_SIZE) & ~(uint32_t)(COVET_ALIGN - 1);
        out.start = out.p = f + COVET_RESPONSE_SIZE;
        out.end = out.start + (room < most ? room : most);
    }
    int r = json_encode(c->state, &out, value, c->bridge->render, c, l);
    if (r == 1) {
        /* The render hook has had a frame written where this one was to be: once more, on the heap. */
        out = (Out){NULL, NULL, NULL, NULL};
        r = out_grow(&out, 256) < 0 ? -1 : json_encode(c->state, &out, value, c->bridge->render, c, NULL);
    }
    if (r < 0) {
        out_free(&out);
        return -1;
    }
    size_t n = out_len(&out);
    int status = c->plan->status;
    if (out.heap != NULL)
        return send_body(c, status, COVET_CONTENT_JSON, NULL, out.start, n, NULL, out.heap);
    bool bare = c->head || no_content(status);
    uint32_t body = bare ? 0 : (uint32_t)n, size = COVET_RESPONSE_SIZE + body;
    size = (size + COVET_ALIGN - 1) & ~(uint32_t)(COVET_ALIGN - 1);
    memset(f, 0, COVET_RESPONSE_SIZE);
    put32(f + COVET_LENGTH, size);
    put_head(f, c, COVET_TYPE_RESPONSE);
    put_response(f, status, COVET_CONTENT_JSON, NULL, (int64_t)n);
    put_span(f, COVET_RESPONSE_BODY, COVET_RESPONSE_SIZE, body);
    memset(f + COVET_RESPONSE_SIZE + body, 0, size - COVET_RESPONSE_SIZE - body);
    link_advance(l, size);
    bridge_touched(c->bridge);
    call_finish(c);
    return 0;
}

static int send_response_object(Call *c, PyObject *value)
{
    State *st = c->state;
    PyObject *content = PyObject_GetAttr(value, st->names.content);
    if (content == NULL)
        return -1;
    if (content == Py_None) {
        Py_DECREF(content);
        return 1;
    }
    PyObject *status = PyObject_GetAttr(value, st->names.status), *headers = NULL, *type = NULL;
    Py_buffer view = {0};
    Fields s;
    uint8_t number;
    int r = -1;
    fields_init(&s);
    if (status == NULL || (headers = PyObject_GetAttr(value, st->names.headers)) == NULL ||
        (type = PyObject_GetAttr(value, st->names.content_type)) == NULL)
        goto done;
    long code = PyLong_AsLong(status);
    if ((code == -1 && PyErr_Occurred()) || check_status(code) < 0 || fields_add_all(&s, headers) < 0 ||
        content_number(&s, type, &number) < 0 || fields_check(c, &s) < 0 || PyObject_GetBuffer(content, &view, PyBUF_SIMPLE) < 0)
        goto done;
    r = send_body(c, (int)code, number, &s, view.buf, (size_t)view.len, &view, NULL);
done:
    out_free(&s.out);
    Py_DECREF(content);
    Py_XDECREF(status);
    Py_XDECREF(headers);
    Py_XDECREF(type);
    return r;
}

static int send_stream(Call *c, PyObject *value)
{
    PyObject *x = call_exchange(c), *args[3] = {NULL, x, value};
    if (x == NULL)
        return -1;
    PyObject *awaitable = PyObject_Vectorcall(c->bridge->stream, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    PyObject *it = await_iterator(awaitable);
    if (it == NULL)
        return -1;
    c->stage = STAGE_STREAM;
    Py_XSETREF(c->coro, it);
    return 1;
}

/* Values the extension knows; 2: it does not. */
static int send_known(Call *c, PyObject *v)
{
    Bridge *b = c->bridge;
    if (PyDict_Check(v) || PyList_Check(v) || PyTuple_Check(v) || PyLong_Check(v) || PyFloat_Check(v))
        return send_json(c, v);
    if (PyUnicode_Check(v)) {
        Py_ssize_t n;
        const char *p = PyUnicode_AsUTF8AndSize(v, &n);
        if (p == NULL)
            return -1;
        if ((size_t)n <= at_most(link_of(c), COVET_MAX_INLINE) || c->head)
            return send_body(c, c->plan->status, COVET_CONTENT_TEXT, NULL, (const uint8_t *)p, (size_t)n, NULL, NULL);
        uint8_t *heap = PyMem_RawMalloc((size_t)n);
        if (heap == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(heap, p, (size_t)n);
        return send_body(c, c->plan->status, COVET_CONTENT_TEXT, NULL, heap, (size_t)n, NULL, heap);
    }
    if (v == Py_None)
        /* Nothing to say is 204, unless the route has a status of its own. */
        return send_body(c, c->plan->status == 200 ? 204 : c->plan->status, COVET_CONTENT_NONE, NULL, (const uint8_t *)"", 0, NULL, NULL);
    if (PyBytes_Check(v)) {
        Py_buffer view;
        if (PyObject_GetBuffer(v, &view, PyBUF_SIMPLE) < 0)
            return -1;
        return send_body(c, c->plan->status, COVET_CONTENT_OCTETS, NULL, view.buf, (size_t)view.len, &view, NULL);
    }
    if (PyObject_TypeCheck(v, b->response_type)) {
        int r = send_response_object(c, v);
        return r == 1 ? send_stream(c, v) : r;
    }
    if (PyObject_TypeCheck(v, (PyTypeObject *)b->problem_type))
        return answer_problem(c, v);
    int known = json_knows(c->state, Py_TYPE(v));
    return known < 0 ? -1 : known ? send_json(c, v) : 2;
}

int answer_value(Call *c, PyObject *value)
{
    if (c->gone) {
        answer_cancelled(c);
        return 0;
    }
    if (c->started) { /* the answer to a failure in the middle of a stream: too late for any */
        answer_end(c, true);
        return 0;
    }
    int r = send_known(c, value);
    if (r != 2)
        return r;
    PyObject *request = call_request(c), *args[3] = {NULL, request, value};
    if (request == NULL)
        return -1;
    PyObject *known = PyObject_Vectorcall(c->bridge->render, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (known == NULL)
        return -1;
    r = send_known(c, known);
    if (r == 2)
        r = send_stream(c, known);
    Py_DECREF(known);
    return r;
}

/* ---- errors ---- */

static int send_error(Call *c, int status, const void *code, size_t code_len, const void *message, size_t message_len,
                      const void *details, size_t details_len, Fields *s)
{
    size_t fields = s ? out_len(&s->out) : 0;
    /* Texts for people: cut rather than refused. Cutting details would break their JSON: left out. */
    size_t most = at_most(link_of(c), COVET_MAX_INLINE) / 4;
    if (code_len > 64)
        code_len = 0;
    if (message_len > most)
        for (message_len = most; message_len > 0 && (((const uint8_t *)message)[message_len] & 0xc0) == 0x80;)
            message_len--;
    if (details_len > most)
        details_len = 0;
    uint8_t *f = reserve(c, (uint32_t)(COVET_ERROR_SIZE + code_len + message_len + details_len + fields), COVET_TYPE_ERROR);
    if (f == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    uint32_t at = COVET_ERROR_SIZE;
    put16(f + COVET_ERROR_STATUS, (uint16_t)status);
    put16(f + COVET_ERROR_FIELD_COUNT, (uint16_t)(s ? s->count : 0));
    const struct { uint32_t span; const void *p; size_t n; } parts[] = {
        {COVET_ERROR_CODE, code, code_len},
        {COVET_ERROR_MESSAGE, message, message_len},
        {COVET_ERROR_DETAILS, details, details_len},
        {COVET_ERROR_FIELDS, s ? s->out.start : NULL, fields},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        put_span(f, parts[i].span, at, (uint32_t)parts[i].n);
        if (parts[i].n > 0)
            memcpy(f + at, parts[i].p, parts[i].n);
        at += (uint32_t)parts[i].n;
    }
    bridge_touched(c->bridge);
    call_finish(c);
    return 0;
}

void answer_error(Call *c, int status, const char *code, const char *message)
{
    if (c->bridge == NULL)
        return;
    if (c->gone)
        answer_cancelled(c);
    else if (c->started)
        answer_end(c, true);
    else if (send_error(c, status, code, strlen(code), message, strlen(message), NULL, 0, NULL) < 0)
        PyErr_WriteUnraisable(NULL);
}

int answer_problem(Call *c, PyObject *problem)
{
    State *st = c->state;
    PyObject *status = PyObject_GetAttr(problem, st->names.status), *code = PyObject_GetAttr(problem, st->names.code),
             *message = PyObject_GetAttr(problem, st->names.message), *details = PyObject_GetAttr(problem, st->names.details),
             *headers = PyObject_GetAttr(problem, st->names.headers);
    Fields s;
    int r = -1;
    fields_init(&s);
    if (status != NULL && code != NULL && message != NULL && details != NULL && headers != NULL) {
        long n = PyLong_AsLong(status);
        Py_ssize_t code_len, message_len;
        const char *code_text = PyUnicode_AsUTF8AndSize(code, &code_len), *text = PyUnicode_AsUTF8AndSize(message, &message_len);
        if (!PyBytes_Check(details))
            PyErr_SetString(PyExc_TypeError, "details of a Problem are bytes");
        if (!PyErr_Occurred() && check_status(n) == 0 && fields_add_all(&s, headers) == 0 && fields_check(c, &s) == 0) {
            if (c->gone || c->started) {
                answer_error(c, 500, "", "");
                r = 0;
            }
            else
                r = send_error(c, (int)n, code_text, (size_t)code_len, text, (size_t)message_len, PyBytes_AS_STRING(details),
                               (size_t)PyBytes_GET_SIZE(details), &s);
        }
    }
    out_free(&s.out);
    Py_XDECREF(status);
    Py_XDECREF(code);
    Py_XDECREF(message);
    Py_XDECREF(details);
    Py_XDECREF(headers);
    return r;
}

void answer_refusal(Bridge *b, uint32_t loop, uint32_t slot, uint32_t generation, int status, const char *message, bool retry)
{
    static const char field[] = "\x0b\0\0\0\x01\0\0\0retry-after0";
    uint32_t fields = retry ? sizeof field - 1 : 0, n = (uint32_t)strlen(message);
    uint8_t *f = link_reserve(&b->region.links[loop], COVET_ERROR_SIZE + n + fields);
    if (f == NULL)
        return;
    f[COVET_TYPE] = COVET_TYPE_ERROR;
    put32(f + COVET_SLOT, slot);
    put32(f + COVET_GENERATION, generation);
    put16(f + COVET_ERROR_STATUS, (uint16_t)status);
    put16(f + COVET_ERROR_FIELD_COUNT, retry);
    put_span(f, COVET_ERROR_CODE, COVET_ERROR_SIZE, 0);
    put_span(f, COVET_ERROR_MESSAGE, COVET_ERROR_SIZE, n);
    put_span(f, COVET_ERROR_DETAILS, COVET_ERROR_SIZE + n, 0);
    put_span(f, COVET_ERROR_FIELDS, COVET_ERROR_SIZE + n, fields);
    memcpy(f + COVET_ERROR_SIZE, message, n);
    memcpy(f + COVET_ERROR_SIZE + n, field, fields);
    bridge_touched(b);
}

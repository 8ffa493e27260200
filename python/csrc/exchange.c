/* Exchange: the response side of a streamed answer, as the stream hook sees it. */
#include "bridge.h"

typedef struct {
    PyObject_HEAD
    Call *call;
} Exchange;

PyObject *call_exchange(Call *c)
{
    if (c->exchange == NULL) {
        PyTypeObject *type = c->state->exchange_type;
        Exchange *x = (Exchange *)type->tp_alloc(type, 0);
        if (x == NULL)
            return NULL;
        x->call = call_ref(c);
        c->exchange = (PyObject *)x;
    }
    return c->exchange;
}

static void exchange_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    call_unref(((Exchange *)self)->call);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *get_request(PyObject *self, void *unused) { return Py_XNewRef(call_request(((Exchange *)self)->call)); }

/* 0: the exchange is open; -1 with the exception. */
static int check_open(Call *c)
{
    if (c->bridge == NULL || c->gone) {
        PyObject *type = c->gone ? c->state->client_gone : c->state->bridge_error;
        PyObject *exc = bridge_exception(c->state, type, c->gone ? COVET_REASON_GONE : 0);
        if (exc != NULL)
            raise_again(exc);
        return -1;
    }
    return bridge_check(c->bridge);
}

static PyObject *start(PyObject *self, PyObject *args)
{
    Call *c = ((Exchange *)self)->call;
    int status;
    PyObject *headers, *content_type, *length;
    if (!PyArg_ParseTuple(args, "iOOO:start", &status, &headers, &content_type, &length) || check_open(c) < 0)
        return NULL;
    if (c->started) {
        PyErr_SetString(c->state->bridge_error, "the response has been started");
        return NULL;
    }
    long long n = length == Py_None ? -1 : PyLong_AsLongLong(length);
    if (n == -1 && PyErr_Occurred())
        return NULL;
    if (answer_start(c, status, headers, content_type, n) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *write_piece(PyObject *self, PyObject *data)
{
    Call *c = ((Exchange *)self)->call;
    if (check_open(c) < 0)
        return NULL;
    if (!c->started || c->pump != NULL) {
        PyErr_SetString(c->state->bridge_error, c->started ? "the piece before is still being written" : "the response has not been started");
        return NULL;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    if (c->head || view.len == 0) { /* the answer to HEAD has no body: RFC 9110 section 9.3.2 */
        PyBuffer_Release(&view);
        return ready_new(c->state, Py_None, NULL);
    }
    c->pump = view.buf;
    c->pump_left = (size_t)view.len;
    answer_pump(c);
    if (c->bridge == NULL) {
        PyBuffer_Release(&view);
        check_open(c);
        return NULL;
    }
    if (c->pump_left == 0) {
        c->pump = NULL;
        PyBuffer_Release(&view);
        return ready_new(c->state, Py_None, NULL);
    }
    /* No credit for the rest: bytes are kept as they are, anything mutable is copied. */
    if (PyBytes_CheckExact(data))
        c->pump_view = view;
    else {
        c->pump_heap = PyMem_RawMalloc(c->pump_left);
        if (c->pump_heap != NULL)
            memcpy(c->pump_heap, c->pump, c->pump_left);
        c->pump = c->pump_heap;
        PyBuffer_Release(&view);
        if (c->pump_heap == NULL) {
            c->pump_left = 0;
            return PyErr_NoMemory();
        }
    }
    PyObject *future = PyObject_CallMethodNoArgs(c->bridge->loop, c->state->names.create_future);
    if (future != NULL)
        Py_XSETREF(c->write_waiter, Py_NewRef(future));
    return future;
}

static PyObject *end(PyObject *self, PyObject *args)
{
    Call *c = ((Exchange *)self)->call;
    int aborted = 0;
    PyObject *trailers = Py_None;
    if (!PyArg_ParseTuple(args, "|pO:end", &aborted, &trailers))
        return NULL;
    if (c->bridge == NULL)
        Py_RETURN_NONE; /* ended already */
    if (bridge_check(c->bridge) < 0)
        return NULL;
    if (!c->started) {
        PyErr_SetString(c->state->bridge_error, "the response has not been started");
        return NULL;
    }
    aborted = aborted || c->pump_left > 0;
    if (!aborted && !c->gone && trailers != Py_None) {
        if (answer_end_with(c, trailers) < 0)
            return NULL;
    }
    else
        answer_end(c, aborted);
    Py_RETURN_NONE;
}

static PyGetSetDef exchange_getset[] = {{"request", get_request, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyMethodDef exchange_methods[] = {
    {"start", start, METH_VARARGS, NULL},
    {"write", write_piece, METH_O, NULL},
    {"end", end, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot exchange_slots[] = {
    {Py_tp_dealloc, exchange_dealloc},
    {Py_tp_getset, exchange_getset},
    {Py_tp_methods, exchange_methods},
    {0, NULL},
};
PyType_Spec exchange_spec = {"covet._bridge.Exchange", sizeof(Exchange), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, exchange_slots};

/* Python values to JSON text (RFC 8259), into an Out. */
#include "bridge.h"

#include <math.h>

/* Deeper values are taken for cycles; it also bounds the C stack. */
#define MAX_DEPTH 200

#ifndef Py_BEGIN_CRITICAL_SECTION
#define Py_BEGIN_CRITICAL_SECTION(op) {
#define Py_END_CRITICAL_SECTION() }
#endif

typedef struct {
    State *st;
    Out *out;
    PyObject *fallback; /* NULL: none */
    Call *call;         /* whose request the fallback is given first; NULL: it is given the value alone */
    PyObject *trail;    /* on failure: the segments of the path, innermost first */
    PyObject *type_name;
    int depth;
    Link *ring;         /* NULL: the Out's memory is its own */
    uint64_t tail;      /* the ring's, at the beginning */
    bool lost;          /* a frame was written where our text is */
} Encoder;

static int encode(Encoder *e, PyObject *v);

/* Turns the error at v into the one that will become EncodeError. */
static int refuse(Encoder *e, PyObject *v, const char *why)
{
    Py_XSETREF(e->type_name, PyUnicode_FromString(Py_TYPE(v)->tp_name));
    if (e->type_name == NULL)
        return -1;
    Py_XSETREF(e->trail, PyList_New(0));
    if (e->trail == NULL)
        return -1;
    PyErr_SetString(e->st->encode_error, why);
    return -1;
}

/* Adds a segment while a refusal climbs back; steals it. */
static int climb(Encoder *e, PyObject *segment)
{
    if (e->trail != NULL && segment != NULL) {
        PyObject *exc = raised();
        if (PyList_Append(e->trail, segment) < 0)
            PyErr_Clear();
        raise_again(exc);
    }
    Py_XDECREF(segment);
    return -1;
}

static PyObject *index_segment(Encoder *e, Py_ssize_t i)
{
    if (e->trail == NULL)
        return NULL;
    PyObject *exc = raised(), *s = PyUnicode_FromFormat("[%zd]", i);
    if (s == NULL)
        PyErr_Clear();
    raise_again(exc);
    return s;
}

static PyObject *key_segment(Encoder *e, PyObject *key)
{
    if (e->trail == NULL)
        return NULL;
    PyObject *exc = raised(), *s;
    if (PyUnicode_Check(key) && PyUnicode_IsIdentifier(key))
        s = PyUnicode_FromFormat(".%U", key);
    else
        s = PyUnicode_FromFormat("[%R]", key);
    if (s == NULL)
        PyErr_Clear();
    raise_again(exc);
    return s;
}

static int write_string(Encoder *e, PyObject *v)
{
    if (string_write(e->out, v) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return -1;
        PyErr_Clear();
        return refuse(e, v, "the text holds a lone surrogate");
    }
    return 0;
}

static int write_float(Encoder *e, PyObject *v)
{
    double d = PyFloat_AS_DOUBLE(v);
    if (!isfinite(d))
        return refuse(e, v, "NaN and infinities are not JSON");
    return number_write_float(e->out, d);
}

static int write_long(Encoder *e, PyObject *v)
{
    if (number_write_long(e->out, v) == 0)
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return -1;
    PyErr_Clear();
    return refuse(e, v, "the integer has too many digits");
}

static int write_key(Encoder *e, PyObject *key)
{
    if (PyUnicode_Check(key))
        return write_string(e, key);
    if (key == Py_True)
        return out_put(e->out, "\"true\"", 6);
    if (key == Py_False)
        return out_put(e->out, "\"false\"", 7);
    if (key == Py_None)
        return out_put(e->out, "\"null\"", 6);
    if (!PyLong_Check(key) && !PyFloat_Check(key))
        return refuse(e, key, "a key is not str, int, float, bool or None");
    if (out_byte(e->out, '"') < 0 || (PyLong_Check(key) ? write_long(e, key) : write_float(e, key)) < 0)
        return -1;
    return out_byte(e->out, '"');
}

static int write_pair(Encoder *e, PyObject *key, PyObject *value, bool first)
{
    if (!first && out_byte(e->out, ',') < 0)
        return -1;
    if (write_key(e, key) < 0)
        return climb(e, key_segment(e, key));
    if (out_byte(e->out, ':') < 0)
        return -1;
    return encode(e, value) < 0 ? climb(e, key_segment(e, key)) : 0;
}

static int write_pairs(Encoder *e, PyObject *v)
{
    Py_ssize_t pos = 0, n = PyDict_GET_SIZE(v);
    PyObject *key, *value;
    for (bool first = true; PyDict_Next(v, &pos, &key, &value); first = false) {
        /* The fallback is Python code: it may change the dict, so hold what is being written. */
        Py_INCREF(key);
        Py_INCREF(value);
        int r = write_pair(e, key, value, first);
        Py_DECREF(key);
        Py_DECREF(value);
        if (r < 0)
            return -1;
        if (PyDict_GET_SIZE(v) != n) {
            PyErr_SetString(PyExc_RuntimeError, "dictionary changed size during iteration");
            return -1;
        }
    }
    return 0;
}

/* A subclass says itself what it holds and in which order, as OrderedDict does. */
static int write_mapping(Encoder *e, PyObject *v)
{
    PyObject *items = PyMapping_Items(v);
    if (items == NULL)
        return -1;
    int r = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items) && r == 0; i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)
            r = write_pair(e, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), i == 0);
        else
            r = refuse(e, v, "its items() are not pairs");
    }
    Py_DECREF(items);
    return r;
}

static int write_dict(Encoder *e, PyObject *v)
{
    if (out_byte(e->out, '{') < 0)
        return -1;
    int r;
    if (!PyDict_CheckExact(v))
        r = write_mapping(e, v);
    else {
        Py_BEGIN_CRITICAL_SECTION(v);
        r = write_pairs(e, v);
        Py_END_CRITICAL_SECTION();
    }
    return r < 0 ? -1 : out_byte(e->out, '}');
}

static int write_items(Encoder *e, PyObject *v)
{
    bool list = PyList_Check(v);
    if (out_byte(e->out, '[') < 0)
        return -1;
    for (Py_ssize_t i = 0; i < (list ? PyList_GET_SIZE(v) : PyTuple_GET_SIZE(v)); i++) {
#ifdef Py_GIL_DISABLED
        PyObject *item = list ? PyList_GetItemRef(v, i) : Py_NewRef(PyTuple_GET_ITEM(v, i));
        if (item == NULL) {
            PyErr_Clear(); /* another thread has shortened the list */
            break;
        }
#else
        PyObject *item = Py_NewRef(list ? PyList_GET_ITEM(v, i) : PyTuple_GET_ITEM(v, i));
#endif
        int r = i == 0 ? 0 : out_byte(e->out, ',');
        if (r == 0 && (r = encode(e, item)) < 0)
            climb(e, index_segment(e, i));
        Py_DECREF(item);
        if (r < 0)
            return -1;
    }
    return out_byte(e->out, ']');
}

static int write_other(Encoder *e, PyObject *v)
{
    if (e->fallback == NULL)
        return refuse(e, v, "the type is not one that JSON knows");
    PyObject *args[3] = {NULL, e->call == NULL ? NULL : call_request(e->call), v}, *known = NULL;
    if (e->call == NULL)
        known = PyObject_CallOneArg(e->fallback, v);
    else if (args[1] != NULL)
        known = PyObject_Vectorcall(e->fallback, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    /* The fallback is Python code: it may write to other exchanges. To go on would be to write over their frames. */
    if (e->ring != NULL && e->out->heap == NULL && (e->ring->answer_tail != e->tail || e->ring->first != NULL)) {
        e->lost = true;
        Py_XDECREF(known);
        PyErr_Clear();
        return -1;
    }
    if (known == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(e->st->encode_error))
            return -1;
        PyErr_Clear();
        return refuse(e, v, "the type is not one that JSON knows");
    }
    int r = encode(e, known);
    Py_DECREF(known);
    return r;
}

static int encode(Encoder *e, PyObject *v)
{
    /* Exact types first: they are nearly all. Then what json.dumps does with their subclasses. */
    if (PyUnicode_CheckExact(v))
        return write_string(e, v);
    if (PyLong_CheckExact(v))
        return write_long(e, v);
    if (v == Py_None)
        return out_put(e->out, "null", 4);
    if (v == Py_True)
        return out_put(e->out, "true", 4);
    if (v == Py_False)
        return out_put(e->out, "false", 5);
    if (PyFloat_Check(v))
        return write_float(e, v);
    if (PyUnicode_Check(v))
        return write_string(e, v);
    if (PyLong_Check(v))
        return write_long(e, v);
    if (e->depth >= MAX_DEPTH)
        return refuse(e, v, "the value is nested too deeply, or holds itself");
    e->depth++;
    int r = PyDict_Check(v) ? write_dict(e, v) : PyList_Check(v) || PyTuple_Check(v) ? write_items(e, v) : write_other(e, v);
    e->depth--;
    return r;
}

/* Gives EncodeError its attributes and its sentence. */
static void explain(Encoder *e)
{
    PyObject *exc = raised(), *path = NULL, *text = NULL;
    if (PyList_Reverse(e->trail) == 0) {
        PyObject *root = PyUnicode_FromString("$"), *joined = NULL, *empty = PyUnicode_FromString("");
        if (root != NULL && empty != NULL && (joined = PyUnicode_Join(empty, e->trail)) != NULL)
            path = PyUnicode_Concat(root, joined);
        Py_XDECREF(root);
        Py_XDECREF(joined);
        Py_XDECREF(empty);
    }
    if (path != NULL)
        text = PyUnicode_FromFormat("cannot write %U at %U as JSON: %S", e->type_name, path, exc);
    PyObject *out = text == NULL ? NULL : PyObject_CallOneArg(e->st->encode_error, text);
    if (out != NULL && PyObject_SetAttr(out, e->st->names.path, path) == 0 &&
        PyObject_SetAttr(out, e->st->names.type_name, e->type_name) == 0)
        PyErr_SetObject(e->st->encode_error, out);
    Py_XDECREF(out);
    Py_XDECREF(text);
    Py_XDECREF(path);
    Py_DECREF(exc);
}

int json_encode(State *st, Out *out, PyObject *value, PyObject *fallback, Call *call, Link *ring)
{
    Encoder e = {.st = st, .out = out, .fallback = fallback == Py_None ? NULL : fallback, .call = call, .ring = ring};
    if (ring != NULL)
        e.tail = ring->answer_tail;
    int r = encode(&e, value);
    if (e.lost)
        r = 1;
    if (r < 0 && e.trail != NULL && PyErr_ExceptionMatches(st->encode_error))
        explain(&e);
    Py_XDECREF(e.trail);
    Py_XDECREF(e.type_name);
    return r;
}

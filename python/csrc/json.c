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

static uint8_t *encode(Encoder *e, uint8_t *p, PyObject *v);

/* Turns the error at v into the one that will become EncodeError. */
static uint8_t *refuse(Encoder *e, PyObject *v, const char *why)
{
    Py_XSETREF(e->type_name, PyUnicode_FromString(Py_TYPE(v)->tp_name));
    if (e->type_name == NULL)
        return NULL;
    Py_XSETREF(e->trail, PyList_New(0));
    if (e->trail == NULL)
        return NULL;
    PyErr_SetString(e->st->encode_error, why);
    return NULL;
}

/* Adds a segment while a refusal climbs back; steals it. */
static uint8_t *climb(Encoder *e, PyObject *segment)
{
    if (e->trail != NULL && segment != NULL) {
        PyObject *exc = raised();
        if (PyList_Append(e->trail, segment) < 0)
            PyErr_Clear();
        raise_again(exc);
    }
    Py_XDECREF(segment);
    return NULL;
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

static uint8_t *string_refused(Encoder *e, PyObject *v)
{
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return NULL;
    PyErr_Clear();
    return refuse(e, v, "the text holds a lone surrogate");
}

static inline uint8_t *write_string(Encoder *e, uint8_t *p, PyObject *v)
{
    p = string_write(e->out, p, v);
    return __builtin_expect(p != NULL, 1) ? p : string_refused(e, v);
}

static inline uint8_t *write_float(Encoder *e, uint8_t *p, PyObject *v)
{
    double d = PyFloat_AS_DOUBLE(v);
    if (!isfinite(d))
        return refuse(e, v, "NaN and infinities are not JSON");
    p = out_room(e->out, p, FLOAT_ROOM + OUT_SLACK);
    return p == NULL ? NULL : float_write(p, d);
}

static uint8_t *long_refused(Encoder *e, PyObject *v)
{
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return NULL;
    PyErr_Clear();
    return refuse(e, v, "the integer has too many digits");
}

static inline uint8_t *write_long(Encoder *e, uint8_t *p, PyObject *v)
{
    p = long_write(e->out, p, v);
    return __builtin_expect(p != NULL, 1) ? p : long_refused(e, v);
}

static uint8_t *put_text(Encoder *e, uint8_t *p, const char *text, size_t n)
{
    p = out_room(e->out, p, n + OUT_SLACK);
    if (p == NULL)
        return NULL;
    memcpy(p, text, n);
    return p + n;
}

/* The values that have nothing inside. Whether v is one, is asked before: *p is then the place after it, or NULL. Exact
 * types, which nearly all values are of: none of this runs Python code, so nobody needs to hold v. */
static inline bool write_leaf(Encoder *e, uint8_t **p, PyObject *v)
{
    PyTypeObject *type = Py_TYPE(v);
    if (type == &PyUnicode_Type)
        *p = write_string(e, *p, v);
    else if (type == &PyLong_Type)
        *p = write_long(e, *p, v);
    else if (type == &PyFloat_Type)
        *p = write_float(e, *p, v);
    else if (v == Py_None || v == Py_True) {
        uint8_t *o = *p = out_room(e->out, *p, 8 + OUT_SLACK);
        if (o != NULL) {
            memcpy(o, v == Py_None ? "null" : "true", 4);
            *p = o + 4;
        }
    }
    else if (v == Py_False) {
        uint8_t *o = *p = out_room(e->out, *p, 8 + OUT_SLACK);
        if (o != NULL) {
            memcpy(o, "false", 5);
            *p = o + 5;
        }
    }
    else
        return false;
    return true;
}

static uint8_t *write_odd_key(Encoder *e, uint8_t *p, PyObject *key)
{
    if (PyUnicode_Check(key))
        return write_string(e, p, key);
    if (key == Py_True)
        return put_text(e, p, "\"true\"", 6);
    if (key == Py_False)
        return put_text(e, p, "\"false\"", 7);
    if (key == Py_None)
        return put_text(e, p, "\"null\"", 6);
    if (!PyLong_Check(key) && !PyFloat_Check(key))
        return refuse(e, key, "a key is not str, int, float, bool or None");
    *p++ = '"'; /* in the slack */
    p = PyLong_Check(key) ? write_long(e, p, key) : write_float(e, p, key);
    if (p == NULL)
        return NULL;
    *p++ = '"';
    return out_room(e->out, p, OUT_SLACK);
}

static uint8_t *write_new_key(Encoder *e, uint8_t *p, PyObject *key)
{
    size_t before = (size_t)PyUnicode_GET_LENGTH(key);
    p = write_string(e, p, key);
    if (p == NULL)
        return NULL;
    *p++ = ':';
    /* Where nothing had to be escaped, it begins that far back, and is what it was. */
    if (PyUnicode_IS_ASCII(key) && before + 3 <= KEY_ROOM && p[-(ptrdiff_t)before - 3] == '"' &&
        memcmp(p - before - 2, PyUnicode_1BYTE_DATA(key), before) == 0)
        key_keep(&e->st->keys, key, p - before - 3, before + 3);
    return p;
}

/* A key and its colon. */
static inline uint8_t *write_key(Encoder *e, uint8_t *p, PyObject *key)
{
    const Key *known = key_find(&e->st->keys, key);
    if (known != NULL) {
        p = out_room(e->out, p, KEY_ROOM + OUT_SLACK);
        if (p == NULL)
            return NULL;
        memcpy(p, known->text, KEY_ROOM);
        return p + known->length;
    }
    if (!PyUnicode_CheckExact(key))
        p = write_odd_key(e, p, key);
    else if (PyUnicode_CHECK_INTERNED(key))
        return write_new_key(e, p, key);
    else
        p = write_string(e, p, key);
    if (p != NULL)
        *p++ = ':';
    return p;
}

/* The slack that p has is enough for the marks here: see OUT_SLACK. */
static inline uint8_t *write_pair(Encoder *e, uint8_t *p, PyObject *key, PyObject *value)
{
    p = write_key(e, p, key);
    if (p == NULL)
        return climb(e, key_segment(e, key));
    if (write_leaf(e, &p, value)) {
        if (p == NULL)
            return climb(e, key_segment(e, key));
    }
    else {
        /* Python code may run that changes the container: hold what is being written. */
        Py_INCREF(key);
        Py_INCREF(value);
        p = encode(e, p, value);
        if (p == NULL)
            climb(e, key_segment(e, key));
        Py_DECREF(value);
        Py_DECREF(key);
        if (p == NULL)
            return NULL;
    }
    *p++ = ',';
    return p;
}

/* Puts the bracket in the place of the last comma. */
static inline uint8_t *close_with(Encoder *e, uint8_t *p, uint8_t bracket)
{
    if (p[-1] == ',')
        p--;
    *p++ = bracket;
    return out_room(e->out, p, OUT_SLACK);
}

static uint8_t *write_pairs(Encoder *e, uint8_t *p, PyObject *v)
{
    Py_ssize_t pos = 0, n = PyDict_GET_SIZE(v);
    PyObject *key, *value;
    while (PyDict_Next(v, &pos, &key, &value)) {
        p = write_pair(e, p, key, value);
        if (p == NULL)
            return NULL;
        if (PyDict_GET_SIZE(v) != n) {
            PyErr_SetString(PyExc_RuntimeError, "dictionary changed size during iteration");
            return NULL;
        }
    }
    return p;
}

/* A subclass says itself what it holds and in which order, as OrderedDict does. */
static uint8_t *write_mapping(Encoder *e, uint8_t *p, PyObject *v)
{
    PyObject *items = PyMapping_Items(v);
    if (items == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items) && p != NULL; i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)
            p = write_pair(e, p, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
        else
            p = refuse(e, v, "its items() are not pairs");
    }
    Py_DECREF(items);
    return p;
}

static uint8_t *write_dict(Encoder *e, uint8_t *p, PyObject *v)
{
    p = out_room(e->out, p, 2 + OUT_SLACK);
    if (p == NULL)
        return NULL;
    *p++ = '{';
    if (!PyDict_CheckExact(v))
        p = write_mapping(e, p, v);
    else {
        Py_BEGIN_CRITICAL_SECTION(v);
        p = write_pairs(e, p, v);
        Py_END_CRITICAL_SECTION();
    }
    return p == NULL ? NULL : close_with(e, p, '}');
}

static inline uint8_t *write_item(Encoder *e, uint8_t *p, PyObject *item, Py_ssize_t i)
{
    if (write_leaf(e, &p, item)) {
        if (p == NULL)
            return climb(e, index_segment(e, i));
    }
    else {
        Py_INCREF(item);
        p = encode(e, p, item);
        Py_DECREF(item);
        if (p == NULL)
            return climb(e, index_segment(e, i));
    }
    *p++ = ',';
    return p;
}

static uint8_t *write_items(Encoder *e, uint8_t *p, PyObject *v)
{
    bool list = PyList_Check(v);
    p = out_room(e->out, p, 2 + OUT_SLACK);
    if (p == NULL)
        return NULL;
    *p++ = '[';
    for (Py_ssize_t i = 0; i < (list ? PyList_GET_SIZE(v) : PyTuple_GET_SIZE(v)); i++) {
#ifdef Py_GIL_DISABLED
        PyObject *item = list ? PyList_GetItemRef(v, i) : Py_NewRef(PyTuple_GET_ITEM(v, i));
        if (item == NULL) {
            PyErr_Clear(); /* another thread has shortened the list */
            break;
        }
        p = write_item(e, p, item, i);
        Py_DECREF(item);
#else
        p = write_item(e, p, list ? PyList_GET_ITEM(v, i) : PyTuple_GET_ITEM(v, i), i);
#endif
        if (p == NULL)
            return NULL;
    }
    return close_with(e, p, ']');
}

/* Whether Python code that has just run wrote to other exchanges: their frames are where our text is. */
static inline bool overtaken(Encoder *e)
{
    if (e->ring == NULL || e->out->heap != NULL || (e->ring->answer_tail == e->tail && e->ring->first == NULL))
        return false;
    e->lost = true;
    PyErr_Clear();
    return true;
}

static uint8_t *write_unknown(Encoder *e, uint8_t *p, PyObject *v)
{
    if (e->fallback == NULL)
        return refuse(e, v, "the type is not one that JSON knows");
    PyObject *args[3] = {NULL, e->call == NULL ? NULL : call_request(e->call), v}, *known = NULL;
    if (e->call == NULL)
        known = PyObject_CallOneArg(e->fallback, v);
    else if (args[1] != NULL)
        known = PyObject_Vectorcall(e->fallback, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (overtaken(e)) {
        Py_XDECREF(known);
        PyErr_Clear();
        return NULL;
    }
    if (known == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(e->st->encode_error))
            return NULL;
        PyErr_Clear();
        return refuse(e, v, "the type is not one that JSON knows");
    }
    p = encode(e, p, known);
    Py_DECREF(known);
    return p;
}

static PyObject *member_segment(Encoder *e, const Member *m)
{
    if (e->trail == NULL)
        return NULL;
    PyObject *exc = raised(), *name = NULL, *segment = NULL;
    const char *key = PyBytes_AS_STRING(m->key) + 1; /* as it is written: a name with escapes is shown with them */
    name = PyUnicode_DecodeUTF8(key, PyBytes_GET_SIZE(m->key) - 3, "replace");
    PyErr_Clear();
    raise_again(exc);
    if (name != NULL)
        segment = key_segment(e, name);
    Py_XDECREF(name);
    return segment;
}

/* A new reference; NULL: left out, or with an exception. */
static PyObject *read_member(Encoder *e, const Member *m, PyObject *v)
{
    PyObject *value;
    if (m->offset > 0)
        value = Py_XNewRef(*(PyObject **)(void *)((char *)v + m->offset));
    else {
        value = PyObject_GetAttr(v, m->name);
        if (overtaken(e))
            Py_CLEAR(value);
        else if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_Clear();
    }
    if (value == e->st->shapes.unset)
        Py_CLEAR(value);
    return value;
}

static uint8_t *write_members(Encoder *e, uint8_t *p, const Shape *shape, PyObject *v)
{
    size_t n = (size_t)PyBytes_GET_SIZE(shape->head);
    p = out_room(e->out, p, n + 2 + OUT_SLACK);
    if (p == NULL)
        return NULL;
    *p++ = '{';
    memcpy(p, PyBytes_AS_STRING(shape->head), n);
    p += n;
    for (Py_ssize_t i = 0; i < shape->count; i++) {
        const Member *m = &shape->members[i];
        PyObject *value = read_member(e, m, v);
        if (value == NULL) {
            if (e->lost || PyErr_Occurred())
                return NULL;
            continue;
        }
        n = (size_t)PyBytes_GET_SIZE(m->key);
        p = out_room(e->out, p, n + OUT_SLACK);
        if (p != NULL) {
            memcpy(p, PyBytes_AS_STRING(m->key), n);
            p += n;
            if (!write_leaf(e, &p, value))
                p = encode(e, p, value);
            if (p == NULL)
                climb(e, member_segment(e, m));
        }
        Py_DECREF(value);
        if (p == NULL)
            return NULL;
        *p++ = ',';
    }
    return close_with(e, p, '}');
}

static uint8_t *write_enum(Encoder *e, uint8_t *p, PyObject *v)
{
    PyObject *value = PyObject_GetAttr(v, e->st->names._value_);
    if (overtaken(e) || value == NULL) {
        Py_XDECREF(value);
        return NULL;
    }
    p = encode(e, p, value);
    Py_DECREF(value);
    return p;
}

/* Struct, dataclass, datetime ...: what no Python code is needed for once their class is known. */
static uint8_t *write_rich(Encoder *e, uint8_t *p, PyObject *v)
{
    Shape *shape = shape_of(&e->st->shapes, Py_TYPE(v));
    if (shape == NULL || overtaken(e)) {
        shape_unref(shape);
        return NULL;
    }
    uint8_t *end = NULL;
    switch (shape->kind) {
    case SHAPE_OBJECT:
        end = write_members(e, p, shape, v);
        break;
    case SHAPE_ENUM:
        end = write_enum(e, p, v);
        break;
    case SHAPE_NONE:
        end = write_unknown(e, p, v);
        break;
    default:
        p = out_room(e->out, p, TIME_ROOM + OUT_SLACK);
        if (p == NULL)
            break;
        end = shape->kind == SHAPE_UUID ? uuid_write(p, shape, v) : time_write(p, shape->kind, v);
        if (overtaken(e))
            end = NULL;
        else if (end == NULL && !PyErr_Occurred())
            end = write_unknown(e, p, v);
    }
    shape_unref(shape);
    return end;
}

int json_knows(State *st, PyTypeObject *type)
{
    Shape *shape = shape_of(&st->shapes, type);
    int r = shape == NULL ? -1 : shape->kind == SHAPE_OBJECT;
    shape_unref(shape);
    return r;
}

static uint8_t *encode(Encoder *e, uint8_t *p, PyObject *v)
{
    if (write_leaf(e, &p, v))
        return p;
    /* Then what json.dumps does with the subclasses of these types. */
    bool dict = PyDict_CheckExact(v), list = PyList_CheckExact(v);
    if (!dict && !list) {
        if (PyFloat_Check(v))
            return write_float(e, p, v);
        if (PyUnicode_Check(v))
            return write_string(e, p, v);
        if (PyLong_Check(v))
            return write_long(e, p, v);
        dict = PyDict_Check(v);
        list = PyList_Check(v) || PyTuple_Check(v);
    }
    if (e->depth >= MAX_DEPTH)
        return refuse(e, v, "the value is nested too deeply, or holds itself");
    e->depth++;
    p = dict ? write_dict(e, p, v) : list ? write_items(e, p, v) : write_rich(e, p, v);
    e->depth--;
    return p;
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
    uint8_t *p = out->p = out_room(out, out->p, OUT_SLACK);
    if (p != NULL)
        p = encode(&e, p, value);
    int r = e.lost ? 1 : p == NULL ? -1 : 0;
    if (r == 0)
        out->p = p;
    if (r < 0 && e.trail != NULL && PyErr_ExceptionMatches(st->encode_error))
        explain(&e);
    Py_XDECREF(e.trail);
    Py_XDECREF(e.type_name);
    return r;
}

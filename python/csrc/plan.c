/* Reads RoutePlans (python/src/covet/_plan.py) once, and makes a handler's arguments by them. */
#include "bridge.h"

static const char *const place_names[SOURCE_COUNT] = {"path", "query", "header", "cookie", "request", "prepared"};
static const char *const convert_reasons[CONVERT_COUNT] = {"is refused", "must be an integer", "must be a number", "must be a boolean", "is refused"};

static int small_int(PyObject *o, PyObject *name, long max, long *v)
{
    PyObject *x = PyObject_GetAttr(o, name);
    if (x == NULL)
        return -1;
    *v = PyLong_AsLong(x);
    Py_DECREF(x);
    if (*v == -1 && PyErr_Occurred())
        return -1;
    if (*v < 0 || *v > max) {
        PyErr_Format(PyExc_ValueError, "%U of a plan is out of range: %ld", name, *v);
        return -1;
    }
    return 0;
}

static int read_param(State *st, Param *p, PyObject *o, PyObject *missing)
{
    long source, convert, index;
    if (small_int(o, st->names.source, SOURCE_COUNT - 1, &source) < 0 ||
        small_int(o, st->names.convert, CONVERT_COUNT - 1, &convert) < 0 || small_int(o, st->names.index, UINT16_MAX, &index) < 0)
        return -1;
    p->source = (uint8_t)source;
    p->convert = (uint8_t)convert;
    p->index = (uint32_t)index;
    PyObject *multiple = PyObject_GetAttr(o, st->names.multiple);
    if (multiple == NULL)
        return -1;
    p->multiple = PyObject_IsTrue(multiple) == 1;
    Py_DECREF(multiple);
    if ((p->key = PyObject_GetAttr(o, st->names.key)) == NULL || (p->call = PyObject_GetAttr(o, st->names.call)) == NULL ||
        (p->kind = PyObject_GetAttr(o, st->names.kind)) == NULL || (p->reason = PyObject_GetAttr(o, st->names.reason)) == NULL ||
        (p->fallback = PyObject_GetAttr(o, st->str_default)) == NULL)
        return -1;
    if (!PyUnicode_Check(p->key) || !PyUnicode_Check(p->kind) || !PyUnicode_Check(p->reason)) {
        PyErr_SetString(PyExc_TypeError, "key, kind and reason of a plan are str");
        return -1;
    }
    if (p->convert == CONVERT_CALL && !PyCallable_Check(p->call)) {
        PyErr_SetString(PyExc_TypeError, "a plan with Convert.CALL needs call");
        return -1;
    }
    if (p->fallback == missing)
        Py_CLEAR(p->fallback);
    if ((p->key_text = PyUnicode_AsUTF8AndSize(p->key, &p->key_len)) == NULL)
        return -1;
    p->hot = p->source == SOURCE_HEADER ? frame_hot_index(p->key_text, (size_t)p->key_len) : -1;
    if (PyUnicode_GET_LENGTH(p->reason) == 0)
        Py_XSETREF(p->reason, PyUnicode_FromString(convert_reasons[p->convert]));
    /* A path parameter is named as the handler names it; the others as the client does. */
    PyObject *name = p->source == SOURCE_PATH && p->key_len == 0 ? PyObject_GetAttr(o, st->names.name) : Py_NewRef(p->key);
    if (name != NULL)
        p->place = PyUnicode_FromFormat("%s.%U", place_names[p->source], name);
    Py_XDECREF(name);
    return p->place == NULL || p->reason == NULL ? -1 : 0;
}

int plan_read(State *st, Plan *plan, PyObject *route, PyObject *missing)
{
    long mode, status;
    memset(plan, 0, sizeof *plan);
    plan->route = Py_NewRef(route);
    if (small_int(route, st->names.mode, MODE_COUNT - 1, &mode) < 0 || small_int(route, st->names.status, 999, &status) < 0)
        return -1;
    if (status < 200) {
        PyErr_Format(PyExc_ValueError, "status of a plan is out of range: %ld", status);
        return -1;
    }
    plan->mode = (uint8_t)mode;
    plan->status = (uint16_t)status;
    if ((plan->handler = PyObject_GetAttr(route, st->names.handler)) == NULL ||
        (plan->prepare = PyObject_GetAttr(route, st->names.prepare)) == NULL)
        return -1;
    if (plan->prepare == Py_None)
        Py_CLEAR(plan->prepare);
    PyObject *params = PyObject_GetAttr(route, st->names.params), *fast;
    if (params == NULL)
        return -1;
    fast = PySequence_Fast(params, "params of a plan are a tuple");
    Py_DECREF(params);
    if (fast == NULL)
        return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(fast);
    plan->names = PyTuple_New(n);
    plan->params = PyMem_Calloc((size_t)n + 1, sizeof *plan->params);
    if (plan->names == NULL || plan->params == NULL) {
        Py_DECREF(fast);
        PyErr_NoMemory();
        return -1;
    }
    int r = 0;
    for (Py_ssize_t i = 0; i < n && r == 0; i++) {
        PyObject *o = PySequence_Fast_GET_ITEM(fast, i), *name = PyObject_GetAttr(o, st->names.name);
        plan->count = i + 1;
        if (name == NULL || !PyUnicode_Check(name)) {
            Py_XDECREF(name);
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "name of a plan is str");
            r = -1;
            break;
        }
        PyUnicode_InternInPlace(&name);
        PyTuple_SET_ITEM(plan->names, i, name);
        r = read_param(st, &plan->params[i], o, missing);
        plan->has_query |= plan->params[i].source == SOURCE_QUERY;
        plan->has_prepared |= plan->params[i].source == SOURCE_PREPARED;
    }
    Py_DECREF(fast);
    if (r == 0 && plan->has_prepared && plan->prepare == NULL) {
        PyErr_SetString(PyExc_ValueError, "a plan with prepared parameters needs prepare");
        r = -1;
    }
    return r;
}

void plan_clear(Plan *plan)
{
    for (Py_ssize_t i = 0; i < plan->count; i++) {
        Param *p = &plan->params[i];
        Py_CLEAR(p->key);
        Py_CLEAR(p->call);
        Py_CLEAR(p->fallback);
        Py_CLEAR(p->place);
        Py_CLEAR(p->reason);
        Py_CLEAR(p->kind);
    }
    PyMem_Free(plan->params);
    plan->params = NULL;
    plan->count = 0;
    Py_CLEAR(plan->route);
    Py_CLEAR(plan->handler);
    Py_CLEAR(plan->names);
    Py_CLEAR(plan->prepare);
}

static int refuse(PyObject **errors, const Param *p, PyObject *reason)
{
    if (*errors == NULL && (*errors = PyList_New(0)) == NULL)
        return -1;
    PyObject *error = PyTuple_Pack(3, p->place, reason, p->kind);
    int r = error == NULL ? -1 : PyList_Append(*errors, error);
    Py_XDECREF(error);
    return r;
}

/* 0 with *value, or with NULL there when the text is refused and *errors has it; -1 with an exception. */
static int convert_text(const Param *p, PyObject *text, PyObject **value, PyObject **errors)
{
    Py_ssize_t n = 0;
    const char *s = NULL;
    *value = NULL;
    if (p->convert == CONVERT_INT || p->convert == CONVERT_FLOAT || p->convert == CONVERT_BOOL) {
        /* Texts that are not valid UTF-8 hold replacement characters, so this only fails for memory. */
        if ((s = PyUnicode_AsUTF8AndSize(text, &n)) == NULL)
            return -1;
    }
    switch (p->convert) {
    case CONVERT_STR:
        *value = Py_NewRef(text);
        return 0;
    case CONVERT_INT:
        *value = text_to_int(s, (size_t)n);
        break;
    case CONVERT_FLOAT:
        *value = text_to_float(s, (size_t)n);
        break;
    case CONVERT_BOOL:
        *value = text_to_bool(s, (size_t)n);
        break;
    default:
        *value = PyObject_CallOneArg(p->call, text);
        if (*value == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_ValueError))
                return -1;
            PyErr_Clear();
        }
    }
    if (*value == NULL)
        return PyErr_Occurred() ? -1 : refuse(errors, p, p->reason);
    return 0;
}

/* Plain bytes that need no decoding skip the str object on their way to a number. */
static int convert_bytes(const Param *p, Bytes b, bool query, bool escaped, PyObject **value, PyObject **errors)
{
    if (p->convert == CONVERT_INT && memchr(b.p, '%', b.n) == NULL && memchr(b.p, '+', b.n) == NULL) {
        *value = text_to_int((const char *)b.p, b.n);
        if (*value != NULL)
            return 0;
        return PyErr_Occurred() ? -1 : refuse(errors, p, p->reason);
    }
    PyObject *text = query ? text_decode_query(b.p, b.n) : text_decode_path(b.p, b.n, escaped);
    if (text == NULL)
        return -1;
    int r = convert_text(p, text, value, errors);
    Py_DECREF(text);
    return r;
}

static int absent(const Param *p, PyObject **value, PyObject **errors)
{
    if (p->fallback != NULL) {
        *value = Py_NewRef(p->fallback);
        return 0;
    }
    PyObject *reason = PyUnicode_FromString("is required");
    int r = reason == NULL ? -1 : refuse(errors, p, reason);
    Py_XDECREF(reason);
    return r;
}

static int from_query(const Param *p, Bytes query, PyObject **value, PyObject **errors)
{
    const uint8_t *at = query.p, *end = query.p + query.n, *name, *text;
    size_t name_len, text_len;
    bool found = false;
    Bytes last = {NULL, 0};
    PyObject *all = NULL;
    if (p->multiple && (all = PyList_New(0)) == NULL)
        return -1;
    while (text_query_next(&at, end, &name, &name_len, &text, &text_len)) {
        if (!text_query_name_is(name, name_len, p->key_text, (size_t)p->key_len))
            continue;
        found = true;
        last = (Bytes){text, (uint32_t)text_len};
        if (all != NULL) {
            PyObject *one;
            int r = convert_bytes(p, last, true, false, &one, errors);
            if (r == 0 && one != NULL) {
                r = PyList_Append(all, one);
                Py_DECREF(one);
            }
            if (r < 0) {
                Py_DECREF(all);
                return -1;
            }
        }
    }
    if (!found) {
        Py_XDECREF(all);
        return absent(p, value, errors);
    }
    if (all != NULL) {
        *value = all;
        return 0;
    }
    return convert_bytes(p, last, true, false, value, errors);
}

/* The first cookie of that name, over all fields: HTTP/2 may split the field (RFC 9113 section 8.2.3). */
static bool find_cookie(const uint8_t *f, const Param *p, Bytes *value)
{
    uint16_t first = get16(f + COVET_REQUEST_HOT + 2 * COVET_HOT_COOKIE);
    if (first == COVET_NO_FIELD)
        return false;
    uint32_t count = get16(f + COVET_REQUEST_FIELD_COUNT);
    for (uint32_t i = first; i < count; i++) {
        Bytes n = frame_field(f, i, false), v = frame_field(f, i, true);
        if (i != first && (n.n != 6 || PyOS_mystrnicmp((const char *)n.p, "cookie", 6) != 0))
            continue;
        const uint8_t *at = v.p, *end = v.p + v.n, *name, *text;
        size_t name_len, text_len;
        while (text_cookie_next(&at, end, &name, &name_len, &text, &text_len))
            if (name_len == (size_t)p->key_len && memcmp(name, p->key_text, name_len) == 0) {
                *value = (Bytes){text, (uint32_t)text_len};
                return true;
            }
    }
    return false;
}

static int from_text_field(const Param *p, Bytes b, PyObject **value, PyObject **errors)
{
    PyObject *text = PyUnicode_DecodeLatin1((const char *)b.p, (Py_ssize_t)b.n, NULL);
    if (text == NULL)
        return -1;
    int r = convert_text(p, text, value, errors);
    Py_DECREF(text);
    return r;
}

int plan_arguments(Call *c, const Plan *plan, PyObject **args, PyObject **errors)
{
    const uint8_t *f = c->frame;
    *errors = NULL;
    for (Py_ssize_t i = 0; i < plan->count; i++) {
        const Param *p = &plan->params[i];
        Bytes b;
        int r = 0;
        switch (p->source) {
        case SOURCE_PATH:
            if (p->index >= get16(f + COVET_REQUEST_PARAM_COUNT)) {
                r = absent(p, &args[i], errors);
                break;
            }
            b = frame_span(f, get32(f + COVET_REQUEST_PARAMS) + p->index * COVET_PARAM_ENTRY);
            r = convert_bytes(p, b, false, f[COVET_FLAGS] & COVET_FLAG_PATH_ESCAPED, &args[i], errors);
            break;
        case SOURCE_QUERY:
            r = from_query(p, frame_span(f, COVET_REQUEST_QUERY), &args[i], errors);
            break;
        case SOURCE_HEADER:
            if (frame_find_field(f, p->key_text, (size_t)p->key_len, p->hot, &b))
                r = from_text_field(p, b, &args[i], errors);
            else
                r = absent(p, &args[i], errors);
            break;
        case SOURCE_COOKIE:
            if (find_cookie(f, p, &b))
                r = from_text_field(p, b, &args[i], errors);
            else
                r = absent(p, &args[i], errors);
            break;
        case SOURCE_REQUEST:
            args[i] = Py_XNewRef(call_request(c));
            r = args[i] == NULL ? -1 : 0;
            break;
        default: /* PREPARED: filled when prepare has run */
            break;
        }
        if (r < 0) {
            Py_CLEAR(*errors);
            return -1;
        }
    }
    return *errors != NULL;
}

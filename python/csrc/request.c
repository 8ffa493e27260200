/* Request: reads the frame when asked. covet.Request derives from it. May be used on any thread: the frame does not
 * change, and it is the call's own copy as soon as the handler can hand the request on. */
#include "bridge.h"

#include <arpa/inet.h>

typedef struct {
    PyObject_HEAD
    Call *call;
} Request;

PyObject *call_request(Call *c)
{
    if (c->request == NULL && c->bridge != NULL) {
#ifdef Py_GIL_DISABLED
        if (call_own_frame(c) < 0)
            return NULL;
#endif
        PyTypeObject *type = (PyTypeObject *)c->bridge->request_type;
        Request *r = (Request *)type->tp_alloc(type, 0);
        if (r == NULL)
            return NULL;
        r->call = call_ref(c);
        c->request = (PyObject *)r;
    }
    if (c->request == NULL)
        PyErr_SetString(c->state->bridge_error, "the exchange is over");
    return c->request;
}

static void request_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (((Request *)self)->call != NULL)
        call_unref(((Request *)self)->call);
    type->tp_free(self);
    Py_DECREF(type);
}

static int request_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static const uint8_t *frame_of(PyObject *self) { return ((Request *)self)->call->frame; }

static PyObject *latin1(Bytes b) { return PyUnicode_DecodeLatin1((const char *)b.p, b.n, NULL); }
static PyObject *bytes(Bytes b) { return PyBytes_FromStringAndSize((const char *)b.p, b.n); }

static PyObject *get_method(PyObject *self, void *unused)
{
    const uint8_t *f = frame_of(self);
    uint8_t m = f[COVET_REQUEST_METHOD];
    if (m == COVET_METHOD_OTHER || m >= COVET_METHOD_COUNT)
        return latin1(frame_span(f, COVET_REQUEST_METHOD_NAME));
    return Py_NewRef(((Request *)self)->call->state->method_names[m]);
}

static PyObject *get_scheme(PyObject *self, void *unused)
{
    return PyUnicode_FromString(frame_of(self)[COVET_FLAGS] & COVET_FLAG_TLS ? "https" : "http");
}

static PyObject *get_http_version(PyObject *self, void *unused)
{
    uint8_t v = frame_of(self)[COVET_REQUEST_VERSION];
    return PyUnicode_FromString(v == COVET_HTTP2 ? "2" : v == COVET_HTTP10 ? "1.0" : "1.1");
}

static PyObject *get_path(PyObject *self, void *unused)
{
    const uint8_t *f = frame_of(self);
    Bytes b = frame_span(f, COVET_REQUEST_PATH);
    return text_decode_path(b.p, b.n, f[COVET_FLAGS] & COVET_FLAG_PATH_ESCAPED);
}

static PyObject *get_raw_path(PyObject *self, void *unused)
{
    Bytes b = frame_span(frame_of(self), COVET_REQUEST_TARGET);
    const uint8_t *q = memchr(b.p, '?', b.n);
    if (q != NULL)
        b.n = (uint32_t)(q - b.p);
    return bytes(b);
}

static PyObject *get_query_string(PyObject *self, void *unused) { return bytes(frame_span(frame_of(self), COVET_REQUEST_QUERY)); }
static PyObject *get_authority(PyObject *self, void *unused) { return latin1(frame_span(frame_of(self), COVET_REQUEST_AUTHORITY)); }

static PyObject *address(const uint8_t *f, const uint8_t *ip, uint16_t port)
{
    char text[INET6_ADDRSTRLEN];
    int family = f[COVET_REQUEST_FAMILY];
    if ((family != 4 && family != 6) || inet_ntop(family == 4 ? AF_INET : AF_INET6, ip, text, sizeof text) == NULL)
        Py_RETURN_NONE;
    return Py_BuildValue("(si)", text, (int)port);
}

static PyObject *get_client(PyObject *self, void *unused)
{
    const uint8_t *f = frame_of(self);
    return address(f, f + COVET_REQUEST_REMOTE_ADDR, get16(f + COVET_REQUEST_REMOTE_PORT));
}

static PyObject *get_server(PyObject *self, void *unused)
{
    const uint8_t *f = frame_of(self);
    return address(f, f + COVET_REQUEST_LOCAL_ADDR, get16(f + COVET_REQUEST_LOCAL_PORT));
}

static PyObject *get_request_id(PyObject *self, void *unused)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *id = frame_of(self) + COVET_REQUEST_ID;
    char text[32];
    for (int i = 0; i < 16; i++) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }
    return PyUnicode_FromStringAndSize(text, 32);
}

static PyObject *get_raw_headers(PyObject *self, void *unused)
{
    const uint8_t *f = frame_of(self);
    uint32_t count = get16(f + COVET_REQUEST_FIELD_COUNT);
    PyObject *list = PyList_New(count);
    for (uint32_t i = 0; list != NULL && i < count; i++) {
        PyObject *name = bytes(frame_field(f, i, false)), *value = bytes(frame_field(f, i, true)), *pair = NULL;
        if (name != NULL && value != NULL) {
            char *p = PyBytes_AS_STRING(name);
            for (Py_ssize_t k = 0; k < PyBytes_GET_SIZE(name) && PyBytes_GET_SIZE(name) > 1; k++)
                if (p[k] >= 'A' && p[k] <= 'Z')
                    p[k] |= 0x20;
            pair = PyTuple_Pack(2, name, value);
        }
        Py_XDECREF(name);
        Py_XDECREF(value);
        if (pair == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

static PyObject *get_raw_trailers(PyObject *self, void *unused)
{
    PyObject *list = ((Request *)self)->call->trailers;
    return list == NULL ? PyList_New(0) : PyList_GetSlice(list, 0, PyList_GET_SIZE(list));
}

static PyObject *get_raw_path_params(PyObject *self, void *unused)
{
    const uint8_t *f = frame_of(self);
    uint32_t count = get16(f + COVET_REQUEST_PARAM_COUNT), at = get32(f + COVET_REQUEST_PARAMS);
    PyObject *all = PyTuple_New(count);
    for (uint32_t i = 0; all != NULL && i < count; i++) {
        Bytes b = frame_span(f, at + i * COVET_PARAM_ENTRY);
        PyObject *text = text_decode_path(b.p, b.n, f[COVET_FLAGS] & COVET_FLAG_PATH_ESCAPED);
        if (text == NULL)
            Py_CLEAR(all);
        else
            PyTuple_SET_ITEM(all, i, text);
    }
    return all;
}

static PyObject *get_plan(PyObject *self, void *unused) { return Py_NewRef(((Request *)self)->call->route); }

static PyObject *get_content_length(PyObject *self, void *unused)
{
    int64_t n = (int64_t)get64(frame_of(self) + COVET_REQUEST_CONTENT_LENGTH);
    if (n < 0)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(n);
}

static PyObject *header(PyObject *self, PyObject *name)
{
    Py_ssize_t n;
    const char *text = PyUnicode_AsUTF8AndSize(name, &n);
    Bytes value;
    if (text == NULL)
        return NULL;
    if (!frame_find_field(frame_of(self), text, (size_t)n, frame_hot_index(text, (size_t)n), &value))
        Py_RETURN_NONE;
    return latin1(value);
}

static PyObject *query_values(PyObject *self, PyObject *name)
{
    Py_ssize_t n;
    const char *key = PyUnicode_AsUTF8AndSize(name, &n);
    PyObject *all = key == NULL ? NULL : PyList_New(0);
    if (all == NULL)
        return NULL;
    Bytes q = frame_span(frame_of(self), COVET_REQUEST_QUERY);
    const uint8_t *at = q.p, *end = q.p + q.n, *k, *v;
    size_t kn, vn;
    while (text_query_next(&at, end, &k, &kn, &v, &vn)) {
        if (!text_query_name_is(k, kn, key, (size_t)n))
            continue;
        PyObject *text = text_decode_query(v, vn);
        int r = text == NULL ? -1 : PyList_Append(all, text);
        Py_XDECREF(text);
        if (r < 0) {
            Py_DECREF(all);
            return NULL;
        }
    }
    return all;
}

static PyObject *body(PyObject *self, PyObject *unused) { return body_read(((Request *)self)->call); }
static PyObject *stream(PyObject *self, PyObject *unused) { return body_stream(((Request *)self)->call); }
static PyObject *is_disconnected(PyObject *self, PyObject *unused) { return PyBool_FromLong(((Request *)self)->call->gone); }

static PyObject *inform(PyObject *self, PyObject *args)
{
    Call *c = ((Request *)self)->call;
    int status;
    PyObject *headers;
    if (!PyArg_ParseTuple(args, "iO:inform", &status, &headers) || (c->bridge != NULL && bridge_check(c->bridge) < 0) ||
        answer_inform(c, status, headers) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyGetSetDef request_getset[] = {
    {"method", get_method, NULL, NULL, NULL},
    {"scheme", get_scheme, NULL, NULL, NULL},
    {"http_version", get_http_version, NULL, NULL, NULL},
    {"path", get_path, NULL, NULL, NULL},
    {"raw_path", get_raw_path, NULL, NULL, NULL},
    {"query_string", get_query_string, NULL, NULL, NULL},
    {"authority", get_authority, NULL, NULL, NULL},
    {"client", get_client, NULL, NULL, NULL},
    {"server", get_server, NULL, NULL, NULL},
    {"request_id", get_request_id, NULL, NULL, NULL},
    {"raw_headers", get_raw_headers, NULL, NULL, NULL},
    {"raw_trailers", get_raw_trailers, NULL, NULL, NULL},
    {"raw_path_params", get_raw_path_params, NULL, NULL, NULL},
    {"plan", get_plan, NULL, NULL, NULL},
    {"content_length", get_content_length, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef request_methods[] = {
    {"header", header, METH_O, NULL},
    {"query_values", query_values, METH_O, NULL},
    {"body", body, METH_NOARGS, NULL},
    {"stream", stream, METH_NOARGS, NULL},
    {"inform", inform, METH_VARARGS, NULL},
    {"is_disconnected", is_disconnected, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot request_slots[] = {
    {Py_tp_dealloc, request_dealloc}, {Py_tp_traverse, request_traverse},
    {Py_tp_getset, request_getset},   {Py_tp_methods, request_methods},
    {Py_tp_doc, "A request as the engine sees it; made by the bridge only."},
    {0, NULL},
};
PyType_Spec request_spec = {"covet._bridge.Request", sizeof(Request), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                            request_slots};

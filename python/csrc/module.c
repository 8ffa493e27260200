/* The module covet._bridge: its state, its types, its functions. Multi-phase (PEP 489), nothing static that changes. */
#include "bridge.h"

#include <unistd.h>

State *state_of_type(PyTypeObject *type)
{
    PyObject *m = PyType_GetModuleByDef(type, &covet_bridge_module);
    return m == NULL ? NULL : PyModule_GetState(m);
}

static PyObject *dumps(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    State *st = PyModule_GetState(module);
    if (n < 1 || n > 2) {
        PyErr_SetString(PyExc_TypeError, "dumps takes a value and a default");
        return NULL;
    }
    uint8_t small[2048];
    Out out = {small, small, small + sizeof small, NULL};
    PyObject *text = NULL;
    if (json_encode(st, &out, args[0], n > 1 ? args[1] : Py_None, NULL, NULL) == 0)
        text = PyBytes_FromStringAndSize((const char *)out.start, (Py_ssize_t)out_len(&out));
    out_free(&out);
    return text;
}

/* As an answer is written: into memory that is there. For benchmarks and tests of what happens at its end. */
static PyObject *encode_to(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    State *st = PyModule_GetState(module);
    Py_buffer room;
    if (n < 2 || n > 3) {
        PyErr_SetString(PyExc_TypeError, "encode_to takes a value, a buffer and a default");
        return NULL;
    }
    if (PyObject_GetBuffer(args[1], &room, PyBUF_WRITABLE) < 0)
        return NULL;
    Out out = {room.buf, room.buf, (uint8_t *)room.buf + room.len, NULL};
    PyObject *r = NULL;
    if (json_encode(st, &out, args[0], n > 2 ? args[2] : Py_None, NULL, NULL) == 0) {
        if (out.heap == NULL)
            r = PyLong_FromSize_t(out_len(&out));
        else
            r = PyBytes_FromStringAndSize((const char *)out.start, (Py_ssize_t)out_len(&out));
    }
    out_free(&out);
    PyBuffer_Release(&room);
    return r;
}

static PyObject *open_region(PyObject *module, PyObject *arg)
{
    State *st = PyModule_GetState(module);
    int fd = (int)PyLong_AsLong(arg);
    uint8_t h[128];
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    if (pread(fd, h, sizeof h, 0) != (ssize_t)sizeof h || get64(h + COVET_REGION_MAGIC) != COVET_MAGIC) {
        PyErr_SetString(st->bridge_error, "the descriptor is not a region");
        return NULL;
    }
    return Py_BuildValue("{sIsIsIsIsIsIsIsKsKsIsIsK}", "version", get32(h + COVET_REGION_VERSION), "loops", get32(h + COVET_REGION_LOOPS),
                         "request_bytes", get32(h + COVET_REGION_REQUEST_BYTES), "answer_bytes", get32(h + COVET_REGION_ANSWER_BYTES),
                         "data_start", get32(h + COVET_REGION_DATA_START), "credit", get32(h + COVET_REGION_CREDIT), "asleep",
                         get32(h + COVET_REGION_ASLEEP), "progress", (unsigned long long)get64(h + COVET_REGION_PROGRESS), "busy_since",
                         (unsigned long long)get64(h + COVET_REGION_BUSY_SINCE), "busy_slot", get32(h + COVET_REGION_BUSY_SLOT), "busy_loop",
                         get32(h + COVET_REGION_BUSY_LOOP), "handled", (unsigned long long)get64(h + COVET_REGION_HANDLED));
}

/* Puts our current_task in asyncio's place; called before the application is imported. Idempotent. */
static PyObject *install(PyObject *module, PyObject *unused)
{
    PyObject *ours = PyObject_GetAttrString(module, "current_task"), *r = NULL;
    static const char *const places[] = {"asyncio", "asyncio.tasks"};
    for (size_t i = 0; ours != NULL && i < 2; i++) {
        PyObject *m = PyImport_ImportModule(places[i]);
        int failed = m == NULL || PyObject_SetAttrString(m, "current_task", ours) < 0;
        Py_XDECREF(m);
        if (failed)
            goto done;
    }
    r = ours == NULL ? NULL : Py_NewRef(Py_None);
done:
    Py_XDECREF(ours);
    return r;
}

static PyMethodDef functions[] = {
    {"dumps", (PyCFunction)(void (*)(void))dumps, METH_FASTCALL, NULL},
    {"encode_to", (PyCFunction)(void (*)(void))encode_to, METH_FASTCALL, NULL},
    {"open_region", open_region, METH_O, NULL},
    {"install", install, METH_NOARGS, NULL},
    {"current_task", (PyCFunction)(void (*)(void))current_task, METH_FASTCALL | METH_KEYWORDS,
     "current_task(loop=None)\n--\n\nThe running task of the loop, or None."},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *m, PyTypeObject **place, PyType_Spec *spec, const char *name)
{
    *place = (PyTypeObject *)PyType_FromModuleAndSpec(m, spec, NULL);
    if (*place == NULL)
        return -1;
    return name == NULL ? 0 : PyModule_AddObjectRef(m, name, (PyObject *)*place);
}

static PyObject *add_error(PyObject *m, const char *name, PyObject *base, const char *doc, PyObject *dict)
{
    char full[64] = "covet._bridge.";
    strncat(full, name, sizeof full - strlen(full) - 1);
    PyObject *e = PyErr_NewExceptionWithDoc(full, doc, base, dict);
    if (e != NULL && PyModule_AddObjectRef(m, name, e) < 0)
        Py_CLEAR(e);
    return e;
}

static int from_asyncio(State *st)
{
    PyObject *tasks = PyImport_ImportModule("asyncio.tasks"), *exceptions = PyImport_ImportModule("asyncio.exceptions");
    int r = -1;
    if (tasks != NULL && exceptions != NULL && (st->task_type = PyObject_GetAttrString(tasks, "Task")) != NULL &&
        (st->enter_task = PyObject_GetAttrString(tasks, "_enter_task")) != NULL &&
        (st->leave_task = PyObject_GetAttrString(tasks, "_leave_task")) != NULL &&
        (st->original_current_task = PyObject_GetAttrString(tasks, "current_task")) != NULL &&
        (st->cancelled_error = PyObject_GetAttrString(exceptions, "CancelledError")) != NULL)
        r = 0;
    Py_XDECREF(tasks);
    Py_XDECREF(exceptions);
    return r;
}

static int exec(PyObject *m)
{
    static const char *const methods[] = COVET_METHOD_NAMES;
    State *st = PyModule_GetState(m);
#define X(n) \
    if ((st->names.n = PyUnicode_InternFromString(#n)) == NULL) \
        return -1;
    COVET_NAMES(X)
#undef X
    if ((st->str_default = PyUnicode_InternFromString("default")) == NULL)
        return -1;
    for (int i = 0; i < COVET_METHOD_COUNT; i++)
        if ((st->method_names[i] = PyUnicode_InternFromString(methods[i])) == NULL)
            return -1;
    if (from_asyncio(st) < 0 || add_type(m, &st->bridge_type, &bridge_spec, "Bridge") < 0 ||
        add_type(m, &st->request_type, &request_spec, "Request") < 0 || add_type(m, &st->exchange_type, &exchange_spec, "Exchange") < 0 ||
        add_type(m, &st->selector_type, &selector_spec, NULL) < 0 || add_type(m, &st->driver_type, &driver_spec, NULL) < 0 ||
        add_type(m, &st->ready_type, &ready_spec, NULL) < 0 || add_type(m, &st->body_stream_type, &body_stream_spec, NULL) < 0 ||
        add_type(m, &st->job_type, &job_spec, NULL) < 0)
        return -1;
    PyObject *reason = Py_BuildValue("{ss}", "reason", ""), *place = Py_BuildValue("{ssss}", "path", "$", "type_name", "");
    if (reason != NULL && place != NULL) {
        st->bridge_error = add_error(m, "BridgeError", NULL, "The region is not what this build expects, or the exchange is over.", reason);
        if (st->bridge_error != NULL)
            st->client_gone = add_error(m, "ClientGone", st->bridge_error, "Nobody waits for the response any more.", NULL);
        st->encode_error = add_error(m, "EncodeError", PyExc_TypeError, "A value cannot be serialized to JSON.", place);
    }
    Py_XDECREF(reason);
    Py_XDECREF(place);
    if (st->bridge_error == NULL || st->client_gone == NULL || st->encode_error == NULL)
        return -1;
    return PyModule_AddIntConstant(m, "LAYOUT_VERSION", COVET_VERSION);
}

/* Every object of the state, for the collector. */
#define EACH(F) \
    F(st->bridge_type) F(st->selector_type) F(st->request_type) F(st->exchange_type) F(st->driver_type) F(st->ready_type) \
    F(st->body_stream_type) F(st->job_type) F(st->bridge_error) F(st->client_gone) F(st->encode_error) F(st->cancelled_error) \
    F(st->task_type) F(st->enter_task) F(st->leave_task) F(st->original_current_task) F(st->str_default)

static int traverse(PyObject *m, visitproc visit, void *arg)
{
    State *st = PyModule_GetState(m);
#define F(o) Py_VISIT(o);
    EACH(F)
#undef F
    return shapes_traverse(&st->shapes, visit, arg);
}

static int clear(PyObject *m)
{
    State *st = PyModule_GetState(m);
#define F(o) Py_CLEAR(o);
    EACH(F)
#undef F
#define X(n) Py_CLEAR(st->names.n);
    COVET_NAMES(X)
#undef X
    for (int i = 0; i < COVET_METHOD_COUNT; i++)
        Py_CLEAR(st->method_names[i]);
    shapes_clear(&st->shapes);
    keys_clear(&st->keys);
    return 0;
}

static void free_module(void *m) { clear(m); }

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED}, /* asyncio's task hooks are per process here */
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_USED}, /* free-threaded builds were never run: they get their lock back */
#endif
    {0, NULL},
};

struct PyModuleDef covet_bridge_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "covet._bridge",
    .m_doc = "The worker's end of the shared-memory bridge.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__bridge(void) { return PyModuleDef_Init(&covet_bridge_module); }

/* The Bridge type: what the worker's runtime calls. */
#include "bridge.h"

#include <errno.h>
#include <unistd.h>

static int bridge_init(PyObject *self, PyObject *args, PyObject *kw)
{
    static char *names[] = {"region_fd", "doorbell_fd", "answer_fds", "credit", "spin_us", NULL};
    Bridge *b = (Bridge *)self;
    int region, doorbell;
    unsigned credit = 0, spin = 0;
    PyObject *fds;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "iiO|$II:Bridge", names, &region, &doorbell, &fds, &credit, &spin))
        return -1;
    if (b->state != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the bridge is open already");
        return -1;
    }
    if ((b->state = state_of_type(Py_TYPE(self))) == NULL)
        return -1;
    int bells[1024];
    PyObject *fast = PySequence_Fast(fds, "answer_fds is a sequence of descriptors");
    if (fast == NULL)
        return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(fast);
    for (Py_ssize_t i = 0; i < n && i < 1024; i++) {
        bells[i] = (int)PyLong_AsLong(PySequence_Fast_GET_ITEM(fast, i));
        if (bells[i] == -1 && PyErr_Occurred()) {
            Py_DECREF(fast);
            return -1;
        }
    }
    Py_DECREF(fast);
    char why[200];
    if (region_open(&b->region, region, bells, n > 1024 ? 0 : (uint32_t)n, why, sizeof why) < 0) {
        PyErr_SetString(b->state->bridge_error, why);
        return -1;
    }
    if (poller_open(&b->poller, doorbell) < 0) {
        PyErr_Format(b->state->bridge_error, "the doorbell cannot be watched: %s", strerror(errno));
        region_close(&b->region);
        return -1;
    }
    b->closed = false;
    b->spin_us = spin;
    b->thread = PyThread_get_thread_ident();
    atomic_store(at32(b->region.header, COVET_REGION_CREDIT), credit);
    return 0;
}

static PyObject *bridge_new(PyTypeObject *type, PyObject *args, PyObject *kw)
{
    Bridge *b = (Bridge *)type->tp_alloc(type, 0);
    if (b != NULL) {
        b->closed = true;
        b->poller.wake_read = b->poller.epoll = -1;
        pthread_mutex_init(&b->jobs_lock, NULL);
    }
    return (PyObject *)b;
}

static PyObject *configure(PyObject *self, PyObject *args, PyObject *kw)
{
    static char *names[] = {"loop", "plans", "request_type", "response_type", "invalid", "failed", "render", "stream", "submit", NULL};
    Bridge *b = (Bridge *)self;
    PyObject *loop, *plans, *request_type, *response_type, *invalid, *failed, *render, *stream, *submit;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "$OOO!O!OOOOO:configure", names, &loop, &plans, &PyType_Type, &request_type, &PyType_Type,
                                     &response_type, &invalid, &failed, &render, &stream, &submit))
        return NULL;
    if (b->closed || b->loop != NULL) {
        PyErr_SetString(b->state ? b->state->bridge_error : PyExc_RuntimeError, b->closed ? "the bridge is closed" : "the bridge is configured already");
        return NULL;
    }
    if (!PyType_IsSubtype((PyTypeObject *)request_type, b->state->request_type)) {
        PyErr_SetString(PyExc_TypeError, "request_type derives from covet._bridge.Request");
        return NULL;
    }
    PyObject *module = PyImport_ImportModule("covet._plan"), *fast = NULL;
    if (module == NULL)
        return NULL;
    Py_XSETREF(b->problem_type, PyObject_GetAttrString(module, "Problem"));
    Py_XSETREF(b->missing, PyObject_GetAttrString(module, "MISSING"));
    Py_DECREF(module);
    if (b->problem_type == NULL || b->missing == NULL || !PyType_Check(b->problem_type))
        return NULL;
    if ((fast = PySequence_Fast(plans, "plans is a sequence")) == NULL)
        return NULL;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(fast);
    b->plans = n > UINT16_MAX ? NULL : PyMem_Calloc((size_t)n + 1, sizeof *b->plans);
    if (b->plans == NULL) {
        Py_DECREF(fast);
        PyErr_SetString(PyExc_ValueError, "there are more than 65535 routes");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        b->plan_count = i + 1;
        if (plan_read(b->state, &b->plans[i], PySequence_Fast_GET_ITEM(fast, i), b->missing) < 0) {
            for (Py_ssize_t k = 0; k <= i; k++)
                plan_clear(&b->plans[k]);
            PyMem_Free(b->plans);
            b->plans = NULL;
            b->plan_count = 0;
            Py_DECREF(fast);
            return NULL;
        }
    }
    Py_DECREF(fast);
    b->request_type = Py_NewRef(request_type);
    b->response_type = (PyTypeObject *)Py_NewRef(response_type);
    b->invalid = Py_NewRef(invalid);
    b->failed = Py_NewRef(failed);
    b->render = Py_NewRef(render);
    b->stream = Py_NewRef(stream);
    b->submit = Py_NewRef(submit);
    b->loop = Py_NewRef(loop);
    b->thread = PyThread_get_thread_ident();
    Py_RETURN_NONE;
}

static PyObject *poll_rings(PyObject *self, PyObject *unused)
{
    Bridge *b = (Bridge *)self;
    if (bridge_check(b) < 0)
        return NULL;
    atomic_store(at32(b->region.header, COVET_REGION_ASLEEP), 0);
    if (!b->in_batch)
        poller_wait(&b->poller, 0); /* takes note of the bells; an error shows in the wait that follows */
    int n = bridge_serve(b, 256);
    return n < 0 ? NULL : PyLong_FromLong(n);
}

static PyObject *prepare_wait(PyObject *self, PyObject *unused)
{
    Bridge *b = (Bridge *)self;
    if (bridge_check(b) < 0)
        return NULL;
    atomic_store(at32(b->region.header, COVET_REGION_ASLEEP), 1);
    if (bridge_has_work(b)) {
        atomic_store(at32(b->region.header, COVET_REGION_ASLEEP), 0);
        Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
}

static PyObject *flush(PyObject *self, PyObject *unused)
{
    Bridge *b = (Bridge *)self;
    b->flush_planned = false;
    bridge_flush(b);
    Py_RETURN_NONE;
}

static PyObject *drain(PyObject *self, PyObject *unused)
{
    ((Bridge *)self)->draining = true;
    Py_RETURN_NONE;
}

static PyObject *cancel_all(PyObject *self, PyObject *unused)
{
    Bridge *b = (Bridge *)self;
    if (bridge_check(b) < 0)
        return NULL;
    for (uint32_t i = 0; i < b->region.count; i++) {
        Link *l = &b->region.links[i];
        for (uint32_t k = 0; k < l->slot_count; k++) {
            Call *c = l->slots[k];
            if (c == NULL)
                continue;
            call_ref(c);
            c->stopped = true;
            if (c->stage == STAGE_PUMP)
                answer_end(c, true);
            else
                call_cancel(c);
            call_unref(c);
        }
    }
    bridge_touched(b);
    Py_RETURN_NONE;
}

static void shut(Bridge *b)
{
    if (b->closed || b->stopping)
        return;
    b->stopping = true; /* a coroutine that is closed below may call close() */
    for (uint32_t i = 0; i < b->region.count; i++) {
        Link *l = &b->region.links[i];
        for (uint32_t k = 0; k < l->slot_count; k++)
            if (l->slots[k] != NULL) {
                Call *c = l->slots[k];
                call_ref(c);
                if (call_own_frame(c) < 0)
                    PyErr_Clear();
                call_finish(c);
                /* The collector does not see into calls: a coroutine that holds its request would never go. */
                PyObject *coro = c->coro, *r;
                c->coro = NULL;
                if (coro != NULL && (r = PyObject_CallMethod(coro, "close", NULL)) == NULL)
                    PyErr_WriteUnraisable(coro);
                else if (coro != NULL)
                    Py_DECREF(r);
                Py_XDECREF(coro);
                call_unref(c);
            }
    }
    bridge_flush(b);
    b->closed = true;
    region_close(&b->region);
    bridge_take_jobs(b); /* their calls are over: only drops them */
    /* The poller stays until the bridge goes: a thread of the pool may still wake us. */
}

static PyObject *bridge_close(PyObject *self, PyObject *unused)
{
    Bridge *b = (Bridge *)self;
    if (bridge_busy(b)) {
        PyErr_SetString(PyExc_RuntimeError, "the bridge cannot be closed by a handler");
        return NULL;
    }
    shut(b);
    Py_RETURN_NONE;
}

static PyObject *selector(PyObject *self, PyObject *base)
{
    Bridge *b = (Bridge *)self;
    if (b->closed) {
        PyErr_SetString(b->state ? b->state->bridge_error : PyExc_RuntimeError, "the bridge is closed");
        return NULL;
    }
    return selector_new(b, base);
}

static PyObject *fileno_(PyObject *self, PyObject *unused)
{
    Bridge *b = (Bridge *)self;
    if (b->poller.epoll < 0) {
        PyErr_SetString(PyExc_OSError, "this system has no one descriptor for both doorbells");
        return NULL;
    }
    return PyLong_FromLong(b->poller.epoll);
}

static PyObject *get_in_flight(PyObject *self, void *unused)
{
    return PyLong_FromUnsignedLong(atomic_load(&((Bridge *)self)->in_flight));
}

static int bridge_traverse(PyObject *self, visitproc visit, void *arg)
{
    Bridge *b = (Bridge *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(b->loop);
    Py_VISIT(b->stream);
    Py_VISIT(b->invalid);
    Py_VISIT(b->failed);
    Py_VISIT(b->render);
    Py_VISIT(b->submit);
    Py_VISIT(b->response_type);
    Py_VISIT(b->request_type);
    Py_VISIT(b->problem_type);
    for (Py_ssize_t i = 0; i < b->plan_count; i++) {
        Py_VISIT(b->plans[i].route);
        Py_VISIT(b->plans[i].handler);
        Py_VISIT(b->plans[i].prepare);
    }
    return 0;
}

static int bridge_clear(PyObject *self)
{
    Bridge *b = (Bridge *)self;
    shut(b);
    for (Py_ssize_t i = 0; i < b->plan_count; i++)
        plan_clear(&b->plans[i]);
    PyMem_Free(b->plans);
    b->plans = NULL;
    b->plan_count = 0;
    Py_CLEAR(b->loop);
    Py_CLEAR(b->stream);
    Py_CLEAR(b->invalid);
    Py_CLEAR(b->failed);
    Py_CLEAR(b->render);
    Py_CLEAR(b->submit);
    Py_CLEAR(b->response_type);
    Py_CLEAR(b->request_type);
    Py_CLEAR(b->problem_type);
    Py_CLEAR(b->missing);
    return 0;
}

static void bridge_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Bridge *b = (Bridge *)self;
    PyObject_GC_UnTrack(self);
    bridge_clear(self);
    poller_close(&b->poller);
    pthread_mutex_destroy(&b->jobs_lock);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef bridge_methods[] = {
    {"configure", (PyCFunction)(void (*)(void))configure, METH_VARARGS | METH_KEYWORDS, NULL},
    {"selector", selector, METH_O, NULL},
    {"poll", poll_rings, METH_NOARGS, NULL},
    {"prepare_wait", prepare_wait, METH_NOARGS, NULL},
    {"flush", flush, METH_NOARGS, NULL},
    {"fileno", fileno_, METH_NOARGS, NULL},
    {"drain", drain, METH_NOARGS, NULL},
    {"cancel_all", cancel_all, METH_NOARGS, NULL},
    {"close", bridge_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef bridge_getset[] = {{"in_flight", get_in_flight, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot bridge_slots[] = {
    {Py_tp_new, bridge_new},         {Py_tp_init, bridge_init},       {Py_tp_dealloc, bridge_dealloc}, {Py_tp_traverse, bridge_traverse},
    {Py_tp_clear, bridge_clear},     {Py_tp_methods, bridge_methods}, {Py_tp_getset, bridge_getset},   {0, NULL},
};
PyType_Spec bridge_spec = {"covet._bridge.Bridge", sizeof(Bridge), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, bridge_slots};

/* Ready: an awaitable that never waits. Job: one call of a def handler, run by a thread of the pool. */
#include "bridge.h"

typedef struct {
    PyObject_HEAD
    PyObject *value, *error;
} Ready;

PyObject *ready_new(State *st, PyObject *value, PyObject *error)
{
    Ready *r = (Ready *)st->ready_type->tp_alloc(st->ready_type, 0);
    if (r != NULL) {
        r->value = Py_XNewRef(value);
        r->error = Py_XNewRef(error);
    }
    return (PyObject *)r;
}

static void ready_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(((Ready *)self)->value);
    Py_CLEAR(((Ready *)self)->error);
    type->tp_free(self);
    Py_DECREF(type);
}

static PySendResult ready_send(PyObject *self, PyObject *arg, PyObject **result)
{
    Ready *r = (Ready *)self;
    *result = NULL;
    if (r->error != NULL) {
        raise_again(Py_NewRef(r->error));
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(r->value != NULL ? r->value : Py_None);
    return PYGEN_RETURN;
}

static PyObject *ready_next(PyObject *self)
{
    PyObject *result;
    if (ready_send(self, Py_None, &result) == PYGEN_RETURN) {
        PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
        Py_DECREF(result);
        if (stop != NULL)
            raise_again(stop);
    }
    return NULL;
}

static PyType_Slot ready_slots[] = {
    {Py_tp_dealloc, ready_dealloc},   {Py_am_await, PyObject_SelfIter}, {Py_am_send, ready_send},
    {Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, ready_next},     {0, NULL},
};
PyType_Spec ready_spec = {"covet._bridge.Ready", sizeof(Ready), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, ready_slots};

typedef struct Job {
    PyObject_HEAD
    Call *call;
    Bridge *bridge;    /* strong */
    PyObject *handler, *names, *context;
    PyObject **args;
    Py_ssize_t count;
    PyObject *value, *error;
    PyObject *next;    /* the next of the bridge's chain */
    _Atomic bool ran;
} Job;

PyObject *job_new(State *st, Call *c, PyObject **args)
{
    Job *j = (Job *)st->job_type->tp_alloc(st->job_type, 0);
    if (j == NULL)
        return NULL;
    j->call = call_ref(c);
    j->bridge = (Bridge *)Py_NewRef((PyObject *)c->bridge);
    j->handler = Py_NewRef(c->plan->handler);
    j->names = Py_NewRef(c->plan->names);
    /* A copy: the thread may begin before the event loop has left the context that it submits from. */
    j->context = PyContext_Copy(c->context);
    j->args = PyMem_RawCalloc((size_t)c->plan->count + 1, sizeof *j->args);
    if (j->args == NULL || j->context == NULL) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        Py_DECREF(j);
        return NULL;
    }
    j->count = c->plan->count;
    for (Py_ssize_t i = 0; i < j->count; i++)
        j->args[i] = Py_XNewRef(args[i]);
    return (PyObject *)j;
}

static void drop_args(Job *j)
{
    for (Py_ssize_t i = 0; j->args != NULL && i < j->count; i++)
        Py_XDECREF(j->args[i]);
    PyMem_RawFree(j->args);
    j->args = NULL;
}

/* Gives the result to the event loop's thread; any thread. */
static void post(Job *j)
{
    Bridge *b = j->bridge;
    if (b->closed)
        return; /* nobody takes it any more: it would keep the bridge, and the bridge it */
    Py_INCREF(j);
    pthread_mutex_lock(&b->jobs_lock);
    bool first = b->jobs_first == NULL;
    if (first)
        b->jobs_first = (PyObject *)j;
    else
        ((Job *)b->jobs_last)->next = (PyObject *)j;
    b->jobs_last = (PyObject *)j;
    atomic_store(&b->jobs_waiting, 1);
    pthread_mutex_unlock(&b->jobs_lock);
    if (first)
        bridge_wake(b);
}

/* job(): in a thread of the pool. */
static PyObject *job_call(PyObject *self, PyObject *args, PyObject *kw)
{
    Job *j = (Job *)self;
    if (atomic_exchange(&j->ran, true))
        Py_RETURN_NONE;
    if (PyContext_Enter(j->context) == 0) {
        j->value = PyObject_Vectorcall(j->handler, j->args, 0, j->names);
        if (j->value == NULL)
            j->error = raised();
        if (PyContext_Exit(j->context) < 0)
            PyErr_WriteUnraisable(j->handler);
    }
    else
        j->error = raised();
    drop_args(j);
    post(j);
    Py_RETURN_NONE;
}

void bridge_take_jobs(Bridge *b)
{
    if (atomic_load(&b->jobs_waiting) == 0)
        return;
    pthread_mutex_lock(&b->jobs_lock);
    Job *j = (Job *)b->jobs_first;
    b->jobs_first = b->jobs_last = NULL;
    atomic_store(&b->jobs_waiting, 0);
    pthread_mutex_unlock(&b->jobs_lock);
    while (j != NULL) {
        Job *next = (Job *)j->next;
        j->next = NULL;
        if (j->call->bridge != NULL) /* what follows sees the variables that the handler has set */
            Py_XSETREF(j->call->context, Py_NewRef(j->context));
        call_resume_with(j->call, j->value, j->error);
        Py_DECREF(j);
        j = next;
    }
}

static int job_traverse(PyObject *self, visitproc visit, void *arg)
{
    Job *j = (Job *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)j->bridge);
    Py_VISIT(j->handler);
    Py_VISIT(j->value);
    Py_VISIT(j->error);
    return 0;
}

static void job_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Job *j = (Job *)self;
    PyObject_GC_UnTrack(self);
    drop_args(j);
    Py_CLEAR(j->handler);
    Py_CLEAR(j->names);
    Py_CLEAR(j->context);
    Py_CLEAR(j->value);
    Py_CLEAR(j->error);
    if (j->call != NULL)
        call_unref(j->call);
    Py_XDECREF((PyObject *)j->bridge);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot job_slots[] = {
    {Py_tp_dealloc, job_dealloc},
    {Py_tp_traverse, job_traverse},
    {Py_tp_call, job_call},
    {0, NULL},
};
PyType_Spec job_spec = {"covet._bridge.Job", sizeof(Job), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, job_slots};

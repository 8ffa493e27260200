/* Driving handlers: once directly, without a Task; as a real asyncio.Task from the first suspension on.
 *
 *   call_begin ── arguments ── PREPARE ── HANDLER ── answer            all inside one direct drive, no Task
 *                                 │          │
 *                                 └── yields ┴─▶ Task(Driver): the first step yields the same future again,
 *                                                later steps go on where the coroutine stands
 *
 * Handlers cannot tell the difference: asyncio.current_task, when asked during a direct drive, makes the Task then and
 * enters it, so that timeouts, task groups and cancel scopes hold the Task that will run the rest.
 */
#include "bridge.h"

#include <time.h>

/* ---- exceptions across versions ---- */

PyObject *raised(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (type == NULL)
        return NULL;
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace != NULL)
        PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

void raise_again(PyObject *exc)
{
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(exc);
#else
    if (exc == NULL)
        return;
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exc)), exc, PyException_GetTraceback(exc));
#endif
}

PyObject *await_iterator(PyObject *awaitable)
{
    if (awaitable == NULL)
        return NULL;
    if (PyCoro_CheckExact(awaitable))
        return awaitable;
    PyAsyncMethods *am = Py_TYPE(awaitable)->tp_as_async;
    PyObject *it = NULL;
    if (am != NULL && am->am_await != NULL)
        it = am->am_await(awaitable);
    else
        PyErr_Format(PyExc_TypeError, "%s is not awaitable", Py_TYPE(awaitable)->tp_name);
    Py_DECREF(awaitable);
    return it;
}

/* ---- what the supervisor sees ---- */

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void step_begins(Call *c)
{
    uint8_t *h = c->bridge->region.header;
    uint64_t now = now_ns();
    atomic_store_explicit(at32(h, COVET_REGION_BUSY_SLOT), c->slot, memory_order_relaxed);
    atomic_store_explicit(at32(h, COVET_REGION_BUSY_LOOP), c->loop, memory_order_relaxed);
    atomic_store_explicit(at64(h, COVET_REGION_BUSY_SINCE), now, memory_order_release);
    c->bridge->stepped = now;
    c->bridge->steps++;
}

static void step_ends(Bridge *b)
{
    b->steps--;
    if (b->closed)
        return;
    uint8_t *h = b->region.header;
    _Atomic uint64_t *progress = at64(h, COVET_REGION_PROGRESS);
    atomic_store_explicit(progress, atomic_load_explicit(progress, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(at64(h, COVET_REGION_BUSY_SINCE), 0, memory_order_release);
}

/* ---- the stages ---- */

/* Answers with what the failed hook makes of the exception that is set. Returns as call_advance. */
static int fail(Call *c)
{
    State *st = c->state;
    PyObject *exc = raised();
    int r = 0;
    if (exc == NULL) {
        PyErr_SetString(PyExc_SystemError, "a call failed without an exception");
        exc = raised();
    }
    if (c->bridge == NULL) {
        /* The answer is written already: only the log is left to be told, and the hook for it went with the call. */
        if (PyErr_GivenExceptionMatches(exc, st->cancelled_error) || PyErr_GivenExceptionMatches(exc, st->client_gone)) {
            Py_DECREF(exc);
            return 0;
        }
        raise_again(exc);
        PyErr_WriteUnraisable(c->route);
        return 0;
    }
    if (c->failing == 2) {
        raise_again(exc);
        PyErr_WriteUnraisable(c->route);
        answer_error(c, 500, "", "");
        return 0;
    }
    /* A cancellation that nobody asked for is the handler's own: its place belongs in the log. */
    if (PyErr_GivenExceptionMatches(exc, st->cancelled_error) ? c->gone || c->stopped
                                                              : c->gone && PyErr_GivenExceptionMatches(exc, st->client_gone)) {
        if (c->gone)
            answer_cancelled(c);
        else
            answer_error(c, 503, "", "the server is stopping");
        Py_DECREF(exc);
        return 0;
    }
    c->failing++;
    PyObject *request = call_request(c), *answer = NULL;
    if (request != NULL) {
        PyObject *args[3] = {NULL, request, exc};
        answer = PyObject_Vectorcall(c->bridge->failed, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_XDECREF(exc);
    if (answer == NULL) {
        PyErr_WriteUnraisable(c->route);
        answer_error(c, 500, "", ""); /* a started stream is aborted, a gone client is told so */
    }
    else if (PyCoro_CheckExact(answer) || (Py_TYPE(answer)->tp_as_async != NULL && Py_TYPE(answer)->tp_as_async->am_await != NULL)) {
        /* An asynchronous exception handler: driven like the handler, in its place. */
        c->stage = STAGE_HANDLER;
        Py_XSETREF(c->coro, await_iterator(Py_NewRef(answer)));
        r = c->coro == NULL ? fail(c) : 1;
    }
    else if ((r = answer_value(c, answer)) < 0)
        r = fail(c); /* ends: it counts */
    Py_XDECREF(answer);
    return r;
}

/* A failure of the bridge's own, such as memory: no hook is asked, because nothing could drive its answer. */
static void give_up(Call *c)
{
    PyErr_WriteUnraisable(c->route);
    answer_error(c, 500, "", "");
    Py_CLEAR(c->coro);
}

/* Calls the handler with the arguments in args. 1: c->coro is to be driven; 0: nothing is; -1: exception. */
static int invoke(Call *c, PyObject **args)
{
    const Plan *plan = c->plan;
    if (plan->mode == MODE_SYNC) {
        PyObject *job = job_new(c->state, c, args), *r = NULL;
        c->stage = STAGE_POOL;
        if (job == NULL || call_own_frame(c) < 0) {
            Py_XDECREF(job);
            return -1;
        }
        r = PyObject_CallOneArg(c->bridge->submit, job);
        Py_DECREF(job);
        if (r == NULL) {
            c->stage = STAGE_HANDLER;
            if (!PyErr_ExceptionMatches(PyExc_Exception))
                return -1;
            PyErr_Clear(); /* the pool's queue is full */
            answer_error(c, 503, "", "all threads of the worker are busy");
            return 0;
        }
        Py_DECREF(r);
        return 0;
    }
    PyObject *value = PyObject_Vectorcall(plan->handler, args, 0, plan->names);
    if (value == NULL)
        return -1;
    if (plan->mode != MODE_ASYNC) {
        PyObject *x = call_exchange(c), *list[3] = {NULL, x, value}, *it = NULL;
        if (x != NULL)
            it = await_iterator(PyObject_Vectorcall(c->bridge->stream, list + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL));
        Py_DECREF(value);
        c->stage = STAGE_STREAM;
        Py_XSETREF(c->coro, it);
        return it == NULL ? -1 : 1;
    }
    c->stage = STAGE_HANDLER;
    if (!PyCoro_CheckExact(value) && (Py_TYPE(value)->tp_as_async == NULL || Py_TYPE(value)->tp_as_async->am_await == NULL)) {
        int r = answer_value(c, value);
        Py_DECREF(value);
        return r;
    }
    Py_XSETREF(c->coro, await_iterator(value));
    return c->coro == NULL ? -1 : 1;
}

#define FEW 16 /* arguments that fit on the C stack */

static int begin(Call *c)
{
    const Plan *plan = c->plan;
    PyObject *few[FEW + 1] = {NULL}, **args = few, *errors;
    if (plan->count > FEW && (args = PyMem_Calloc((size_t)plan->count + 1, sizeof *args)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int r = plan_arguments(c, plan, args, &errors);
    if (r == 1) {
        PyObject *request = call_request(c), *list[3] = {NULL, request, errors}, *problem = NULL;
        if (request != NULL)
            problem = PyObject_Vectorcall(c->bridge->invalid, list + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        r = problem == NULL ? -1 : answer_value(c, problem);
        Py_XDECREF(problem);
        Py_DECREF(errors);
    }
    else if (r == 0 && plan->prepare != NULL) {
        PyObject *request = call_request(c), *it = NULL;
        if (request != NULL)
            it = await_iterator(PyObject_CallOneArg(plan->prepare, request));
        c->args = it == NULL ? NULL : PyMem_RawCalloc((size_t)plan->count + 1, sizeof *c->args);
        if (it != NULL && c->args == NULL)
            PyErr_NoMemory();
        if (c->args == NULL) {
            Py_XDECREF(it);
            r = -1;
        }
        else {
            memcpy(c->args, args, (size_t)plan->count * sizeof *args);
            memset(args, 0, (size_t)plan->count * sizeof *args);
            c->stage = STAGE_PREPARE;
            Py_XSETREF(c->coro, it);
            r = 1;
        }
    }
    else if (r == 0)
        r = invoke(c, args);
    /* After a call that is over, plan is no longer the call's, but still the bridge's. */
    for (Py_ssize_t i = 0; i < plan->count; i++)
        Py_XDECREF(args[i]);
    if (args != few)
        PyMem_Free(args);
    return r;
}

/* prepare has given its mapping: the handler follows. */
static int prepared(Call *c, PyObject *mapping)
{
    const Plan *plan = c->plan;
    for (Py_ssize_t i = 0; i < plan->count; i++) {
        if (plan->params[i].source != SOURCE_PREPARED)
            continue;
        PyObject *v = PyObject_GetItem(mapping, plan->params[i].key);
        if (v == NULL) {
            if (plan->params[i].fallback == NULL || !PyErr_ExceptionMatches(PyExc_KeyError))
                return -1;
            PyErr_Clear();
            v = Py_NewRef(plan->params[i].fallback);
        }
        Py_XSETREF(c->args[i], v);
    }
    PyObject **args = c->args;
    c->args = NULL;
    int r = invoke(c, args);
    for (Py_ssize_t i = 0; i < plan->count; i++)
        Py_XDECREF(args[i]);
    PyMem_RawFree(args);
    return r;
}

/* What follows a coroutine that has returned. 1: c->coro is to be driven next; 0: nothing is. */
static int advance(Call *c, PyObject *value)
{
    int r = 0;
    if (c->bridge == NULL)
        return 0;
    switch (c->stage) {
    case STAGE_PREPARE:
        r = prepared(c, value);
        break;
    case STAGE_STREAM:
        if (!c->started)
            answer_error(c, 500, "", "");
        else
            answer_end(c, false);
        break;
    default:
        r = answer_value(c, value);
    }
    return r < 0 ? fail(c) : r;
}

/* An iterator without throw gets what await does to it: the exception arises where it is awaited. */
static PyObject *throw_in(Call *c, PyObject *coro, PyObject *error)
{
    PyObject *method = PyObject_GetAttr(coro, c->state->names.throw), *result = NULL;
    if (method != NULL)
        result = PyObject_CallOneArg(method, error);
    else if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        raise_again(Py_NewRef(error));
    }
    Py_XDECREF(method);
    return result;
}

/* Goes on until the coroutine yields (NEXT, with what in *yielded) or there is nothing more to drive (RETURN).
 * error (borrowed) is thrown in first if it is not NULL. */
static PySendResult run(Call *c, PyObject *error, PyObject **yielded)
{
    PySendResult status = PYGEN_RETURN;
    while (c->coro != NULL) {
        PyObject *coro = Py_NewRef(c->coro), *result = NULL;
        c->running = true;
        if (error != NULL) {
            result = throw_in(c, coro, error);
            error = NULL;
            status = result != NULL ? PYGEN_NEXT : PYGEN_ERROR;
            if (result == NULL && PyErr_ExceptionMatches(PyExc_StopIteration)) {
                PyObject *stop = raised();
                result = PyObject_GetAttrString(stop, "value");
                Py_DECREF(stop);
                status = result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
            }
        }
        else
            status = PyIter_Send(coro, Py_None, &result);
        c->running = false;
        Py_DECREF(coro);
        if (status == PYGEN_NEXT) {
            *yielded = result;
            break;
        }
        Py_CLEAR(c->coro);
        int more = status == PYGEN_RETURN ? advance(c, result) : fail(c);
        Py_XDECREF(result);
        status = PYGEN_RETURN;
        if (more != 1)
            Py_CLEAR(c->coro);
    }
    return status;
}

/* ---- the Driver: the coroutine that a Task runs ---- */

typedef struct {
    PyObject_HEAD
    Call *call;
    PyObject *coro;    /* for those who inspect the Task: the handler's own coroutine */
    PyObject *pending; /* the future that the direct drive yielded, to be yielded again by the first step */
    bool blocking;     /* pending came from an await: see yield_again */
} Driver;

/* The Task of a call, made where there is none yet; borrowed. */
static PyObject *task_of(Call *c, Bridge *b)
{
    if (c->task != NULL)
        return c->task;
    State *st = c->state;
    Driver *d = (Driver *)st->driver_type->tp_alloc(st->driver_type, 0);
    if (d == NULL)
        return NULL;
    d->call = call_ref(c);
    d->coro = Py_XNewRef(c->coro);
    PyObject *kw = PyTuple_Pack(2, st->names.loop, st->names.context), *args[4] = {NULL, (PyObject *)d, b->loop, c->context};
    if (kw != NULL)
        c->task = PyObject_Vectorcall(st->task_type, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, kw);
    Py_XDECREF(kw);
    if (c->task == NULL)
        Py_DECREF(d);
    else {
        c->driver = (PyObject *)d;
        c->runner = d;
    }
    return c->task;
}

static PySendResult driver_step(Driver *d, PyObject *error, PyObject **result)
{
    Call *c = call_ref(d->call); /* the step may end the call and drop the Task with it */
    Bridge *b = c->bridge;
    PySendResult status = PYGEN_RETURN;
    if (c->running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        status = PYGEN_ERROR;
    }
    else if (c->runner == d && b == NULL)
        status = run(c, error, result); /* what is left to do after the answer */
    else if (c->runner == d) {
        Py_INCREF(b);
        step_begins(c);
        status = run(c, error, result);
        step_ends(b);
        Py_DECREF(b);
    }
    if (status == PYGEN_RETURN)
        *result = Py_NewRef(Py_None);
    call_unref(c);
    return status;
}

/* What awaits a future marks it as it yields it, and the Task takes the mark away: a future that is marked cannot be
 * awaited. There is no Task yet, so we take it away and put it back for the first step: in between, other requests of
 * the batch may await the same future. */
static PyObject *yield_again(Driver *d)
{
    PyObject *future = d->pending;
    d->pending = NULL;
    if (d->blocking && PyObject_SetAttr(future, d->call->state->names._asyncio_future_blocking, Py_True) < 0)
        Py_CLEAR(future);
    return future;
}

static void keep_pending(Driver *d, PyObject *yielded)
{
    PyObject *mark = PyObject_GetAttr(yielded, d->call->state->names._asyncio_future_blocking);
    if (mark == NULL)
        PyErr_Clear(); /* not a future: the Task says so */
    d->blocking = mark == Py_True;
    Py_XDECREF(mark);
    if (d->blocking && PyObject_SetAttr(yielded, d->call->state->names._asyncio_future_blocking, Py_False) < 0)
        PyErr_WriteUnraisable(yielded);
    d->pending = yielded;
}

static PySendResult driver_send(PyObject *self, PyObject *arg, PyObject **result)
{
    Driver *d = (Driver *)self;
    if (d->pending != NULL) {
        *result = yield_again(d);
        return *result != NULL ? PYGEN_NEXT : PYGEN_ERROR;
    }
    return driver_step(d, NULL, result);
}

static PyObject *as_call(PySendResult status, PyObject *result)
{
    if (status == PYGEN_NEXT)
        return result;
    if (status == PYGEN_RETURN) {
        PyErr_SetNone(PyExc_StopIteration);
        Py_XDECREF(result);
    }
    return NULL;
}

static PyObject *driver_send_method(PyObject *self, PyObject *arg)
{
    PyObject *result = NULL;
    PySendResult status = driver_send(self, arg, &result);
    return as_call(status, result);
}

static PyObject *driver_next(PyObject *self) { return driver_send_method(self, Py_None); }

static PyObject *driver_throw(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Driver *d = (Driver *)self;
    State *st = d->call->state;
    /* throw(type, value, traceback) is the old form; asyncio throws instances. */
    PyObject *error = n >= 2 && args[1] != Py_None ? args[1] : n >= 1 ? args[0] : NULL, *made = NULL, *result = NULL;
    if (error == NULL) {
        PyErr_SetString(PyExc_TypeError, "throw needs an exception");
        return NULL;
    }
    if (PyExceptionClass_Check(error) && (error = made = PyObject_CallNoArgs(error)) == NULL)
        return NULL;
    if (d->call->runner != d || d->call->coro == NULL) {
        raise_again(made != NULL ? made : Py_NewRef(error));
        return NULL;
    }
    if (d->pending != NULL) {
        /* Task.cancel came before the first step. A Task that waits for a future cancels that future and is told
         * through it: so is this one, unless the future will not be cancelled. */
        PyObject *cancelled = NULL;
        if (PyErr_GivenExceptionMatches(error, st->cancelled_error)) {
            cancelled = PyObject_CallMethodNoArgs(d->pending, st->names.cancel);
            if (cancelled == NULL)
                PyErr_Clear();
        }
        bool again = cancelled == Py_True;
        Py_XDECREF(cancelled);
        if (again) {
            Py_XDECREF(made);
            return yield_again(d);
        }
        Py_CLEAR(d->pending);
    }
    PySendResult status = driver_step(d, error, &result);
    Py_XDECREF(made);
    return as_call(status, result);
}

static PyObject *driver_close(PyObject *self, PyObject *unused)
{
    Driver *d = (Driver *)self;
    Call *c = d->call;
    if (c->running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        return NULL;
    }
    Py_CLEAR(d->pending);
    if (c->runner != d || c->coro == NULL)
        Py_RETURN_NONE;
    PyObject *coro = c->coro;
    c->coro = NULL;
    PyObject *r = PyObject_CallMethod(coro, "close", NULL), *exc = r == NULL ? raised() : NULL;
    Py_DECREF(coro);
    answer_error(c, 500, "", "");
    if (exc != NULL)
        raise_again(exc);
    return r;
}

/* inspect and the repr of Tasks ask for cr_frame, cr_running, __qualname__ …: the handler's coroutine has them. */
static PyObject *driver_getattr(PyObject *self, PyObject *name)
{
    PyObject *v = PyObject_GenericGetAttr(self, name);
    if (v != NULL || ((Driver *)self)->coro == NULL || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return v;
    PyErr_Clear();
    return PyObject_GetAttr(((Driver *)self)->coro, name);
}

static int driver_traverse(PyObject *self, visitproc visit, void *arg)
{
    Driver *d = (Driver *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(d->coro);
    Py_VISIT(d->pending);
    return 0;
}

static int driver_clear(PyObject *self)
{
    Driver *d = (Driver *)self;
    Py_CLEAR(d->coro);
    Py_CLEAR(d->pending);
    return 0;
}

static void driver_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    driver_clear(self);
    Call *c = ((Driver *)self)->call;
    if (c->runner == self) {
        c->runner = NULL;
        if (c->bridge == NULL)
            Py_CLEAR(c->coro); /* nobody else would: it holds the request, and the request the call */
    }
    call_unref(c);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef driver_methods[] = {
    {"send", driver_send_method, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))driver_throw, METH_FASTCALL, NULL},
    {"close", driver_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot driver_slots[] = {
    {Py_tp_dealloc, driver_dealloc}, {Py_tp_traverse, driver_traverse}, {Py_tp_clear, driver_clear},
    {Py_tp_getattro, driver_getattr}, {Py_tp_methods, driver_methods},  {Py_am_send, driver_send},
    {Py_am_await, PyObject_SelfIter}, {Py_tp_iter, PyObject_SelfIter},  {Py_tp_iternext, driver_next},
    {0, NULL},
};
PyType_Spec driver_spec = {"covet._bridge.Driver", sizeof(Driver), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, driver_slots};

/* ---- the direct drive ---- */

/* Runs next (its result as advance's), then what it leaves in c->coro, without a Task, in the call's own context. */
static void direct(Call *c, int (*next)(Call *, PyObject *), PyObject *value)
{
    Bridge *b = c->bridge;
    State *st = b->state;
    PyObject *yielded = NULL, *task;
    Py_INCREF(b);
    call_ref(c);
    if (c->context == NULL && (c->context = PyContext_CopyCurrent()) == NULL) {
        give_up(c);
        goto out;
    }
    PyObject *context = Py_NewRef(c->context);
    if (PyContext_Enter(context) < 0) {
        Py_DECREF(context);
        give_up(c);
        goto out;
    }
    b->driving = c;
    st->active = b;
    step_begins(c);
    if (next(c, value) == 1)
        run(c, NULL, &yielded);
    else
        Py_CLEAR(c->coro);
    step_ends(b);
    st->active = NULL;
    b->driving = NULL;
    if ((task = b->entered) != NULL) {
        b->entered = NULL;
        PyObject *args[3] = {NULL, b->loop, task};
        PyObject *r = PyObject_Vectorcall(st->leave_task, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        if (r == NULL)
            PyErr_WriteUnraisable(task);
        Py_XDECREF(r);
        Py_DECREF(task);
    }
    if (PyContext_Exit(context) < 0)
        PyErr_WriteUnraisable(c->route);
    Py_DECREF(context);
    if (yielded != NULL) {
        /* It waits: from here on a Task runs it. A bare yield (sleep(0)) only wants to be stepped again. */
        if (task_of(c, b) == NULL || call_own_frame(c) < 0) {
            give_up(c);
            Py_DECREF(yielded);
        }
        else if (yielded == Py_None)
            Py_DECREF(yielded);
        else
            keep_pending((Driver *)c->driver, yielded);
    }
    if (c->bridge == NULL) /* answered: the Task, if there is one, goes on by itself */
        call_let_go(c);
out:
    /* Whoever still holds the request must not see the ring's next frame in it. */
    if (atomic_load(&c->refs) > 1 && call_own_frame(c) < 0)
        PyErr_WriteUnraisable(c->route);
    call_unref(c);
    Py_DECREF(b);
}

static int next_begin(Call *c, PyObject *unused)
{
    int r = begin(c);
    return r < 0 ? fail(c) : r;
}
static int next_value(Call *c, PyObject *value) { return advance(c, value); }
static int next_error(Call *c, PyObject *error)
{
    raise_again(Py_NewRef(error));
    return fail(c);
}

void call_begin(Call *c) { direct(c, next_begin, NULL); }

void call_resume_with(Call *c, PyObject *value, PyObject *error)
{
    if (c->bridge == NULL)
        return;
    c->stage = STAGE_HANDLER;
    /* A Task that ran prepare has ended by now: what follows may need one of its own. */
    c->runner = NULL;
    Py_CLEAR(c->driver);
    Py_CLEAR(c->task);
    direct(c, error != NULL ? next_error : next_value, error != NULL ? error : value);
}

void call_cancel(Call *c)
{
    if (c->stage == STAGE_PUMP) {
        answer_cancelled(c);
        return;
    }
    if (c->task == NULL || c->stage == STAGE_POOL)
        return; /* a thread cannot be interrupted: its result is dropped when it comes */
    PyObject *r = PyObject_CallMethodNoArgs(c->task, c->state->names.cancel);
    if (r == NULL)
        PyErr_WriteUnraisable(c->task);
    Py_XDECREF(r);
}

PyObject *current_task(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    State *st = PyModule_GetState(module);
    PyObject *task = PyObject_Vectorcall(st->original_current_task, args, (size_t)n, kwnames);
    Bridge *b = st->active;
    if (task != Py_None || b == NULL || b->driving == NULL || !bridge_on_thread(b))
        return task;
    Py_ssize_t given = n + (kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames));
    if (given > 0 && args[0] != Py_None && args[0] != b->loop)
        return task;
    PyObject *made = task_of(b->driving, b);
    if (made == NULL) {
        Py_DECREF(task);
        return NULL;
    }
    PyObject *list[3] = {NULL, b->loop, made};
    PyObject *r = PyObject_Vectorcall(st->enter_task, list + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(task);
    if (r == NULL)
        return NULL;
    Py_DECREF(r);
    b->entered = Py_NewRef(made);
    return Py_NewRef(made);
}

/* The selector for asyncio: select() serves the rings and only comes back when the event loop has something to do. */
#include "bridge.h"

#include <errno.h>
#include <math.h>
#include <structmember.h>

/* Requests in a row between two looks at the event loop's own descriptors. */
#define ROUNDS 4
#define BATCH 256
/* No slot: what RegionBusySlot says while the loop runs callbacks that belong to no exchange. */
#define NO_SLOT UINT32_MAX

typedef struct {
    PyObject_HEAD
    Bridge *bridge;
    PyObject *base, *base_select;
    PyObject *add, *remove, *modify, *get_map, *get_key; /* bound methods of base */
    PyObject *ready; /* the loop's deque of callbacks, which it never replaces */
    uint32_t spin_misses;
} Selector;

PyObject *selector_new(Bridge *b, PyObject *base)
{
    PyTypeObject *type = b->state->selector_type;
    Selector *s = (Selector *)type->tp_alloc(type, 0);
    if (s == NULL)
        return NULL;
    s->bridge = (Bridge *)Py_NewRef((PyObject *)b);
    s->base = Py_NewRef(base);
    PyObject *fd = PyObject_CallMethodNoArgs(base, b->state->names.fileno);
    if (fd == NULL || (s->base_select = PyObject_GetAttr(base, b->state->names.select)) == NULL ||
        (s->add = PyObject_GetAttrString(base, "register")) == NULL || (s->remove = PyObject_GetAttrString(base, "unregister")) == NULL ||
        (s->modify = PyObject_GetAttrString(base, "modify")) == NULL || (s->get_map = PyObject_GetAttrString(base, "get_map")) == NULL ||
        (s->get_key = PyObject_GetAttrString(base, "get_key")) == NULL) {
        Py_XDECREF(fd);
        Py_DECREF(s);
        return NULL;
    }
    int n = (int)PyLong_AsLong(fd);
    Py_DECREF(fd);
    if (n < 0 || poller_set_base(&b->poller, n) < 0) {
        if (!PyErr_Occurred())
            PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF(s);
        return NULL;
    }
    b->has_selector = true;
    return (PyObject *)s;
}

static PyObject *base_events(Selector *s)
{
    PyObject *zero = PyLong_FromLong(0), *r = zero == NULL ? NULL : PyObject_CallOneArg(s->base_select, zero);
    Py_XDECREF(zero);
    return r;
}

/* What the event loop has to do besides waiting: a timer or a callback that came while requests were handled. */
typedef struct {
    PyObject *scheduled; /* borrowed from the loop for the time of one select */
    PyObject *first;
    Py_ssize_t count;
} Timers;

static void timers_note(Timers *t, PyObject *scheduled)
{
    t->scheduled = scheduled;
    t->count = PyList_GET_SIZE(scheduled);
    t->first = t->count > 0 ? PyList_GET_ITEM(scheduled, 0) : NULL;
}

static bool timers_changed(const Timers *t)
{
    Py_ssize_t n = PyList_GET_SIZE(t->scheduled);
    return n != t->count || (n > 0 && PyList_GET_ITEM(t->scheduled, 0) != t->first);
}

/* Looks for work without sleeping for a while. Pays only while a core is idle: given up when it keeps failing. */
static bool spin(Selector *s)
{
    Bridge *b = s->bridge;
    if (b->spin_us == 0 || (s->spin_misses >= 8 && (s->spin_misses++ & 63) != 0))
        return false;
    uint64_t until = now_ns() + (uint64_t)b->spin_us * 1000;
    do
        for (int i = 0; i < 64; i++) {
            if (bridge_has_work(b)) {
                s->spin_misses = 0;
                return true;
            }
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#endif
        }
    while (now_ns() < until);
    s->spin_misses++;
    return false;
}

static PyObject *serve_and_wait(Selector *s, int64_t wait_ns, Timers *timers)
{
    Bridge *b = s->bridge;
    uint8_t *header = b->region.header;
    uint64_t until = wait_ns > 0 ? now_ns() + (uint64_t)wait_ns : 0;
    for (int round = 1;; round++) {
        int n = bridge_serve(b, BATCH);
        if (n < 0 || b->closed)
            return n < 0 ? NULL : PyList_New(0);
        bool due = wait_ns == 0 || PyObject_Size(s->ready) != 0 || timers_changed(timers) || (wait_ns > 0 && now_ns() >= until);
        if (due || (n > 0 && round % ROUNDS == 0)) {
            int base = poller_wait(&b->poller, 0);
            if (base == 1)
                return base_events(s);
            if (due)
                return PyList_New(0);
        }
        if (n > 0)
            continue; /* only when a look found nothing is it time to sleep: wake-ups are what costs */
        int base = 0, error = 0;
        Py_BEGIN_ALLOW_THREADS
        if (!spin(s)) {
            atomic_store(at32(header, COVET_REGION_ASLEEP), 1);
            if (!bridge_has_work(b)) {
                int64_t ms = -1;
                if (wait_ns > 0) {
                    uint64_t now = now_ns();
                    ms = now >= until ? 0 : (int64_t)((until - now + 999999) / 1000000);
                    if (ms > INT32_MAX)
                        ms = INT32_MAX;
                }
                base = poller_wait(&b->poller, (int)ms);
                error = errno;
                round = 0; /* that was a look at the base, too */
            }
            atomic_store(at32(header, COVET_REGION_ASLEEP), 0);
        }
        Py_END_ALLOW_THREADS
        if (base == 1)
            return base_events(s);
        if (base < 0) {
            if (error != EINTR) {
                errno = error;
                return PyErr_SetFromErrno(PyExc_OSError);
            }
            if (PyErr_CheckSignals() < 0)
                return NULL;
            return PyList_New(0);
        }
    }
}

static PyObject *select_(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Selector *s = (Selector *)self;
    Bridge *b = s->bridge;
    PyObject *timeout = n > 0 ? args[0] : Py_None;
    /* Before the bridge is configured and after it is closed, this is the base. */
    if (b->closed || b->loop == NULL)
        return PyObject_CallOneArg(s->base_select, timeout);
    if (bridge_check(b) < 0)
        return NULL;
    if (bridge_busy(b)) { /* a handler runs the loop inside itself: what is in the rings waits for its end */
        bridge_flush(b);
        return PyObject_CallOneArg(s->base_select, timeout);
    }
    int64_t wait_ns = -1;
    if (timeout != Py_None) {
        double t = PyFloat_AsDouble(timeout);
        if (t == -1.0 && PyErr_Occurred())
            return NULL;
        wait_ns = t <= 0 ? 0 : t > 1e9 ? -1 : (int64_t)ceil(t * 1e9);
    }
    if (s->ready == NULL && (s->ready = PyObject_GetAttr(b->loop, b->state->names._ready)) == NULL)
        return NULL;
    PyObject *scheduled = PyObject_GetAttr(b->loop, b->state->names._scheduled);
    if (scheduled == NULL || !PyList_Check(scheduled)) {
        Py_XDECREF(scheduled);
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "the event loop is not one of asyncio");
        return NULL;
    }
    uint8_t *h = b->region.header;
    _Atomic uint64_t *progress = at64(h, COVET_REGION_PROGRESS);
    atomic_store_explicit(progress, atomic_load_explicit(progress, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(at64(h, COVET_REGION_BUSY_SINCE), 0, memory_order_release);
    bridge_flush(b); /* what the callbacks of the round before have answered */
    Timers timers;
    timers_note(&timers, scheduled);
    PyObject *events = serve_and_wait(s, wait_ns, &timers);
    Py_DECREF(scheduled);
    if (!b->closed) {
        /* Callbacks run now: they may block, too. */
        atomic_store_explicit(at32(h, COVET_REGION_BUSY_SLOT), NO_SLOT, memory_order_relaxed);
        atomic_store_explicit(at64(h, COVET_REGION_BUSY_SINCE), now_ns(), memory_order_release);
    }
    return events;
}

static PyObject *selector_close(PyObject *self, PyObject *unused)
{
    Selector *s = (Selector *)self;
    s->bridge->has_selector = false;
    return PyObject_CallMethod(s->base, "close", NULL);
}

static PyObject *selector_fileno(PyObject *self, PyObject *unused) { return PyObject_CallMethod(((Selector *)self)->base, "fileno", NULL); }

static int selector_traverse(PyObject *self, visitproc visit, void *arg)
{
    Selector *s = (Selector *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)s->bridge);
    Py_VISIT(s->base);
    Py_VISIT(s->base_select);
    Py_VISIT(s->add);
    Py_VISIT(s->remove);
    Py_VISIT(s->modify);
    Py_VISIT(s->get_map);
    Py_VISIT(s->get_key);
    Py_VISIT(s->ready);
    return 0;
}

static int selector_clear(PyObject *self)
{
    Selector *s = (Selector *)self;
    Py_CLEAR(s->base);
    Py_CLEAR(s->base_select);
    Py_CLEAR(s->add);
    Py_CLEAR(s->remove);
    Py_CLEAR(s->modify);
    Py_CLEAR(s->get_map);
    Py_CLEAR(s->get_key);
    Py_CLEAR(s->ready);
    return 0;
}

static void selector_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    selector_clear(self);
    Py_XDECREF((PyObject *)((Selector *)self)->bridge);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef selector_methods[] = {
    {"select", (PyCFunction)(void (*)(void))select_, METH_FASTCALL, NULL},
    {"close", selector_close, METH_NOARGS, NULL},
    {"fileno", selector_fileno, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef selector_members[] = {
    {"register", T_OBJECT_EX, offsetof(Selector, add), READONLY, NULL},
    {"unregister", T_OBJECT_EX, offsetof(Selector, remove), READONLY, NULL},
    {"modify", T_OBJECT_EX, offsetof(Selector, modify), READONLY, NULL},
    {"get_map", T_OBJECT_EX, offsetof(Selector, get_map), READONLY, NULL},
    {"get_key", T_OBJECT_EX, offsetof(Selector, get_key), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot selector_slots[] = {
    {Py_tp_dealloc, selector_dealloc}, {Py_tp_traverse, selector_traverse}, {Py_tp_clear, selector_clear},
    {Py_tp_methods, selector_methods}, {Py_tp_members, selector_members},   {0, NULL},
};
PyType_Spec selector_spec = {"covet._bridge.Selector", sizeof(Selector), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, selector_slots};

/* What the files of covet._bridge share: the module's state, a call (one request in flight), the bridge.
 *
 * Threads: everything here belongs to the event loop's thread, except where a comment says otherwise. Entry points
 * that users can reach from other threads check that (bridge_on_thread), so the code is right without a GIL, too.
 */
#ifndef COVET_BRIDGE_H
#define COVET_BRIDGE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "key.h"
#include "layout_gen.h"
#include "out.h"
#include "poller.h"
#include "region.h"
#include "shape.h"

typedef struct Bridge Bridge;
typedef struct Call Call;

/* Interned attribute and method names, one member each in State.names. */
#define COVET_NAMES(X) \
    X(throw) X(cancel) X(done) X(set_result) X(set_exception) X(create_future) X(call_soon) X(loop) X(context) \
    X(status) X(headers) X(content_type) X(content) X(code) X(message) X(details) X(path) X(type_name) X(reason) \
    X(_ready) X(_scheduled) X(select) X(id) X(handler) X(mode) X(params) X(prepare) X(name) X(source) X(key) X(index) \
    X(convert) X(call) X(multiple) X(kind) X(send) X(fileno) X(_asyncio_future_blocking) X(_value_)
/* "default" is a keyword of C. */

typedef struct State {
    PyTypeObject *bridge_type, *selector_type, *request_type, *exchange_type, *driver_type, *ready_type,
        *body_stream_type, *job_type;
    PyObject *bridge_error, *client_gone, *encode_error;
    PyObject *cancelled_error;        /* asyncio.CancelledError */
    PyObject *task_type;              /* asyncio.Task */
    PyObject *enter_task, *leave_task; /* asyncio.tasks._enter_task and _leave_task */
    PyObject *original_current_task;  /* asyncio's own, called by ours */
    PyObject *str_default;
    PyObject *method_names[COVET_METHOD_COUNT];
    Shapes shapes;
    Keys keys;
    Bridge *active; /* the bridge whose direct drive is running, NULL between drives */
    struct {
#define X(n) PyObject *n;
        COVET_NAMES(X)
#undef X
    } names;
} State;

extern struct PyModuleDef covet_bridge_module;
State *state_of_type(PyTypeObject *type);

/* ---- plan.c: RoutePlan read once into C ---- */

enum { SOURCE_PATH, SOURCE_QUERY, SOURCE_HEADER, SOURCE_COOKIE, SOURCE_REQUEST, SOURCE_PREPARED, SOURCE_COUNT };
enum { CONVERT_STR, CONVERT_INT, CONVERT_FLOAT, CONVERT_BOOL, CONVERT_CALL, CONVERT_COUNT };
enum { MODE_ASYNC, MODE_SYNC, MODE_ASYNC_ITERATOR, MODE_SYNC_ITERATOR, MODE_COUNT };

typedef struct {
    uint8_t source, convert;
    bool multiple;
    int hot;                       /* HEADER: number of the hot field, -1 for others */
    uint32_t index;                /* PATH */
    PyObject *key;                 /* str */
    const char *key_text;          /* UTF-8 of key, owned by it */
    Py_ssize_t key_len;
    PyObject *call, *fallback;     /* fallback: the default, NULL when required */
    PyObject *place, *reason, *kind; /* for errors: "path.id", "must be an integer", "int" */
} Param;

typedef struct {
    PyObject *route;   /* the RoutePlan */
    PyObject *handler;
    PyObject *names;   /* tuple of the parameters' names: kwnames of the vector call */
    PyObject *prepare; /* NULL: none */
    Param *params;
    Py_ssize_t count;
    uint8_t mode;
    uint16_t status;
    bool has_query, has_prepared;
} Plan;

int plan_read(State *st, Plan *plan, PyObject *route, PyObject *missing);
void plan_clear(Plan *plan);
/* Fills args (count places, NULL before) from the frame. 0; 1 with *errors a list; -1 with an exception. */
int plan_arguments(Call *c, const Plan *plan, PyObject **args, PyObject **errors);

/* ---- text.c: decoding of request text; bytes in, objects out ---- */

PyObject *text_decode_query(const uint8_t *p, size_t n);
PyObject *text_decode_path(const uint8_t *p, size_t n, bool escaped);
bool text_query_next(const uint8_t **p, const uint8_t *end, const uint8_t **name, size_t *name_len, const uint8_t **value, size_t *value_len);
bool text_query_name_is(const uint8_t *p, size_t n, const char *key, size_t key_len);
bool text_cookie_next(const uint8_t **p, const uint8_t *end, const uint8_t **name, size_t *name_len, const uint8_t **value, size_t *value_len);
/* Conversions of plain text: NULL without an exception when the text is refused. */
PyObject *text_to_int(const char *p, size_t n);
PyObject *text_to_float(const char *p, size_t n);
PyObject *text_to_bool(const char *p, size_t n);

/* ---- frame.c ---- */

typedef struct { const uint8_t *p; uint32_t n; } Bytes;

static inline uint16_t get16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t get64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

/* Checks every offset and length of a REQUEST against n, the length that the ring checked. */
bool frame_check_request(const uint8_t *f, uint32_t n);
/* The bytes of a span of a checked frame. */
static inline Bytes frame_span(const uint8_t *f, uint32_t at)
{
    return (Bytes){f + get32(f + at), get32(f + at + 4)};
}
static inline Bytes frame_field(const uint8_t *f, uint32_t i, bool value)
{
    return frame_span(f, get32(f + COVET_REQUEST_FIELDS) + i * COVET_FIELD_ENTRY + (value ? 8 : 0));
}
/* The first field of the lower-case name; false: none. */
bool frame_find_field(const uint8_t *f, const char *name, size_t n, int hot, Bytes *value);
int frame_hot_index(const char *name, size_t n);

/* ---- a call: one request, from its frame to its final answer ---- */

enum { STAGE_START, STAGE_PREPARE, STAGE_HANDLER, STAGE_POOL, STAGE_STREAM, STAGE_PUMP, STAGE_DONE };

/* A piece of a request body that waits to be read. */
typedef struct Piece {
    struct Piece *next;
    PyObject *data;
} Piece;

struct Call {
    _Atomic uint32_t refs; /* the bridge's while in flight, the Request's, the Exchange's, the Driver's, the Job's */
    State *state;
    Bridge *bridge;        /* NULL once the final answer is written */
    uint32_t loop, slot, generation;
    uint8_t stage;
    bool owned;            /* frame is memory of this call */
    bool head;             /* HEAD: the answer has no body */
    bool gone;             /* CANCEL came: only CANCELLED is owed */
    uint8_t failing;       /* how often the failed hook was asked */
    bool started;          /* START is written */
    bool stopped;          /* cancelled by this side */
    const Plan *plan;      /* the bridge's; only while bridge is not NULL */
    PyObject *route;       /* RoutePlan */
    const uint8_t *frame;
    uint32_t length;
    PyObject *request;     /* strong while in flight, NULL until someone asks */
    PyObject **args;       /* plan->count places while PREPARE runs */
    PyObject *coro;        /* what is driven now; it may outlive the answer: an iterator's aclose may wait */
    bool running;          /* coro is being stepped */
    const void *runner;    /* the Driver that may step it: an earlier stage's Task may still be about to */
    PyObject *task, *driver, *context, *exchange;
    /* Request body. */
    Piece *first, **last;
    size_t unread, wanted; /* bytes in pieces; bytes consumed and not asked for again yet */
    bool streaming, collecting, ended;
    uint32_t end_reason;
    PyObject *body;        /* the whole, once known */
    PyObject *body_waiters; /* list of futures that body() handed out */
    PyObject *piece_waiter; /* the future that stream() handed out */
    PyObject *trailers;    /* list of pairs of bytes, NULL for none */
    /* Response stream. */
    int64_t credit;
    Py_buffer pump_view;   /* what is still to be sent: of an object … */
    uint8_t *pump_heap;    /* … or of our own */
    const uint8_t *pump;
    size_t pump_left;
    PyObject *write_waiter;
};

Call *call_new(Bridge *b, uint32_t loop, const uint8_t *f, uint32_t n);
static inline Call *call_ref(Call *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}
void call_unref(Call *c);
int call_own_frame(Call *c);
/* The final answer is written: gives the slot back and lets go of everything but the frame and the body. */
void call_finish(Call *c);
/* Drops the Task and the context, which hold the call in turn. */
void call_let_go(Call *c);
PyObject *call_request(Call *c); /* borrowed */
PyObject *call_exchange(Call *c); /* borrowed */

/* ---- drive.c ---- */

/* Runs a call from its present stage: value is what the stage before gave (stolen; NULL: see drive.c). */
void call_begin(Call *c);
void call_resume_with(Call *c, PyObject *value, PyObject *error);
void call_cancel(Call *c);
PyObject *current_task(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);
extern PyType_Spec driver_spec, ready_spec, job_spec;
PyObject *ready_new(State *st, PyObject *value, PyObject *error);
PyObject *job_new(State *st, Call *c, PyObject **args);
void bridge_take_jobs(Bridge *b);
/* The iterator behind an awaitable; stolen argument. */
PyObject *await_iterator(PyObject *awaitable);
PyObject *raised(void); /* takes the current exception, normalized */
void raise_again(PyObject *exc); /* steals */

/* ---- answer.c: frames up; none of these raises unless it says so ---- */

/* Answers with a handler's value. 0: done or sent off; 1: c->coro is to be driven; -1: exception. */
int answer_value(Call *c, PyObject *value);
void answer_error(Call *c, int status, const char *code, const char *message);
int answer_problem(Call *c, PyObject *problem);
void answer_cancelled(Call *c);
void answer_refusal(Bridge *b, uint32_t loop, uint32_t slot, uint32_t generation, int status, const char *message, bool retry);
int answer_start(Call *c, int status, PyObject *headers, PyObject *content_type, int64_t length);
void answer_end(Call *c, bool aborted);
/* Ends a started answer with trailer fields, a list of pairs: -1 with an exception, and nothing is sent. */
int answer_end_with(Call *c, PyObject *trailers);
/* An interim response: -1 with an exception. Nothing is sent once the answer has begun or nobody waits. */
int answer_inform(Call *c, int status, PyObject *headers);
void answer_want(Call *c, uint32_t bytes);
/* Sends what waits as far as the credit goes; finishes a call in STAGE_PUMP. */
void answer_pump(Call *c);
void answer_pump_drop(Call *c);

/* ---- body.c ---- */

void body_piece(Call *c, const uint8_t *p, uint32_t n);
void body_end(Call *c, uint32_t reason);
/* The trailer section of a BODYEND of n bytes. */
void body_trailers(Call *c, const uint8_t *f, uint32_t n);
void body_drop(Call *c);
PyObject *body_read(Call *c);
PyObject *body_stream(Call *c);
extern PyType_Spec body_stream_spec;
void future_resolve(State *st, PyObject *future, PyObject *value, PyObject *error);
PyObject *bridge_exception(State *st, PyObject *type, uint32_t reason);

extern PyType_Spec request_spec, exchange_spec, bridge_spec, selector_spec;

/* ---- json.c ---- */

/* fallback turns values of unknown types into known ones: fallback(value), or fallback(request, value) for a call.
 * With ring, out borrows memory at its tail that is not reserved yet: 1, and nothing written counts, when the fallback
 * had a frame written there. */
int json_encode(State *st, Out *out, PyObject *value, PyObject *fallback, Call *call, Link *ring);

/* The writers of leaves: they write at p, move to out's heap when the room ends, and give the place after what they
 * wrote, where OUT_SLACK bytes of room are left for the marks between values; NULL with an exception. */
/* Whether values of the type are JSON objects that json_encode writes without the fallback's help: Structs, dataclasses;
 * -1 with an exception. */
int json_knows(State *st, PyTypeObject *type);
uint8_t *string_write(Out *out, uint8_t *p, PyObject *value); /* ValueError: a lone surrogate */
uint8_t *long_write(Out *out, uint8_t *p, PyObject *value);   /* ValueError: too many digits */
uint8_t *number_write(uint8_t *p, uint64_t v);                /* NUMBER_ROOM bytes of room */
uint8_t *float_write(uint8_t *p, double v);                   /* finite; FLOAT_ROOM bytes of room */

#define NUMBER_ROOM 20
/* -d.dddddddddddddddde-ddd is 24; what float.c writes too much lies in the rest. */
#define FLOAT_ROOM 40

/* ---- bridge.c ---- */

struct Bridge {
    PyObject_HEAD
    State *state;
    Region region;
    bool closed, draining, in_batch, flush_planned, has_selector, stopping;
    uint32_t steps;       /* handlers' steps that run now: nested calls serve nothing and end nothing */
    Poller poller;
    unsigned long thread;
    uint32_t spin_us;
    PyObject *loop, *stream, *invalid, *failed, *render, *submit;
    PyTypeObject *response_type;
    PyObject *request_type, *problem_type, *missing;
    Plan *plans;
    Py_ssize_t plan_count;
    Call *driving;        /* the call of the running direct drive */
    PyObject *entered;    /* its Task, once current_task has entered it */
    _Atomic uint32_t in_flight;
    uint64_t batch_began, stepped; /* CLOCK_MONOTONIC ns: of the batch, of the last step's begin */
    /* Results of the pool's threads. Any thread appends, under the mutex. */
    pthread_mutex_t jobs_lock;
    PyObject *jobs_first, *jobs_last; /* a chain of Jobs, each strong */
    _Atomic uint32_t jobs_waiting;
};

uint64_t now_ns(void);
int bridge_serve(Bridge *b, int max); /* frames handled; -1 with an exception */
void bridge_flush(Bridge *b);
void bridge_touched(Bridge *b); /* an answer was written outside a batch */
bool bridge_has_work(Bridge *b);
void bridge_wake(Bridge *b); /* any thread */
bool bridge_on_thread(Bridge *b);
/* Python code of a request is running: neither batches nor the end of calls may be nested in it. */
static inline bool bridge_busy(const Bridge *b) { return b->in_batch || b->steps > 0; }
int bridge_check(Bridge *b); /* open, configured, right thread; else -1 with an exception */
PyObject *selector_new(Bridge *b, PyObject *base);

#endif

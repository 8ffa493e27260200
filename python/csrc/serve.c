/* Serving the rings: frames in, batch by batch, answers out, doorbells last. */
#include "bridge.h"

/* A batch that has run this long publishes what it has: later requests of it must not hold back earlier answers. */
#define FLUSH_AFTER_NS 100000u
/* Frames taken from one ring before the next ring has its turn. */
#define TURN 64

bool bridge_on_thread(Bridge *b) { return PyThread_get_thread_ident() == b->thread; }

int bridge_check(Bridge *b)
{
    const char *why = b == NULL || b->closed ? "the bridge is closed" : b->loop == NULL ? "the bridge is not configured" : NULL;
    if (why != NULL) {
        PyErr_SetString(b == NULL || b->state == NULL ? PyExc_RuntimeError : b->state->bridge_error, why);
        return -1;
    }
    if (!bridge_on_thread(b)) {
        PyErr_SetString(PyExc_RuntimeError, "this belongs to the event loop's thread");
        return -1;
    }
    return 0;
}

void bridge_flush(Bridge *b)
{
    if (b->closed)
        return;
    for (uint32_t i = 0; i < b->region.count; i++)
        link_publish(&b->region.links[i]);
}

void bridge_touched(Bridge *b)
{
    if (b->in_batch || b->has_selector || b->flush_planned || b->closed)
        return;
    /* Without our selector nothing of ours runs at the end of a round of the loop: plan it. */
    PyObject *exc = raised(), *flush = PyObject_GetAttrString((PyObject *)b, "flush"), *r = NULL;
    if (flush != NULL)
        r = PyObject_CallMethodOneArg(b->loop, b->state->names.call_soon, flush);
    if (r == NULL) {
        PyErr_Clear(); /* a closed loop: publish at once */
        bridge_flush(b);
    }
    else
        b->flush_planned = true;
    Py_XDECREF(flush);
    Py_XDECREF(r);
    if (exc != NULL)
        raise_again(exc);
}

void bridge_wake(Bridge *b) { poller_wake(&b->poller); }

bool bridge_has_work(Bridge *b)
{
    if (atomic_load(&b->jobs_waiting) != 0)
        return true;
    for (uint32_t i = 0; i < b->region.count; i++) {
        Link *l = &b->region.links[i];
        if (link_readable(l))
            return true;
        if (l->first != NULL && atomic_load(at64(l->control, COVET_CONTROL_ANSWER_HEAD)) != l->answer_head)
            return true;
    }
    return false;
}

/* The call that a frame names; NULL: it is over, or never was. */
static Call *find(Link *l, const uint8_t *f)
{
    uint32_t slot = get32(f + COVET_SLOT);
    Call *c = slot < l->slot_count ? l->slots[slot] : NULL;
    return c != NULL && c->generation == get32(f + COVET_GENERATION) ? c : NULL;
}

static bool grow_slots(Link *l, uint32_t slot)
{
    uint32_t n = l->slot_count ? l->slot_count : 64;
    while (n <= slot)
        n *= 2;
    Call **slots = realloc(l->slots, n * sizeof *slots);
    if (slots == NULL)
        return false;
    memset(slots + l->slot_count, 0, (n - l->slot_count) * sizeof *slots);
    l->slots = slots;
    l->slot_count = n;
    return true;
}

static void take_request(Bridge *b, uint32_t loop, const uint8_t *f, uint32_t n)
{
    Link *l = &b->region.links[loop];
    uint32_t slot = get32(f + COVET_SLOT), generation = get32(f + COVET_GENERATION), route = get16(f + COVET_ROUTE);
    if (b->draining) {
        answer_refusal(b, loop, slot, generation, 503, "the worker is stopping", true);
        return;
    }
    if (slot >= MAX_SLOT || !frame_check_request(f, n) || route >= b->plan_count || (slot >= l->slot_count && !grow_slots(l, slot))) {
        answer_refusal(b, loop, slot, generation, 500, "the worker does not understand the request", false);
        return;
    }
    Call *old = l->slots[slot], *c;
    if (old != NULL) {
        /* The engine never does this: a slot is taken until its final answer. Its newer request is refused. */
        if (old->generation != generation)
            answer_refusal(b, loop, slot, generation, 500, "the slot is taken", false);
        return;
    }
    c = call_new(b, loop, f, n);
    if (c == NULL) {
        answer_refusal(b, loop, slot, generation, 503, "the worker is out of memory", true);
        return;
    }
    c->plan = &b->plans[route];
    c->route = Py_NewRef(c->plan->route);
    l->slots[slot] = c;
    atomic_fetch_add(&b->in_flight, 1);
    call_begin(c);
}

static void take(Bridge *b, uint32_t loop, const uint8_t *f, uint32_t n)
{
    Link *l = &b->region.links[loop];
    Call *c;
    uint8_t type = f[COVET_TYPE];
    if (type == COVET_TYPE_REQUEST) {
        take_request(b, loop, f, n);
        return;
    }
    if (type == COVET_TYPE_PAD || n < COVET_SIGNAL_SIZE || (c = find(l, f)) == NULL)
        return;
    uint32_t value = get32(f + COVET_BYTES);
    call_ref(c);
    switch (type) {
    case COVET_TYPE_BODY:
        if (value <= n - COVET_PIECE_DATA)
            body_piece(c, f + COVET_PIECE_DATA, value);
        else
            body_end(c, COVET_REASON_INVALID);
        break;
    case COVET_TYPE_BODY_END:
        body_trailers(c, f, n);
        body_end(c, value);
        break;
    case COVET_TYPE_CREDIT:
        c->credit += value;
        if (c->credit > INT32_MAX)
            c->credit = INT32_MAX; /* no sane engine grants more */
        if (c->pump != NULL && !c->gone)
            answer_pump(c);
        break;
    case COVET_TYPE_CANCEL:
        if (c->gone)
            break; /* a second one would interrupt what the first has the handler clean up */
        c->gone = true;
        call_cancel(c);
        body_end(c, value == COVET_REASON_COMPLETE ? COVET_REASON_GONE : value);
        break;
    default:
        break; /* newer engines may say more: the version would have changed if it mattered */
    }
    call_unref(c);
}

int bridge_serve(Bridge *b, int max)
{
    int total = 0;
    bool more = true, broken = false;
    if (bridge_busy(b))
        return 0; /* a handler called poll(): what comes waits for its end */
    b->in_batch = true;
    b->batch_began = b->stepped = now_ns();
    bridge_take_jobs(b);
    while (more && total < max && !broken && !b->closed) {
        more = false;
        for (uint32_t i = 0; i < b->region.count && !b->closed; i++) {
            Link *l = &b->region.links[i];
            const uint8_t *f;
            uint32_t n;
            if (l->first != NULL)
                link_unclog(l);
            for (int turn = 0; turn < TURN && total < max && (f = link_next(l, &n, &broken)) != NULL; turn++, total++) {
                take(b, i, f, n);
                if (b->closed)
                    break;
                link_consume(l, n);
                more = true;
                if (b->stepped - b->batch_began > FLUSH_AFTER_NS) {
                    bridge_flush(b);
                    b->batch_began = b->stepped;
                }
            }
        }
    }
    b->in_batch = false;
    bridge_flush(b);
    if (broken) {
        PyErr_SetString(b->state->bridge_error, "a request ring is broken");
        return -1;
    }
    return total;
}

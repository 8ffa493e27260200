package worker

import (
	"sync/atomic"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/balance"
	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
)

// retryAfter is how soon a lane looks again at rings that were full: workers do not tell when they have consumed
// requests, only their answers do, and a worker that waits for something else may not answer for long. The timer
// wheel's resolution makes it some 16 ms.
const retryAfter = time.Millisecond

// lane is one loop's part of a Dispatcher: its links to the workers and its queue. Everything but the counters, poked
// and hungry belongs to the loop.
type lane struct {
	d      *Dispatcher
	loop   transport.Loop
	links  []*link
	loads  []balance.Load // of links, by place
	picker balance.Picker
	queue  pending
	expiry clock.Timer // for the first exchange in the queue
	retry  clock.Timer // for rings that were full
	// scratch holds the fields of one answer: they are checked on a copy.
	scratch []byte
	// hint is for the fields of interim responses.
	hint message.Response

	pokeTask mailbox.Task
	poked    atomic.Bool
	hungry   atomic.Bool

	begun, ended, queued, refused, retried, lost, cancelled, stale atomic.Uint64
}

func newLane(d *Dispatcher, loop transport.Loop, s balance.Strategy) *lane {
	l := &lane{d: d, loop: loop, picker: balance.Picker{Strategy: s}}
	l.queue.init()
	l.expiry.Do = (*laneExpiry)(l)
	l.retry.Do = (*laneRetry)(l)
	l.pokeTask.Do = (*lanePoke)(l)
	return l
}

type (
	laneExpiry lane
	laneRetry  lane
	lanePoke   lane
)

// Fire answers the exchanges that have waited too long.
func (e *laneExpiry) Fire() { (*lane)(e).expire() }

// Fire tries again what did not fit into a ring.
func (r *laneRetry) Fire() { (*lane)(r).drain() } // links look at what is blocked in their Flush

// Run tries again because credit may have come.
func (p *lanePoke) Run() {
	p.poked.Store(false)
	(*lane)(p).drain()
}

// poke lets the lane look at its queue. From any goroutine.
func (l *lane) poke() {
	if !l.poked.Swap(true) {
		l.loop.Post(&l.pokeTask)
	}
}

func (l *lane) attach(k *link) error {
	if err := l.loop.Attach(k, k.remote.Answers[l.loop.Index()].FD()); err != nil {
		return err
	}
	k.attached = true
	l.links = append(l.links, k)
	l.loads = append(l.loads, balance.Load{})
	l.drain()
	return nil
}

func (l *lane) detach(k *link, lost *fault.Error) {
	if !k.attached {
		return
	}
	k.attached = false
	l.loop.Detach(k)
	for i, other := range l.links {
		if other == k {
			l.links = append(l.links[:i], l.links[i+1:]...)
			l.loads = l.loads[:len(l.links)]
			break
		}
	}
	k.settle(lost)
}

func (l *lane) dispatch(x *message.Exchange, route uint16, params []message.Span, done Completion) {
	l.begun.Add(1)
	j := job{x: x, done: done, params: params, route: route}
	r := &x.Request
	if frame.SizeRequest(r, len(params), false) > frame.MaxFrame {
		l.finish()
		done.Answered(x, &fault.Error{Code: fault.HeaderFieldsTooLarge})
		return
	}
	// What may be needed again after Serve has returned: for another worker, or as a body that is sent piece by piece.
	if repeatable(r) || !frame.Inline(r, len(params)) {
		x.Detach()
	}
	if l.queue.count > 0 || !l.place(j) {
		l.wait(j)
	}
}

// repeatable reports whether a request may be sent to a second worker when the first was lost before it answered.
func repeatable(r *message.Request) bool {
	return r.Method.Safe() && r.Method != message.MethodTrace && r.ContentLength == 0 && len(r.Body) == 0
}

// place gives j to a worker and reports whether one could take it. It calls nobody back.
func (l *lane) place(j job) bool {
	l.weigh()
	for {
		at := l.picker.Pick(l.loads)
		if at < 0 {
			return false
		}
		if l.links[at].send(j) {
			return true
		}
		l.loads[at].Open = false
	}
}

// weigh looks at the load of every worker.
func (l *lane) weigh() {
	now := l.loop.Now()
	for i, k := range l.links {
		n := k.remote.inFlight.Load()
		load := balance.Load{Open: !k.dead && !k.remote.suspended.Load() && n < k.remote.credit, InFlight: int(n)}
		if l.picker.Strategy == balance.PreferAwake {
			load.Awake = !k.workerAsleep.Raised()
			load.Lag = k.lag(now)
		}
		l.loads[i] = load
	}
}

// wait puts j into the queue, or answers 503 when that is full.
func (l *lane) wait(j job) {
	if l.queue.count >= l.d.cfg.Queue {
		l.refuse(j, l.d.busy)
		return
	}
	j.x.Detach()
	at := l.queue.push(j, l.loop.Now().Add(l.d.cfg.QueueTimeout))
	j.x.Receiver = l
	j.x.Link = message.Link{Owner: l, Slot: at}
	l.queued.Add(1)
	if l.queue.count == 1 {
		l.loop.Schedule(&l.expiry, l.queue.first().until)
		l.d.hungry.Add(1)
		l.hungry.Store(true)
		// A slot may have been freed on another loop between our look and the flag.
		l.poke()
	}
	l.tryLater()
}

func (l *lane) tryLater() {
	if !l.retry.Armed() {
		l.loop.Schedule(&l.retry, l.loop.Now().Add(retryAfter))
	}
}

// drain gives waiting exchanges to workers, in their order, as far as there is room. It calls nobody back.
func (l *lane) drain() {
	for w := l.queue.first(); w != nil; w = l.queue.first() {
		if !l.place(w.job) {
			l.tryLater()
			return
		}
		l.unqueue(uint32(l.queue.head))
	}
}

// unqueue takes the entry at that place out of the queue.
func (l *lane) unqueue(at uint32) job {
	j := l.queue.remove(at)
	if w := l.queue.first(); w != nil {
		l.loop.Schedule(&l.expiry, w.until)
	} else {
		l.loop.Unschedule(&l.expiry)
		l.hungry.Store(false)
		l.d.hungry.Add(-1)
	}
	return j
}

// leave takes x out of the queue and its receiver off.
func (l *lane) leave(x *message.Exchange) (j job, ok bool) {
	if !l.queue.holds(x.Link.Slot, x) {
		return job{}, false
	}
	j = l.unqueue(x.Link.Slot)
	x.Receiver, x.Link = nil, message.Link{}
	return j, true
}

func (l *lane) expire() {
	now := l.loop.Now()
	for w := l.queue.first(); w != nil && w.until <= now; w = l.queue.first() {
		j, _ := l.leave(w.x)
		l.refuse(j, l.d.busy)
	}
}

func (l *lane) refuse(j job, err *fault.Error) {
	l.refused.Add(1)
	l.finish()
	j.done.Answered(j.x, err)
}

// finish counts the end of an exchange, before its Completion is told.
func (l *lane) finish() {
	l.ended.Add(1)
	if l.d.waiters.Load() > 0 {
		l.d.signal()
	}
}

// The lane is the receiver of the exchanges in its queue.

// BodyChunk cannot come: no body is read while an exchange waits.
func (l *lane) BodyChunk(*message.Exchange, []byte) {}

// BodyEnd cannot come either.
func (l *lane) BodyEnd(*message.Exchange, error) {}

// Drained cannot come: nothing has been written.
func (l *lane) Drained(*message.Exchange) {}

// Expired answers 504: the deadline has passed in the queue.
func (l *lane) Expired(x *message.Exchange) {
	if j, ok := l.leave(x); ok {
		l.finish()
		j.done.Answered(x, l.d.late)
	}
}

// Gone forgets x.
func (l *lane) Gone(x *message.Exchange) {
	if j, ok := l.leave(x); ok {
		l.finish()
		j.done.Gone(x)
	}
}

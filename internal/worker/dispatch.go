package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/balance"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
)

// Completion is how whoever dispatched an exchange learns of its answer. All calls come on the exchange's loop, and
// none comes after Answered, Ended, Gone, or a Started that returned false: exactly one of these ends each Dispatch.
// Answered may be called before Dispatch has returned.
type Completion interface {
	// Answered brings a whole answer: x.Response is filled (what was in it before stays, its Body is memory of the
	// bridge, valid during the call), or err is a *fault.Error: the handler's own, 502 worker_lost, 503
	// service_unavailable or shutting_down, 504 handler_timeout, or 500 for an answer that cannot be sent. The
	// exchange is the callee's again: it responds now or later.
	Answered(x *message.Exchange, err error)
	// Started brings the head of a streamed answer. The callee calls x.Stream.Start and returns true: the body then
	// goes to x.Stream without it. Or it ends the exchange in another way and returns false: the worker is told to stop.
	Started(x *message.Exchange) bool
	// Ended tells that a started answer ends now: complete (nil), or cut off (a *fault.Error). When it has returned,
	// the bridge itself calls x.Stream.End or Abort.
	Ended(x *message.Exchange, err error)
	// Gone tells that the client has left: see message.Receiver.
	Gone(x *message.Exchange)
}

// DispatchConfig says how exchanges are spread over workers. Zero values stand for the defaults named.
type DispatchConfig struct {
	// Strategy is "least-loaded" (default), "round-robin" or "prefer-awake": see package balance.
	Strategy string
	// Credit is how many exchanges a worker may hold, all loops together; 0 means 1024. A worker may ask for fewer.
	Credit int
	// Queue is how many exchanges wait on each loop when no worker can take them; 0 means 1024.
	Queue int
	// QueueTimeout is how long they wait before 503; 0 means 5 s.
	QueueTimeout time.Duration
}

const (
	defaultCredit       = 1024
	defaultQueue        = 1024
	defaultQueueTimeout = 5 * time.Second
	// loopPatience bounds the wait for a loop to take a posted task. A loop takes turns in microseconds; one that
	// does not come round for so long never will.
	loopPatience = 20 * time.Second
)

// Validate reports a strategy that does not exist or a negative number.
func (c DispatchConfig) Validate() error {
	if c.Credit < 0 || c.Queue < 0 || c.QueueTimeout < 0 {
		return errors.New("worker: credit, queue and queue timeout must not be negative")
	}
	_, err := balance.Parse(c.Strategy)
	return err
}

// Dispatcher spreads the exchanges of one generation of workers, which all have the same routes under the same
// numbers. Dispatch is called on loops, everything else on goroutines that are no loops.
type Dispatcher struct {
	cfg   DispatchConfig
	lanes []*lane // by the index of their loop

	// busy, late and leaving are the answers that never differ.
	busy, late, leaving *fault.Error

	// hungry counts the lanes whose exchanges wait: whoever frees a slot pokes them.
	hungry atomic.Int32
	// waiters counts the calls of WaitIdle, notify wakes one of them.
	waiters atomic.Int32
	notify  chan struct{}
}

// NewDispatcher returns a dispatcher without workers. A strategy that does not exist counts as the default: see
// DispatchConfig.Validate.
func NewDispatcher(loops []transport.Loop, cfg DispatchConfig) *Dispatcher {
	if cfg.Credit <= 0 {
		cfg.Credit = defaultCredit
	}
	if cfg.Queue <= 0 {
		cfg.Queue = defaultQueue
	}
	if cfg.QueueTimeout <= 0 {
		cfg.QueueTimeout = defaultQueueTimeout
	}
	retry := [][2]string{{"Retry-After", "1"}}
	d := &Dispatcher{
		cfg:     cfg,
		busy:    &fault.Error{Code: fault.ServiceUnavailable, Fields: retry},
		late:    &fault.Error{Code: fault.HandlerTimeout},
		leaving: &fault.Error{Code: fault.ShuttingDown, Fields: retry},
		notify:  make(chan struct{}, 1),
	}
	strategy, _ := balance.Parse(cfg.Strategy)
	for _, loop := range loops {
		for len(d.lanes) <= loop.Index() {
			d.lanes = append(d.lanes, nil)
		}
		d.lanes[loop.Index()] = newLane(d, loop, strategy)
	}
	return d
}

// Dispatch gives x to a worker, as the worker's route, with the spans of the path parameters in x.Request.Head. It is
// called on x's loop, within Serve or later, and returns at once; done learns the answer. From here until done is told
// the end, x.Receiver and x.Link are the dispatcher's.
func (d *Dispatcher) Dispatch(x *message.Exchange, route uint16, params []message.Span, done Completion) {
	d.lanes[x.Loop].dispatch(x, route, params, done)
}

// Add lets a worker that is ready take exchanges on all loops.
func (d *Dispatcher) Add(r *Remote) error {
	r.credit = int32(d.cfg.Credit)
	if asked := r.Region.Credit(); asked > 0 && asked < uint32(d.cfg.Credit) {
		r.credit = int32(asked)
	}
	r.links = make([]*link, len(d.lanes))
	for i, l := range d.lanes {
		if l != nil {
			r.links[i] = newLink(l, r)
		}
	}
	if err := d.everywhere(func(l *lane) error { return l.attach(r.links[l.loop.Index()]) }); err != nil {
		d.Remove(r, err)
		return fmt.Errorf("worker %d cannot be joined to the loops: %w", r.ID, err)
	}
	return nil
}

// Suspend keeps new exchanges from a worker. Those that it has go on.
func (d *Dispatcher) Suspend(r *Remote) { r.suspended.Store(true) }

// Resume ends a Suspend.
func (d *Dispatcher) Resume(r *Remote) {
	r.suspended.Store(false)
	d.pokeHungry(nil)
}

// Remove takes a worker away that has ended, or must not be trusted any more. Each of its exchanges is settled: GET,
// HEAD and OPTIONS without a body go to another worker, once, when nothing of their answer has been sent; the others
// are answered with 502 worker_lost, or cut off. When it returns no loop knows the worker any more.
func (d *Dispatcher) Remove(r *Remote, cause error) {
	if r.links == nil {
		return
	}
	r.suspended.Store(true)
	lost := &fault.Error{Code: fault.WorkerLost, Cause: cause}
	if err := d.everywhere(func(l *lane) error { l.detach(r.links[l.loop.Index()], lost); return nil }); err != nil {
		r.held.Store(true)
	}
}

// everywhere runs f on every loop, and returns when all have run it.
func (d *Dispatcher) everywhere(f func(l *lane) error) error {
	results := make(chan error, len(d.lanes))
	n := 0
	for _, l := range d.lanes {
		if l == nil {
			continue
		}
		n++
		j := &errand{run: func() { results <- f(l) }}
		j.task.Do = j
		l.loop.Post(&j.task)
	}
	patience := time.NewTimer(loopPatience)
	defer patience.Stop()
	var first error
	for range n {
		select {
		case err := <-results:
			if first == nil {
				first = err
			}
		case <-patience.C:
			return errors.New("worker: a loop does not come round")
		}
	}
	return first
}

// errand is a closure as a task.
type errand struct {
	task mailbox.Task
	run  func()
}

// Run implements mailbox.Runner.
func (e *errand) Run() { e.run() }

// InFlight is how many answers a worker owes, those to clients that have left included. Safe from any goroutine.
func (d *Dispatcher) InFlight(r *Remote) int { return int(r.inFlight.Load()) }

// Drained reports whether no exchange is waiting or with a worker. Safe from any goroutine.
func (d *Dispatcher) Drained() bool {
	for _, l := range d.lanes {
		// In this order: an exchange that ends between the two looks makes it look busy, not idle.
		if l != nil {
			ended := l.ended.Load()
			if l.begun.Load() != ended {
				return false
			}
		}
	}
	return true
}

// WaitIdle returns nil when Drained, or the error of ctx.
func (d *Dispatcher) WaitIdle(ctx context.Context) error {
	d.waiters.Add(1)
	defer d.waiters.Add(-1)
	for !d.Drained() {
		select {
		case <-d.notify:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.signal() // another waiter may have missed it
	return nil
}

func (d *Dispatcher) signal() {
	select {
	case d.notify <- struct{}{}:
	default:
	}
}

// pokeHungry lets the lanes whose exchanges wait try again, except for the one that is asking.
func (d *Dispatcher) pokeHungry(except *lane) {
	if d.hungry.Load() == 0 {
		return
	}
	for _, l := range d.lanes {
		if l != nil && l != except && l.hungry.Load() {
			l.poke()
		}
	}
}

// Stats counts what has happened since the dispatcher was made.
type Stats struct {
	// Dispatched exchanges, and those of them that have Ended.
	Dispatched, Ended uint64
	// Queued had to wait for a worker, Refused were answered with 503 after that or at once.
	Queued, Refused uint64
	// Retried went to a second worker, Lost were answered with 502 or cut off because their worker was lost.
	Retried, Lost uint64
	// Cancelled were given up by the client or by a deadline while a worker had them.
	Cancelled uint64
	// Stale answers came for an exchange that the worker did not hold (any more), and were dropped.
	Stale uint64
}

// Stats adds up the counters of all loops. Safe from any goroutine.
func (d *Dispatcher) Stats() (s Stats) {
	for _, l := range d.lanes {
		if l == nil {
			continue
		}
		s.Ended += l.ended.Load()
		s.Dispatched += l.begun.Load()
		s.Queued += l.queued.Load()
		s.Refused += l.refused.Load()
		s.Retried += l.retried.Load()
		s.Lost += l.lost.Load()
		s.Cancelled += l.cancelled.Load()
		s.Stale += l.stale.Load()
	}
	return s
}

// interface guards
var (
	_ message.Receiver = (*link)(nil)
	_ message.Receiver = (*lane)(nil)
	_ transport.Source = (*link)(nil)
)

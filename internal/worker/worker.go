package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/covetpy/covet/internal/ring"
)

const (
	// watchEvery is how often a worker's liveness is looked at: one read of shared memory.
	watchEvery = 100 * time.Millisecond
	// memoryEvery is how often its resident memory is read.
	memoryEvery = time.Second
	// exitPatience is how long a worker that has been told to exit may take before it is killed, on top of the
	// second that the protocol gives its lifespan.
	exitPatience = 3 * time.Second
	// lastWords is how long the messages of a worker that has exited may take to be read: they are in the channel.
	lastWords = time.Second
	// farewell is the grace that a worker gets with "drain" once it has nothing in flight any more, or has had its
	// time: what is left is cancelled, and the lifespan shuts down.
	farewell = time.Second
)

// worker is one process with what the engine knows of it.
type worker struct {
	s          *Supervisor
	id         int
	gen        int
	dispatcher *Dispatcher
	process    *process
	remote     *Remote
	table      *RouteTable
	hello      hello
	started    time.Time
	state      machine
	admitted   bool
	blocked    blockage
	events     chan event // closed at the end of the control channel
	// verdict is why the engine killed it, when it did so on its own account.
	verdict atomic.Pointer[string]

	maxRequests uint64
	maxMemory   int64
	expires     time.Time

	mapped   sync.Mutex // held by status while it reads the region
	unmapped bool
}

// startWorker starts a process and waits until it is ready. It is not admitted to the dispatcher yet.
func (s *Supervisor) startWorker(ctx context.Context, g *Generation) (*worker, error) {
	w := &worker{s: s, id: int(s.nextID.Add(1)), gen: g.Number, dispatcher: g.Dispatcher, started: time.Now(), events: make(chan event, 4)}
	remote, files, err := newRemote(w.id, len(s.loops), s.spec.RingBytes)
	if err != nil {
		return nil, fmt.Errorf("shared memory of worker %d: %w", w.id, err)
	}
	w.remote = remote
	w.process, err = startProcess(s.spawner, &s.spec, workerEnv{
		Target: s.spec.Target, Dir: s.spec.Dir, Worker: w.id, Loops: len(s.loops), Credit: g.Dispatcher.cfg.Credit,
		Threads: s.spec.Threads, Loop: s.spec.EventLoop, SpinUS: s.spec.Spin.Microseconds(),
		SchedBatch: s.spec.SchedBatch, Dev: s.spec.Dev,
	}, files)
	for _, f := range files {
		_ = f.Close() // duplicates made for the child
	}
	if err != nil {
		remote.Close()
		return nil, err
	}
	go w.listen()
	if err := w.awaitReady(ctx); err != nil {
		w.discard(err)
		return nil, err
	}
	w.limit()
	return w, nil
}

// listen forwards the worker's messages until its control channel ends.
func (w *worker) listen() {
	defer close(w.events)
	for {
		e, err := w.process.control.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				w.condemn("it broke the protocol: " + err.Error())
			}
			return
		}
		w.events <- e
	}
}

// condemn kills the worker; the first reason is the one that is told.
func (w *worker) condemn(reason string) {
	w.verdict.CompareAndSwap(nil, &reason)
	w.process.kill()
}

// fate says in words how the worker ended. Only after process.exited.
func (w *worker) fate() string {
	if reason := w.verdict.Load(); reason != nil {
		return *reason
	}
	return w.process.how()
}

// awaitReady takes the messages of the start, in their order.
func (w *worker) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.s.policy.StartTimeout)
	defer cancel()
	greeted := false
	for {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return &StartError{
				Stage:   "timeout",
				Message: fmt.Sprintf("the application %s was not ready within %v", w.s.spec.Target, w.s.policy.StartTimeout),
				Hint:    "look for slow work at import or in the lifespan, or raise --start-timeout",
			}
		case e, open := <-w.events:
			switch {
			case !open:
				return w.explainExit(ctx, greeted)
			case e.hello != nil && !greeted:
				w.hello, greeted = *e.hello, true
				if w.hello.Layout != ring.Version {
					return &StartError{
						Stage: "bridge",
						Message: fmt.Sprintf("the Python package covet %s has version %d of the shared memory's layout, but this engine has %d",
							w.hello.Covet, w.hello.Layout, ring.Version),
						Hint: "the covet binary and the Python package must be of one version: reinstall covetpy",
					}
				}
			case e.routes != nil && greeted && w.table == nil:
				w.table = e.routes
			case e.failed != nil:
				return e.failed
			case e.ready && w.table != nil:
				return nil
			default:
				return protocolError("it sent a message out of order")
			}
		}
	}
}

func protocolError(what string) *StartError {
	return &StartError{
		Stage: "protocol", Message: "the worker does not keep to the protocol: " + what,
		Hint: "the covet binary and the Python package must be of one version: reinstall covetpy",
	}
}

// explainExit finds out why a worker ended before it was ready.
func (w *worker) explainExit(ctx context.Context, greeted bool) error {
	w.process.end(exitPatience)
	if broke := w.verdict.Load(); broke != nil {
		return protocolError(*broke)
	}
	if !greeted {
		// It could not even say hello: most often the interpreter is a wrong one or lacks the package.
		if _, err := CheckPython(ctx, w.s.spec.Python); err != nil {
			return err
		}
	}
	return &StartError{
		Stage:   "exit",
		Message: fmt.Sprintf("the worker ended while it started the application %s: %s", w.s.spec.Target, w.process.how()),
		Hint:    "its own output above may say why",
	}
}

// limit draws the worker's own limits from the policy, each varied by the jitter so that workers started together
// do not retire together.
func (w *worker) limit() {
	p := &w.s.policy
	vary := func(v float64) float64 { return v * (1 + p.Jitter*(2*rand.Float64()-1)) }
	// Rounded up: the fraction of a request must not become 0, which means never.
	w.maxRequests = uint64(math.Ceil(vary(float64(p.MaxRequests))))
	w.maxMemory = int64(math.Ceil(vary(float64(p.MaxMemory))))
	w.expires = time.Time{}
	if p.MaxAge > 0 {
		w.expires = time.Now().Add(time.Duration(vary(float64(p.MaxAge))))
	}
}

// postpone gives a worker that could not be replaced some more time.
func (w *worker) postpone() {
	p := &w.s.policy
	handled := w.remote.Region.Liveness().Handled
	if w.maxRequests > 0 {
		w.maxRequests = handled + max(p.MaxRequests/10, 1)
	}
	if w.maxMemory > 0 {
		w.maxMemory += w.maxMemory / 10
	}
	if !w.expires.IsZero() {
		w.expires = time.Now().Add(max(p.MaxAge/10, p.BackoffMin))
	}
}

// leave ends a worker in good order: no new requests, time for those in flight until ctx ends, then exit.
func (w *worker) leave(ctx context.Context) {
	w.state.move(Draining)
	w.dispatcher.Suspend(w.remote)
	w.awaitIdle(ctx)
	patience := farewell + w.s.policy.ExitTimeout
	if w.held() >= w.s.policy.BlockedAfter {
		patience = min(patience, exitPatience) // a blocked event loop shuts no lifespan down
	}
	if err := w.process.control.drain(farewell); err == nil {
		w.awaitExit(patience)
	}
	w.discard(errRetired)
}

// held is how long the running handler step has held the event loop; 0 between steps.
func (w *worker) held() time.Duration {
	since := w.remote.Region.Liveness().BusySince
	if since == 0 {
		return 0
	}
	return time.Duration(monotonic() - since)
}

// dismiss ends a worker that has started, but gets no requests.
func (w *worker) dismiss(cause error) {
	if err := w.process.control.stop(); err == nil {
		w.awaitExit(min(exitPatience, w.s.policy.ExitTimeout))
	}
	w.discard(cause)
}

var errRetired = errors.New("the worker was retired")

// awaitIdle waits until the worker owes no answer, at most until ctx ends.
func (w *worker) awaitIdle(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for w.dispatcher.InFlight(w.remote) > 0 {
		select {
		case <-w.process.exited:
			return
		case <-w.remote.Broken():
			w.condemn("it broke the rules of the shared memory: " + w.remote.Err().Error())
			return
		case <-ctx.Done():
			w.s.log.Warn("the drain deadline passed with requests in flight", "worker", w.id, "requests", w.dispatcher.InFlight(w.remote))
			return
		case <-tick.C:
		}
	}
}

// awaitExit lets a worker that has been told to exit do so, and listens to what it says meanwhile.
func (w *worker) awaitExit(patience time.Duration) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	events, exited, drained := w.events, w.process.exited, false
	for {
		select {
		case <-exited:
			if events == nil {
				return
			}
			exited = nil
			deadline.Reset(lastWords)
		case <-deadline.C:
			if exited == nil {
				return
			}
			w.s.log.Warn("a worker did not exit when it was told to, and is killed", "worker", w.id, "pid", w.process.pid(), "after", patience)
			return
		case e, open := <-events:
			switch {
			case !open && exited == nil:
				return
			case !open:
				events = nil
			case !e.drained || drained:
				w.s.log.Error("a worker failed on its way out", "worker", w.id, "error", "it sent a message that nobody waits for"+e.complaint())
				return
			default:
				drained = true
			}
		}
	}
}

// discard ends the process if it still runs, settles what it owed and frees everything.
func (w *worker) discard(cause error) {
	w.process.kill()
	<-w.process.exited
	w.state.move(Dead)
	if w.admitted {
		w.dispatcher.Remove(w.remote, cause)
	}
	w.mapped.Lock()
	w.remote.Close()
	w.unmapped = true
	w.mapped.Unlock()
	_ = w.process.control.close() // listen ends, whatever it says
	for range w.events {          // listen ends at the closed channel; what it still had to say matters no more
	}
}

func (w *worker) status() Status {
	st := Status{
		ID: w.id, PID: w.process.pid(), Generation: w.gen, State: w.state.at().String(), Age: time.Since(w.started),
		Python: w.hello.Python, EventLoop: w.hello.Loop,
	}
	w.mapped.Lock()
	defer w.mapped.Unlock()
	if !w.unmapped {
		st.InFlight = w.dispatcher.InFlight(w.remote)
		st.Handled = w.remote.Region.Liveness().Handled
		st.Memory = w.process.memory()
	}
	return st
}

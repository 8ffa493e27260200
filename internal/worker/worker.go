package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

const (
	// watchEvery is how often a worker's liveness is looked at: one read of shared memory.
	watchEvery = 100 * time.Millisecond
	// memoryEvery is how often its resident memory is read.
	memoryEvery = time.Second
	// exitPatience is how long a worker that has been told to exit may take before it is killed, on top of the
	// second that the protocol gives its lifespan.
	exitPatience = 3 * time.Second
	// farewell is the grace that a worker gets with "drain" once it has nothing in flight any more, or has had its
	// time: what is left is cancelled, and the lifespan shuts down.
	farewell = time.Second
	// lifespanPatience bounds the shut-down of the application's lifespan.
	lifespanPatience = 15 * time.Second
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
	events     chan event // closed at the end of the control channel

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
				w.s.log.Error("worker broke the protocol", "worker", w.id, "error", err)
				w.process.kill()
			}
			return
		}
		w.events <- e
	}
}

// awaitReady takes the messages of the start, in their order.
func (w *worker) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.s.policy.StartTimeout)
	defer cancel()
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
				return w.explainExit()
			case e.hello != nil:
				w.hello = *e.hello
			case e.routes != nil:
				w.table = e.routes
			case e.failed != nil:
				return e.failed
			case e.ready && w.table != nil:
				return nil
			default:
				return fmt.Errorf("worker %d sent a message out of order", w.id)
			}
		}
	}
}

// explainExit finds out why a worker ended before it was ready.
func (w *worker) explainExit() error {
	w.process.end(exitPatience)
	if w.hello.PID == 0 {
		// It could not even say hello: most often the interpreter is a wrong one or lacks the package.
		if _, err := CheckPython(context.Background(), w.s.spec.Python); err != nil {
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
	w.maxRequests = uint64(vary(float64(p.MaxRequests)))
	w.maxMemory = int64(vary(float64(p.MaxMemory)))
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

type outcome int

const (
	retired outcome = iota // told to by its generation
	recycle                // has reached a limit of the policy
	died                   // the process has ended, or had to be killed
)

type ending struct {
	outcome outcome
	reason  string
}

// watch looks after a worker until something has to be done about it.
func (w *worker) watch(ctx context.Context) ending {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var b blockage
	nextMemory := time.Now().Add(memoryEvery)
	for {
		select {
		case <-ctx.Done():
			return ending{outcome: retired}
		case <-w.process.exited:
			return ending{died, w.process.how()}
		case <-w.remote.Broken():
			w.process.kill()
			<-w.process.exited
			return ending{died, "it broke the rules of the shared memory: " + w.remote.Err().Error()}
		case e, open := <-w.events:
			if open && e.failed != nil {
				w.s.log.Error("worker failed", "worker", w.id, "error", e.failed.Message)
			}
			if !open {
				w.process.end(exitPatience)
				return ending{died, w.process.how()}
			}
		case now := <-tick.C:
			if reason := w.look(&b, now); reason != "" {
				w.process.kill()
				<-w.process.exited
				return ending{died, reason}
			}
			if reason := w.due(now, &nextMemory); reason != "" {
				return ending{recycle, reason}
			}
		}
	}
}

// blockage remembers the step that holds a worker's event loop.
type blockage struct {
	since    int64 // RegionBusySince of the step; 0 while the loop comes round
	reported bool
}

// look finds out whether one handler step holds the event loop, and acts on it. A reason means: replace it.
func (w *worker) look(b *blockage, now time.Time) (reason string) {
	p := &w.s.policy
	live := w.remote.Region.Liveness()
	held := time.Duration(0)
	if live.BusySince != 0 {
		held = time.Duration(monotonic() - live.BusySince)
	}
	if b.reported && (live.BusySince != b.since || held < p.BlockedAfter) {
		*b = blockage{}
		if w.state.move(Ready) {
			w.s.log.Info("event loop runs again", "worker", w.id)
			w.dispatcher.Resume(w.remote)
		}
	}
	if held < p.BlockedAfter {
		return ""
	}
	if !b.reported {
		*b = blockage{since: live.BusySince, reported: true}
		if w.state.move(Busy) {
			w.dispatcher.Suspend(w.remote)
		}
		w.s.log.Warn("a handler blocks the event loop; its worker gets no new requests, the stacks follow",
			"worker", w.id, "pid", w.process.pid(), "for", held.Round(time.Millisecond), "limit", p.BlockedLimit,
			"hint", "make it a plain def, or await what it waits for")
		_ = w.process.cmd.Process.Signal(syscall.SIGUSR1) // stacks; fails only when it has just ended
	}
	if held >= p.BlockedLimit {
		return fmt.Sprintf("one handler step held its event loop for %v", held.Round(time.Millisecond))
	}
	return ""
}

// due says whether the worker has reached one of its limits, and which.
func (w *worker) due(now time.Time, nextMemory *time.Time) (reason string) {
	if w.maxRequests > 0 && w.remote.Region.Liveness().Handled >= w.maxRequests {
		return fmt.Sprintf("it has handled %d requests", w.maxRequests)
	}
	if !w.expires.IsZero() && now.After(w.expires) {
		return fmt.Sprintf("it is %v old", now.Sub(w.started).Round(time.Second))
	}
	if w.maxMemory > 0 && now.After(*nextMemory) {
		*nextMemory = now.Add(memoryEvery)
		if m := w.process.memory(); m >= w.maxMemory {
			return fmt.Sprintf("it uses %d MiB of memory", m>>20)
		}
	}
	return ""
}

// leave ends a worker in good order: no new requests, time for those in flight, then exit.
func (w *worker) leave() {
	w.state.move(Draining)
	w.dispatcher.Suspend(w.remote)
	w.awaitIdle(w.dispatcher)
	if err := w.process.control.drain(farewell); err == nil {
		w.process.end(farewell + lifespanPatience)
	}
	w.discard(errRetired)
}

var errRetired = errors.New("the worker was retired")

// awaitIdle waits until the worker owes no answer, at most for the drain timeout.
func (w *worker) awaitIdle(d *Dispatcher) {
	deadline := time.NewTimer(w.s.policy.DrainTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for d.InFlight(w.remote) > 0 {
		select {
		case <-w.process.exited:
			return
		case <-deadline.C:
			w.s.log.Warn("the drain deadline passed with requests in flight", "worker", w.id, "requests", d.InFlight(w.remote))
			return
		case <-tick.C:
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

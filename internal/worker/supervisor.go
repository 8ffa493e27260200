package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/covetpy/covet/internal/transport"
)

// Supervisor keeps the worker processes of one application running: it starts them, watches them, replaces those
// that die, leak or hang, and swaps all of them on reload. Its methods may be called from any goroutine that is not
// a loop.
type Supervisor struct {
	spec     Spec
	policy   Policy
	dispatch DispatchConfig
	loops    []transport.Loop
	publish  func(*Generation) error
	log      *slog.Logger
	spawner  *spawner

	// changing serializes Start, Reload and Stop: whoever has put something in makes the change. A channel, because
	// the wait for it ends with a context.
	changing chan struct{}
	// life ends with the call of Stop, hurry when what is in flight has had its time after that.
	life, hurry  context.Context
	end, hurryUp context.CancelFunc
	current      atomic.Pointer[Generation]
	numbers      int            // generations made so far; by who is changing
	nextID       atomic.Int64   // workers started so far
	retiring     sync.WaitGroup // generations and workers on their way out
	restarts     atomic.Int64
}

// NewSupervisor returns a supervisor that has started nothing yet. Publish is called with every generation whose
// workers are ready, before the previous one is retired: from its return on no new exchange may be dispatched to the
// previous one. When it fails the new generation is dropped and the previous one stays.
func NewSupervisor(spec Spec, policy Policy, dispatch DispatchConfig, loops []transport.Loop, publish func(*Generation) error, log *slog.Logger) *Supervisor {
	spec.fill()
	policy.fill()
	s := &Supervisor{
		spec: spec, policy: policy, dispatch: dispatch, loops: loops, publish: publish, log: log, spawner: newSpawner(),
		changing: make(chan struct{}, 1),
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.hurry, s.hurryUp = context.WithCancel(context.Background())
	return s
}

// errStopped is the answer to a change that comes after Stop.
var errStopped = errors.New("worker: the supervisor has stopped")

// Start starts the first generation and returns when all its workers are ready and published. An error is usually a
// *StartError.
func (s *Supervisor) Start(ctx context.Context) error { return s.Reload(ctx) }

// Reload starts a new generation of workers, publishes it and retires the present one, which finishes its requests
// in the background. When the new generation cannot start, the present one goes on as if nothing had happened. A call
// of Stop ends a Reload that is under way.
func (s *Supervisor) Reload(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	select {
	case s.changing <- struct{}{}:
		defer func() { <-s.changing }()
	case <-ctx.Done():
	}
	if err := s.over(ctx); err != nil {
		return err
	}
	s.numbers++
	next, err := s.startGeneration(ctx, s.numbers)
	if over := s.over(ctx); err != nil && over != nil {
		return over
	}
	if err != nil {
		return err
	}
	if err := s.publish(next); err != nil {
		next.abandon()
		return err
	}
	previous := s.current.Swap(next)
	next.mind()
	if previous != nil {
		s.log.Info("workers reloaded", "generation", next.Number, "workers", s.spec.Workers)
		s.retiring.Add(1)
		go func() {
			defer s.retiring.Done()
			previous.retire(s.policy.DrainTimeout)
		}()
	}
	return nil
}

// over says why a change of ctx cannot be made any more.
func (s *Supervisor) over(ctx context.Context) error {
	if s.life.Err() != nil {
		return errStopped
	}
	return ctx.Err()
}

// Stop retires all workers, those of former generations as well, and returns when they have ended. What is still in
// flight may finish until ctx ends, at most for the policy's DrainTimeout; then the workers get the time that they need
// to shut down their lifespans, and are killed after that. A start or a reload that is under way is given up.
func (s *Supervisor) Stop(ctx context.Context) {
	s.end()
	ctx, cancel := context.WithTimeout(ctx, s.policy.DrainTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, s.hurryUp)()
	s.changing <- struct{}{} // soon: see over
	defer func() { <-s.changing }()
	if s.spawner == nil {
		return // a second Stop
	}
	if g := s.current.Swap(nil); g != nil {
		g.retire(s.policy.DrainTimeout)
	}
	s.retiring.Wait()
	s.spawner.close()
	s.spawner = nil
}

// Status says how a worker is doing.
type Status struct {
	ID         int           `json:"id"`
	PID        int           `json:"pid"`
	Generation int           `json:"generation"`
	State      string        `json:"state"`
	Age        time.Duration `json:"age_ns"`
	InFlight   int           `json:"in_flight"`
	Handled    uint64        `json:"handled"`
	Memory     int64         `json:"memory_bytes"`
	Python     string        `json:"python"`
	EventLoop  string        `json:"event_loop"`
}

// Workers returns the status of the present generation's workers, by seat.
func (s *Supervisor) Workers() []Status {
	g := s.current.Load()
	if g == nil {
		return nil
	}
	return g.status()
}

// Restarts is how many workers have died after they were ready, and so had to be started again.
func (s *Supervisor) Restarts() int64 { return s.restarts.Load() }

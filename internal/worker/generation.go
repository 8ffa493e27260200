package worker

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// Generation is the workers that run one state of the application's code: they have one route table in common, and
// the numbers of its routes mean something to them only.
type Generation struct {
	// Number counts from 1.
	Number int
	// Table is what the application serves.
	Table *RouteTable
	// Dispatcher spreads exchanges over the workers.
	Dispatcher *Dispatcher

	s       *Supervisor
	ctx     context.Context // ends when the generation is told to retire
	cancel  context.CancelFunc
	minders sync.WaitGroup

	patience context.Context // ends when what is in flight has had its time; set before ctx ends

	mu    sync.Mutex
	seats []*worker // the worker in each seat, under mu
}

// startGeneration starts all workers side by side. The error is that of the first one that failed.
func (s *Supervisor) startGeneration(ctx context.Context, number int) (*Generation, error) {
	g := &Generation{Number: number, Dispatcher: NewDispatcher(s.loops, s.dispatch), s: s}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.seats = make([]*worker, s.spec.Workers)

	starting, stop := context.WithCancel(ctx)
	defer stop()
	failures := make(chan error, len(g.seats))
	for i := range g.seats {
		go func() {
			w, err := s.startWorker(starting, g)
			if err == nil {
				g.put(i, w)
			}
			failures <- err
		}()
	}
	var failure error
	for range g.seats {
		if err := <-failures; err != nil && failure == nil {
			failure = err
			stop() // the others need not be waited for
		}
	}
	if failure == nil {
		failure = g.agree()
	}
	for _, w := range g.seats {
		if failure == nil {
			failure = g.admit(w)
		}
	}
	if failure != nil {
		g.abandon()
		return nil, failure
	}
	return g, nil
}

// agree checks that all workers serve the same routes, and takes them as the generation's.
func (g *Generation) agree() error {
	g.Table = g.seats[0].table
	for _, w := range g.seats[1:] {
		if !reflect.DeepEqual(g.Table, w.table) {
			return &StartError{
				Stage:   "routes",
				Message: fmt.Sprintf("workers %d and %d of the same application have different routes", g.seats[0].id, w.id),
				Hint:    "make the routes independent of time, environment and randomness: every worker imports the application by itself",
			}
		}
	}
	return nil
}

// admit lets a started worker take requests.
func (g *Generation) admit(w *worker) error {
	if err := g.Dispatcher.Add(w.remote); err != nil {
		return fmt.Errorf("worker %d cannot be joined to the loops: %w", w.id, err)
	}
	w.admitted = true
	w.state.move(Ready)
	return nil
}

func (g *Generation) put(seat int, w *worker) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seats[seat] = w
}

func (g *Generation) status() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Status, 0, len(g.seats))
	for _, w := range g.seats {
		if w != nil {
			list = append(list, w.status())
		}
	}
	return list
}

// abandon ends the workers of a generation that was never published. Some have started their lifespans.
func (g *Generation) abandon() {
	g.cancel()
	var leaving sync.WaitGroup
	for _, w := range g.seats {
		if w != nil {
			leaving.Go(func() { w.dismiss(errAbandoned) })
		}
	}
	leaving.Wait()
}

var errAbandoned = errors.New("the new generation was given up")

// mind starts the goroutines that keep every seat taken.
func (g *Generation) mind() {
	for i, w := range g.seats {
		g.minders.Add(1)
		go func() {
			defer g.minders.Done()
			g.mindSeat(i, w)
		}()
	}
}

// retire lets the exchanges of the generation end, at most for patience, then ends its workers.
func (g *Generation) retire(patience time.Duration) {
	ctx, stop := context.WithTimeout(g.s.hurry, patience)
	defer stop()
	// A loop may have found one of the generation's routes, and be about to dispatch: let all come round.
	if err := g.Dispatcher.everywhere(func(*lane) error { return nil }); err != nil {
		g.s.log.Error("a generation retires while it may get requests", "generation", g.Number, "error", err)
	}
	idle := g.Dispatcher.WaitIdle(ctx) == nil
	g.patience = ctx
	g.cancel()
	g.minders.Wait()
	if !idle {
		g.s.log.Warn("the drain deadline passed with requests in flight", "generation", g.Number)
	}
}

// arrival is what became of a replacement.
type arrival struct {
	worker *worker
	err    error
}

// mindSeat keeps a worker in one seat until the generation retires.
func (g *Generation) mindSeat(seat int, w *worker) {
	backoff := g.s.policy.BackoffMin
	var due string          // why w is to be replaced
	var coming chan arrival // brings the replacement; nil when none has been asked for
	for {
		switch end := w.watch(g.ctx, coming); end.outcome {
		case retired:
			w.leave(g.patience)
			if coming == nil {
				return
			}
			if a := <-coming; a.err == nil { // soon: its start has ended with the generation's context
				a.worker.leave(g.patience)
			}
			return
		case recycle:
			due, coming = end.reason, make(chan arrival, 1)
			go func(coming chan<- arrival) {
				next, err := g.replacement()
				coming <- arrival{next, err}
			}(coming)
		case replaced:
			coming = nil
			next := end.next.worker
			if err := end.next.err; err != nil {
				if g.ctx.Err() == nil {
					g.s.log.Error("no replacement for a worker that is due", "worker", w.id, "reason", due, "error", err)
				}
				w.postpone()
				continue
			}
			g.s.log.Info("worker replaced", "worker", w.id, "by", next.id, "reason", due)
			g.put(seat, next)
			g.s.retiring.Add(1)
			go func(old *worker) {
				defer g.s.retiring.Done()
				ctx, stop := context.WithTimeout(g.s.hurry, g.s.policy.DrainTimeout)
				defer stop()
				old.leave(ctx)
			}(w)
			w = next
		case died:
			lived := time.Since(w.started)
			g.s.log.Error("worker died", "worker", w.id, "pid", w.process.pid(), "reason", end.reason)
			g.s.restarts.Add(1)
			w.discard(errors.New(end.reason))
			if lived >= g.s.policy.BackoffReset {
				backoff = g.s.policy.BackoffMin
			}
			var next *worker
			if coming != nil { // it was due, and its replacement is already being started
				next, coming = (<-coming).worker, nil
			}
			if next == nil {
				next = g.restart(&backoff)
			}
			if next == nil {
				return
			}
			g.put(seat, next)
			w = next
		}
	}
}

// replacement starts one more worker with the generation's routes.
func (g *Generation) replacement() (*worker, error) {
	w, err := g.s.startWorker(g.ctx, g)
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(g.Table, w.table) {
		w.dismiss(errAbandoned)
		return nil, &StartError{
			Stage:   "routes",
			Message: "the application's routes have changed on disk",
			Hint:    "reload, so that all workers change together: covet reload",
		}
	}
	if err := g.admit(w); err != nil {
		w.dismiss(err)
		return nil, err
	}
	return w, nil
}

// restart tries until a worker runs again, pausing longer each time. It returns nil when the generation retires.
func (g *Generation) restart(backoff *time.Duration) *worker {
	pause := time.NewTimer(*backoff)
	defer pause.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return nil
		case <-pause.C:
		}
		*backoff = min(*backoff*2, g.s.policy.BackoffMax)
		w, err := g.replacement()
		if err == nil {
			g.s.log.Info("worker started again", "worker", w.id, "pid", w.process.pid())
			return w
		}
		if g.ctx.Err() != nil {
			return nil
		}
		g.s.log.Error("worker cannot be started again", "error", err, "next_try_in", *backoff)
		pause.Reset(*backoff)
	}
}

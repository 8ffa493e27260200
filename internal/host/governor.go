package host

import (
	"sync"
	"time"
)

const (
	// governPeriod is how often a Governor looks: a burst of a quarter of a second is over before a change would help.
	governPeriod = 250 * time.Millisecond
	// batchFrom and batchUntil are the parts of its loops' processor time that the process has to use for the policy to
	// change. Between them it stays.
	batchFrom, batchUntil = 0.6, 0.35
)

// A Governor keeps the scheduling policy of this process in step with its load. A process that has little to do is
// better off with the ordinary policy, which lets it run as soon as something arrives, also beside busy neighbours. One
// that is saturated does more with [Batch]: nothing is gained by interrupting whoever runs for a request that has to
// queue all the same. docs/internals/crossing.md has the figures.
type Governor struct {
	loops float64
	batch bool

	// Replaced by tests.
	used func() (time.Duration, bool)
	set  func(batch bool) error

	quit chan struct{}
	done sync.WaitGroup
}

// Govern starts a Governor for a process whose loops can use that many processors. Where the system knows no such
// policies it does nothing. An error is the system's refusal to change them; nothing is governed then.
func Govern(loops int) (*Governor, error) {
	g := &Governor{loops: float64(max(loops, 1)), used: processTime, set: setBatch, quit: make(chan struct{})}
	if _, ok := g.used(); !ok {
		return g, nil
	}
	if err := g.set(false); err != nil {
		return g, err
	}
	g.done.Go(g.run)
	return g, nil
}

func setBatch(batch bool) error {
	if batch {
		return Batch()
	}
	return Ordinary()
}

// Stop ends the Governor; the policy stays as it is. It may be called once.
func (g *Governor) Stop() {
	close(g.quit)
	g.done.Wait()
}

func (g *Governor) run() {
	tick := time.NewTicker(governPeriod)
	defer tick.Stop()
	before, _ := g.used()
	last := time.Now()
	for {
		select {
		case <-g.quit:
			return
		case now := <-tick.C:
			used, _ := g.used()
			g.look(used-before, now.Sub(last))
			before, last = used, now
		}
	}
}

// look takes the processor time used in a period and changes the policy if that is due.
func (g *Governor) look(used, period time.Duration) {
	if period <= 0 {
		return
	}
	load := float64(used) / (float64(period) * g.loops)
	if batch := load > batchFrom || g.batch && load > batchUntil; batch != g.batch {
		// It was allowed at the start; if it is not any more, the next change tries again.
		if g.set(batch) == nil {
			g.batch = batch
		}
	}
}

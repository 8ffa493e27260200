// Package balance chooses one of a few workers for the next exchange, from what is known of their loads.
//
// A [Picker] belongs to one goroutine: one for each I/O loop. It knows nothing of workers but their [Load]s.
package balance

import (
	"fmt"
	"time"
)

// Strategy is a way to choose.
type Strategy uint8

const (
	// LeastLoaded takes the worker with the fewest exchanges in flight; those that are equal take turns.
	LeastLoaded Strategy = iota
	// RoundRobin takes one after the other, whatever they have to do.
	RoundRobin
	// PreferAwake stays with the worker used last as long as that one keeps up, then takes the least loaded one that
	// is awake and keeps up, and wakes another one only when there is none: fewer, larger batches and fewer wake-ups.
	PreferAwake
)

// Parse returns the strategy of that name: "least-loaded" (or ""), "round-robin", "prefer-awake".
func Parse(name string) (Strategy, error) {
	for _, s := range []Strategy{LeastLoaded, RoundRobin, PreferAwake} {
		if name == s.String() {
			return s, nil
		}
	}
	if name == "" {
		return LeastLoaded, nil
	}
	return 0, fmt.Errorf("balance: unknown strategy %q: want least-loaded, round-robin or prefer-awake", name)
}

// String is the strategy's name.
func (s Strategy) String() string {
	switch s {
	case LeastLoaded:
		return "least-loaded"
	case RoundRobin:
		return "round-robin"
	case PreferAwake:
		return "prefer-awake"
	}
	return fmt.Sprintf("strategy %d", uint8(s))
}

// MaxLag is how long a worker may leave a published frame unread and still count as keeping up. It is some ten times
// what a wake-up costs, so that an ordinary wake-up is not taken for a queue, and far below what a client notices.
const MaxLag = 500 * time.Microsecond

// Load is what is known of a worker at this moment.
type Load struct {
	// Open tells that it may be chosen.
	Open bool
	// Awake tells that it does not sleep (PreferAwake only).
	Awake bool
	// InFlight is the number of exchanges it holds.
	InFlight int
	// Lag is how long the oldest frame that it has not read has been waiting (PreferAwake only).
	Lag time.Duration
}

// Picker chooses. The zero Picker is ready and uses LeastLoaded.
type Picker struct {
	Strategy Strategy
	last     int // the place chosen last
}

// Pick returns the place of the worker to use next, -1 when none is open. It does not allocate.
func (p *Picker) Pick(loads []Load) int {
	var at int
	switch p.Strategy {
	case RoundRobin:
		at = p.next(loads)
	case PreferAwake:
		at = p.awake(loads)
	default:
		at = p.least(loads, every)
	}
	if at >= 0 {
		p.last = at
	}
	return at
}

// next is the first open one behind the last.
func (p *Picker) next(loads []Load) int {
	for i := range loads {
		if at := (p.last + 1 + i) % len(loads); loads[at].Open {
			return at
		}
	}
	return -1
}

// filter narrows the choice of least.
type filter uint8

const (
	every filter = iota
	awakeInTime
	asleep
)

// least is the open one with the fewest exchanges; of equal ones the first behind the last, so that they take turns.
func (p *Picker) least(loads []Load, f filter) int {
	best := -1
	for i := range loads {
		at := (p.last + 1 + i) % len(loads)
		l := &loads[at]
		if !l.Open || f == awakeInTime && (!l.Awake || l.Lag > MaxLag) || f == asleep && l.Awake {
			continue
		}
		if best < 0 || l.InFlight < loads[best].InFlight {
			best = at
		}
	}
	return best
}

func (p *Picker) awake(loads []Load) int {
	if p.last < len(loads) {
		if l := &loads[p.last]; l.Open && l.Lag <= MaxLag {
			return p.last // awake or not: waking the one used last keeps the others' caches and clocks at rest
		}
	}
	for _, f := range [...]filter{awakeInTime, asleep} {
		if at := p.least(loads, f); at >= 0 {
			return at
		}
	}
	return p.least(loads, every) // all are late
}

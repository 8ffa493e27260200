package worker

import (
	"fmt"
	"sync/atomic"
)

// State is where a worker stands in its life.
//
//	           ready message              loop blocked
//	Starting ───────────────▶ Ready ◀───────────────────▶ Busy
//	   │                        │        loop came round    │
//	   │                        │ reload, recycling, stop   │ hard limit
//	   │                        ▼                           │
//	   │                     Draining ◀─────────────────────┤ reload, recycling, stop
//	   │                        │                           │
//	   └────────────────────────┴──────────▶ Dead ◀─────────┘
//	                    the process has ended
type State uint32

const (
	// Starting: the process runs, the application is being imported, its lifespan is starting. It gets no requests.
	Starting State = iota
	// Ready: it takes requests.
	Ready
	// Busy: one step of a handler has held the event loop for longer than allowed. It gets no new requests; it
	// returns to Ready when the step ends, and is replaced when that takes longer than the hard limit.
	Busy
	// Draining: it gets no new requests, finishes those it has, then exits.
	Draining
	// Dead: the process has ended and everything it owed has been settled.
	Dead
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Starting:
		return "starting"
	case Ready:
		return "ready"
	case Busy:
		return "busy"
	case Draining:
		return "draining"
	case Dead:
		return "dead"
	}
	return fmt.Sprintf("state %d", uint32(s))
}

// legal holds for each state the states that may follow.
var legal = [...][]State{
	Starting: {Ready, Draining, Dead},
	Ready:    {Busy, Draining, Dead},
	Busy:     {Ready, Draining, Dead},
	Draining: {Dead},
	Dead:     {},
}

// machine holds one worker's State. Its moves are made by the worker's own goroutine; anyone may look.
type machine struct{ state atomic.Uint32 }

// at returns the present state.
func (m *machine) at() State { return State(m.state.Load()) }

// move goes to the state next and reports whether that was a legal move; otherwise nothing changes.
func (m *machine) move(next State) bool {
	for {
		now := m.at()
		ok := false
		for _, s := range legal[now] {
			ok = ok || s == next
		}
		if !ok {
			return false
		}
		if m.state.CompareAndSwap(uint32(now), uint32(next)) {
			return true
		}
	}
}

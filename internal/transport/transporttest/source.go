package transporttest

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/covetpy/covet/internal/transport"
)

// source is a Source that checks the order of its calls and leaves the rest to functions.
type source struct {
	t       *testing.T
	poll    func() bool
	flush   func()
	prepare func() bool
	awake   func()

	asleep   bool // PrepareSleep was called, Awake was not
	polled   bool // Poll was called since the last Flush
	detached bool
}

var _ transport.Source = (*source)(nil)

func (s *source) check(call string) {
	switch {
	case s.detached:
		s.t.Errorf("%s was called after Detach", call)
	case s.asleep && call != "Awake":
		s.t.Errorf("%s was called before Awake", call)
	case !s.asleep && call == "Awake":
		s.t.Error("Awake was called without PrepareSleep")
	case s.polled && call == "Poll":
		s.t.Error("Poll was called twice in a turn")
	case !s.polled && call == "Flush":
		s.t.Error("Flush was called without Poll before it in the turn")
	case s.polled && call == "PrepareSleep":
		s.t.Error("PrepareSleep was called before Flush ended the turn")
	}
}

// Poll implements transport.Source.
func (s *source) Poll() bool {
	s.check("Poll")
	s.polled = true
	return s.poll != nil && s.poll()
}

// Flush implements transport.Source.
func (s *source) Flush() {
	s.check("Flush")
	s.polled = false
	if s.flush != nil {
		s.flush()
	}
}

// PrepareSleep implements transport.Source.
func (s *source) PrepareSleep() bool {
	s.check("PrepareSleep")
	s.asleep = true
	return s.prepare == nil || s.prepare()
}

// Awake implements transport.Source.
func (s *source) Awake() {
	s.check("Awake")
	s.asleep = false
	if s.awake != nil {
		s.awake()
	}
}

func (h *harness) attach(l transport.Loop, s *source, b *doorbell) {
	h.t.Helper()
	on(h.t, l, func() {
		if err := l.Attach(s, b.fd()); err != nil {
			h.t.Errorf("attach: %v", err)
		}
	})
}

func (h *harness) detach(l transport.Loop, s *source) {
	h.t.Helper()
	on(h.t, l, func() { l.Detach(s); s.detached = true })
}

func doorbellWakes(t *testing.T, newGroup NewGroup) {
	for _, kind := range doorbells(t) {
		t.Run(kind.name, func(t *testing.T) {
			h := start(t, newGroup, transport.Config{})
			l := h.group.Loops()[0]
			b := kind.make(t)
			var work atomic.Int64
			done := make(chan struct{}, 1)
			var seen int64
			s := &source{t: t, poll: func() bool {
				if n := work.Load(); n != seen {
					seen = n
					done <- struct{}{}
					return true
				}
				return false
			}}
			h.attach(l, s, b)
			// The other side rings every time here, whether the loop sleeps or not.
			for range rounds(20_000) {
				work.Add(1)
				b.ring()
				within(t, done, "the doorbell wakes the loop")
			}
			// Many rings without work, more than a pipe could hold, and then one that counts.
			for range rounds(200_000) {
				b.ring()
			}
			work.Add(1)
			b.ring()
			within(t, done, "the doorbell wakes the loop after many rings")
			h.detach(l, s)
			b.ring() // nobody hears it
			on(t, l, func() {})
			b.close()
			on(t, l, func() {})
		})
	}
}

func sourceOrder(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	b := newDoorbell(t)
	slept := make(chan struct{}, 1)
	s := &source{t: t, prepare: func() bool {
		select {
		case slept <- struct{}{}:
		default:
		}
		return true
	}}
	h.attach(l, s, b) // source checks the order at every call
	c := dial(t, h.serve(echo(t)))
	for range 100 {
		c.roundTrip()
		on(t, l, func() {})
		b.ring()
	}
	within(t, slept, "the loop announces that it sleeps")
	h.detach(l, s)
}

func sourceWorked(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	b := newDoorbell(t)
	left := 100
	done := make(chan struct{}, 1)
	s := &source{t: t}
	s.poll = func() bool {
		if left == 0 {
			return false
		}
		if left--; left == 0 {
			done <- struct{}{}
		}
		return true
	}
	s.prepare = func() bool {
		if left != 0 {
			t.Errorf("the loop wants to sleep with %d polls of work left", left)
		}
		return true
	}
	h.attach(l, s, b)
	within(t, done, "a source that works is polled again")
	h.detach(l, s)
}

func prepareSleepRefused(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	b := newDoorbell(t)
	refusals, polls, awakes := 0, 0, 0
	done := make(chan struct{}, 1)
	s := &source{t: t}
	s.poll = func() bool { polls++; return false }
	s.prepare = func() bool {
		if refusals == 100 {
			select {
			case done <- struct{}{}:
			default:
			}
			return true
		}
		refusals++
		return false
	}
	s.awake = func() { awakes++ }
	h.attach(l, s, b)
	within(t, done, "a loop that may not sleep takes another turn")
	on(t, l, func() {
		if polls < 100 || awakes < 100 {
			t.Errorf("100 refusals led to %d polls and %d withdrawals", polls, awakes)
		}
	})
	h.detach(l, s)
}

// rungWhileFallingAsleep rings right after the announcement: the moment at which the other side's ring counts most.
func rungWhileFallingAsleep(t *testing.T, newGroup NewGroup) {
	for _, kind := range doorbells(t) {
		t.Run(kind.name, func(t *testing.T) {
			const times = 200
			h := start(t, newGroup, transport.Config{})
			l := h.group.Loops()[0]
			b := kind.make(t)
			polls, rings := 0, 0
			done := make(chan struct{}, 1)
			s := &source{t: t}
			s.poll = func() bool {
				if polls++; polls > times && rings == times {
					select {
					case done <- struct{}{}:
					default:
					}
				}
				return false
			}
			s.prepare = func() bool {
				if rings < times {
					rings++
					b.ring()
					for range rings % 8 {
						runtime.Gosched() // others may get ahead of the loop here
					}
				}
				return true
			}
			h.attach(l, s, b)
			within(t, done, "a ring before the loop blocks leads to another turn")
			h.detach(l, s)
		})
	}
}

func flushedBeforeSleep(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	b := newDoorbell(t)
	dirty := false // something was written to the other side and not published
	checks := 0
	s := &source{t: t}
	s.flush = func() { dirty = false }
	s.prepare = func() bool {
		checks++
		if dirty {
			t.Error("the loop sleeps with something unpublished")
		}
		return true
	}
	h.attach(l, s, b)
	// Every callback of a session, and tasks, may write to the other side.
	addr := h.serve(probes(t, func(p *probe) {
		dirty = true
		p.data = func(p *probe, in []byte) int { dirty = true; p.write(in); return len(in) }
		p.drained = func(*probe) { dirty = true }
		p.eof = func(p *probe) { dirty = true; p.close() }
		p.closed = func(*probe, error) { dirty = true }
	}))
	for range 50 {
		c := dial(t, addr)
		c.roundTrip()
		c.closeWrite()
		c.expectEnd()
		post(l, func() { dirty = true })
	}
	on(t, l, func() {
		if checks == 0 {
			t.Error("the loop never slept")
		}
	})
	h.detach(l, s)
}

func attachDetach(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	outerBell, innerBell := newDoorbell(t), newDoorbell(t)
	done := make(chan struct{}, 1)
	phase := 0
	inner := &source{t: t}
	outer := &source{t: t}
	detach := func(s *source) {
		l.Detach(s)
		l.Detach(s) // harmless
		s.detached = true
	}
	attach := func(s *source, b *doorbell) {
		s.detached, s.asleep, s.polled = false, false, false
		if err := l.Attach(s, b.fd()); err != nil {
			t.Errorf("attach: %v", err)
		}
	}
	// Every place where a source may come and go, one after the other.
	step := func() {
		phase++
		if phase%2 == 1 {
			attach(inner, innerBell)
		} else {
			detach(inner)
		}
	}
	outer.poll = func() bool {
		if phase < 2 {
			step()
			return true
		}
		return false
	}
	outer.prepare = func() bool {
		if phase >= 2 && phase < 4 {
			step()
			return false
		}
		return true
	}
	outer.awake = func() {
		if phase >= 4 && phase < 6 {
			step()
		}
	}
	h.attach(l, outer, outerBell)
	eventually(t, "sources come and go", func() bool {
		outerBell.ring()
		var n int
		on(t, l, func() { n = phase })
		return n == 6
	})
	// A source that detaches itself, in each of its calls.
	for _, where := range []string{"Poll", "Flush", "PrepareSleep", "Awake"} {
		s := &source{t: t}
		gone := func(at string) {
			if at == where {
				detach(s)
				done <- struct{}{}
			}
		}
		s.poll = func() bool { gone("Poll"); return false }
		s.flush = func() { gone("Flush") }
		s.prepare = func() bool { gone("PrepareSleep"); return true }
		s.awake = func() { gone("Awake") }
		b := newDoorbell(t)
		h.attach(l, s, b)
		// Rung until it is seen: the first ring may end before the loop sleeps, and only a sleep has an Awake.
		eventually(t, "a source detaches itself in "+where, func() bool {
			b.ring()
			select {
			case <-done:
				return true
			default:
				return false
			}
		})
		on(t, l, func() {})
		b.close() // its descriptor may be reused from here on
	}
	// The other sources are still heard.
	heard := make(chan struct{}, 1)
	on(t, l, func() {
		outer.poll = func() bool {
			select {
			case heard <- struct{}{}:
			default:
			}
			return false
		}
	})
	within(t, heard, "the other source is polled")
	h.detach(l, outer)
}

// noLostWakeUp is the protocol of the bridge: the other side rings only when it sees that the loop sleeps.
func noLostWakeUp(t *testing.T, newGroup NewGroup) {
	for _, kind := range doorbells(t) {
		t.Run(kind.name, func(t *testing.T) {
			h := start(t, newGroup, transport.Config{})
			l := h.group.Loops()[0]
			b := kind.make(t)
			var (
				work, asleep atomic.Int64
				seen         int64
			)
			done := make(chan struct{}, 1)
			s := &source{t: t}
			s.poll = func() bool {
				n := work.Load()
				if n == seen {
					return false
				}
				seen = n
				done <- struct{}{}
				return true
			}
			s.prepare = func() bool { asleep.Store(1); return work.Load() == seen }
			s.awake = func() { asleep.Store(0) }
			h.attach(l, s, b)
			for i := range rounds(100_000) {
				work.Add(1)
				if asleep.Load() == 1 {
					b.ring()
				}
				select {
				case <-done:
				default:
					within(t, done, "work reaches the loop")
				}
				// Vary the distance between the loop's falling asleep and the next work.
				for range i % 64 {
					asleep.Load()
				}
			}
			h.detach(l, s)
		})
	}
}

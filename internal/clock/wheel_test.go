package clock

import (
	"math/rand/v2"
	"testing"
	"time"
)

type fired struct {
	timer Timer
	count int
	then  func()
}

func (f *fired) Fire() {
	f.count++
	if f.then != nil {
		f.then()
	}
}

func newFired() *fired {
	f := &fired{}
	f.timer.Do = f
	return f
}

const second = Instant(time.Second)

func TestTimerFiresOnceAndNeverEarly(t *testing.T) {
	for _, at := range []Instant{1, tick - 1, tick, tick + 1, second, 65 * second, 66 * second, 200 * second} {
		w := NewWheel(0)
		f := newFired()
		w.Schedule(&f.timer, at)
		for now := Instant(0); now < at; now += max(at/977, 1) {
			w.Advance(now)
			if f.count != 0 {
				t.Fatalf("timer for %d fired at %d", at, now)
			}
		}
		w.Advance(at + tick)
		if f.count != 1 || f.timer.Armed() || w.Len() != 0 {
			t.Errorf("timer for %d: fired %d times, armed %v", at, f.count, f.timer.Armed())
		}
		w.Advance(at + 100*second)
		if f.count != 1 {
			t.Errorf("timer for %d fired again", at)
		}
	}
}

func TestMoveAndDisarm(t *testing.T) {
	w := NewWheel(0)
	moved, gone := newFired(), newFired()
	w.Schedule(&moved.timer, second)
	w.Schedule(&gone.timer, second)
	w.Schedule(&moved.timer, 3*second)
	w.Unschedule(&gone.timer)
	w.Unschedule(&gone.timer)
	w.Advance(2 * second)
	if moved.count != 0 || gone.count != 0 {
		t.Fatal("fired at the old time")
	}
	w.Advance(4 * second)
	if moved.count != 1 || gone.count != 0 {
		t.Fatalf("moved fired %d times, disarmed %d times", moved.count, gone.count)
	}
}

// A timer that fires may disarm, move and arm others that are due in the same moment.
func TestFireChangesOthers(t *testing.T) {
	w := NewWheel(0)
	a, b, c := newFired(), newFired(), newFired()
	change := func() {
		w.Unschedule(&a.timer)
		w.Unschedule(&b.timer)
		w.Schedule(&c.timer, 10*second)
	}
	a.then, b.then = change, change
	for _, f := range []*fired{a, b} {
		w.Schedule(&f.timer, second)
	}
	w.Advance(2 * second)
	if a.count+b.count != 1 {
		t.Errorf("a fired %d times, b %d times: the first should have disarmed the second", a.count, b.count)
	}
	w.Advance(20 * second)
	if c.count != 1 {
		t.Errorf("c fired %d times", c.count)
	}
}

func TestRearmInFire(t *testing.T) {
	w := NewWheel(0)
	f := newFired()
	f.then = func() {
		if f.count < 5 {
			w.Schedule(&f.timer, f.timer.At()+second)
		}
	}
	w.Schedule(&f.timer, second)
	for now := Instant(0); now < 10*second; now += tick {
		w.Advance(now)
	}
	if f.count != 5 {
		t.Errorf("fired %d times", f.count)
	}
}

func TestNextIsNeverLate(t *testing.T) {
	w := NewWheel(0)
	if _, ok := w.Next(); ok {
		t.Error("an empty wheel has a next instant")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		w := NewWheel(Instant(rng.Int64N(int64(1000 * second))))
		start := Instant(w.now) * tick
		first := Instant(1 << 62)
		for range 1 + rng.IntN(4) {
			at := start + Instant(rng.Int64N(int64(300*second)))
			first = min(first, at)
			w.Schedule(&newFired().timer, at)
		}
		next, ok := w.Next()
		if !ok || next > first+2*tick {
			t.Fatalf("next is %v after the first timer", next.Sub(first))
		}
	}
}

// The wheel against a model: a plain list of deadlines.
func TestAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	w := NewWheel(0)
	now := Instant(0)
	all := make([]*fired, 50)
	due := map[*fired]Instant{}
	for i := range all {
		all[i] = newFired()
	}
	for range 20000 {
		f := all[rng.IntN(len(all))]
		switch rng.IntN(3) {
		case 0:
			at := now + Instant(rng.Int64N(int64(150*second)))
			w.Schedule(&f.timer, at)
			due[f] = at
		case 1:
			w.Unschedule(&f.timer)
			delete(due, f)
		case 2:
			now += Instant(rng.Int64N(int64(5 * second)))
			before := map[*fired]int{}
			for _, f := range all {
				before[f] = f.count
			}
			w.Advance(now)
			for _, f := range all {
				at, armed := due[f]
				fired := f.count > before[f]
				if fired && (!armed || at > now) || !fired && armed && at+tick <= now {
					t.Fatalf("at %d: fired %v, armed %v for %d", now, fired, armed, at)
				}
				if fired {
					delete(due, f)
				}
			}
		}
	}
}

func TestNoAllocation(t *testing.T) {
	w := NewWheel(0)
	f := newFired()
	now := Instant(0)
	if n := testing.AllocsPerRun(1000, func() {
		w.Schedule(&f.timer, now+second)
		now += 2 * second
		w.Advance(now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

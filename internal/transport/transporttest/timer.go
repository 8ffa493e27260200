package transporttest

import (
	"testing"
	"time"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/transport"
)

// fireFunc is a Firer made of a function.
type fireFunc func()

// Fire implements clock.Firer.
func (f fireFunc) Fire() { f() }

func timerFires(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	fired := make(chan struct{}, 10)
	for _, d := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 90 * time.Millisecond} {
		var at clock.Instant
		tm := &clock.Timer{}
		tm.Do = fireFunc(func() {
			if now := l.Now(); now < at {
				t.Errorf("after %v: fired %v early", d, at.Sub(now))
			}
			if tm.Armed() {
				t.Error("the timer is armed while it fires")
			}
			fired <- struct{}{}
		})
		on(t, l, func() {
			at = l.Now().Add(d)
			l.Schedule(tm, at)
		})
		within(t, fired, "the timer fires and wakes the loop")
	}
	// None of them fires again while a later one is waited for.
	tm := &clock.Timer{Do: fireFunc(func() { fired <- struct{}{} })}
	on(t, l, func() { l.Schedule(tm, l.Now().Add(200*time.Millisecond)) })
	within(t, fired, "the last timer fires")
	if len(fired) != 0 {
		t.Error("a timer fired twice")
	}
}

func timerMoved(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	order := make(chan string, 4)
	a := &clock.Timer{Do: fireFunc(func() { order <- "a" })}
	b := &clock.Timer{Do: fireFunc(func() { order <- "b" })}
	c := &clock.Timer{Do: fireFunc(func() { order <- "c" })}
	on(t, l, func() {
		now := l.Now()
		l.Schedule(a, now.Add(10*time.Millisecond))
		l.Schedule(b, now.Add(time.Hour))
		l.Schedule(c, now.Add(150*time.Millisecond))
		l.Schedule(a, now.Add(300*time.Millisecond)) // later
		l.Schedule(b, now.Add(60*time.Millisecond))  // earlier, while the loop would sleep for an hour
	})
	for _, want := range []string{"b", "c", "a"} {
		if got := within(t, order, "a moved timer fires"); got != want {
			t.Fatalf("timer %s fired, want %s", got, want)
		}
	}
	if len(order) != 0 {
		t.Error("a moved timer fired twice")
	}
}

func timerUnscheduled(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	fired := make(chan string, 2)
	a := &clock.Timer{Do: fireFunc(func() { fired <- "disarmed" })}
	b := &clock.Timer{Do: fireFunc(func() { fired <- "later" })}
	on(t, l, func() {
		l.Schedule(a, l.Now().Add(20*time.Millisecond))
		l.Schedule(b, l.Now().Add(100*time.Millisecond))
		l.Unschedule(a)
		l.Unschedule(a) // harmless
		if a.Armed() {
			t.Error("an unscheduled timer is armed")
		}
	})
	if got := within(t, fired, "the other timer fires"); got != "later" {
		t.Fatalf("the %s timer fired", got)
	}
}

func timerDisarmedInside(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	for range 5 {
		fired := make(chan struct{}, 2)
		ended := make(chan struct{}, 1)
		var a, b clock.Timer
		a.Do = fireFunc(func() { fired <- struct{}{}; l.Unschedule(&b) })
		b.Do = fireFunc(func() { fired <- struct{}{}; l.Unschedule(&a) })
		end := &clock.Timer{Do: fireFunc(func() { ended <- struct{}{} })}
		on(t, l, func() {
			at := l.Now().Add(10 * time.Millisecond)
			l.Schedule(&a, at)
			l.Schedule(&b, at) // due in the same tick: whichever fires first disarms the other
			l.Schedule(end, at.Add(80*time.Millisecond))
		})
		within(t, ended, "the last timer fires")
		if n := len(fired); n != 1 {
			t.Fatalf("%d timers fired, want 1", n)
		}
	}
}

func timerSchedulesItself(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	fired := make(chan clock.Instant, 8)
	tm := &clock.Timer{}
	n := 0
	tm.Do = fireFunc(func() {
		fired <- l.Now()
		if n++; n < 4 {
			l.Schedule(tm, l.Now()) // at once: in a later turn, not for ever in this one
		}
	})
	on(t, l, func() { l.Schedule(tm, l.Now()) })
	var last clock.Instant
	for range 4 {
		now := within(t, fired, "the timer fires again")
		if now < last {
			t.Error("the loop's clock went back")
		}
		last = now
	}
}

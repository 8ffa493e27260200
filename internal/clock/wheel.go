package clock

import (
	"math/bits"
	"time"
)

// Firer is what a Timer calls when it is due, on the goroutine of its wheel.
type Firer interface{ Fire() }

// Timer is one deadline. It is a field of the thing it times; the zero Timer with Do set is ready and disarmed.
// It must not be copied while armed.
type Timer struct {
	// Do is called when the timer fires. It may schedule the timer again.
	Do Firer

	at         Instant
	prev, next *Timer
	slot       int32
	armed      bool
}

// Armed reports whether the timer is waiting to fire.
func (t *Timer) Armed() bool { return t.armed }

// At is the instant the timer was last scheduled for.
func (t *Timer) At() Instant { return t.at }

const (
	// tick is the resolution: deadlines are seconds, so 16 ms of lateness is nothing, and coarse ticks let many
	// connections' deadlines share one wake-up.
	tick = Instant(16 * time.Millisecond)
	// slots × tick = 65 s: most deadlines fire within one round, and later ones are looked at once a round.
	slots = 4096
	// firing is the list beside the slots that holds the timers about to fire.
	firing = slots
)

// Wheel is a hashed timer wheel: arming, moving and disarming a timer take constant time and no allocation.
// A timer never fires early and at most one tick late plus the lateness of Advance.
type Wheel struct {
	now   int64 // the tick up to which everything has fired
	count int
	lists [slots + 1]*Timer
	used  [slots / 64]uint64
}

// NewWheel returns a wheel that starts at now.
func NewWheel(now Instant) *Wheel { return &Wheel{now: int64(now / tick)} }

// Len is the number of armed timers.
func (w *Wheel) Len() int { return w.count }

// Schedule arms t for the instant at, or moves it there. A time in the past fires at the next Advance.
func (w *Wheel) Schedule(t *Timer, at Instant) {
	// The tick is rounded up, so that a timer never fires before its time.
	n := max(int64((at+tick-1)/tick), w.now+1)
	slot := int32(n % slots)
	t.at = at
	if t.armed {
		if t.slot == slot {
			return
		}
		w.unlink(t)
	}
	w.link(t, slot)
}

// Unschedule disarms t. It is harmless on a timer that is not armed.
func (w *Wheel) Unschedule(t *Timer) {
	if t.armed {
		w.unlink(t)
	}
}

func (w *Wheel) link(t *Timer, slot int32) {
	t.slot, t.armed = slot, true
	t.prev, t.next = nil, w.lists[slot]
	if t.next != nil {
		t.next.prev = t
	}
	w.lists[slot] = t
	if slot < slots {
		w.used[slot/64] |= 1 << (slot % 64)
	}
	w.count++
}

func (w *Wheel) unlink(t *Timer) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.lists[t.slot] = t.next
		if t.next == nil && t.slot < slots {
			w.used[t.slot/64] &^= 1 << (t.slot % 64)
		}
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.prev, t.next, t.armed = nil, nil, false
	w.count--
}

// Advance fires every timer that is due at now and returns how many fired.
func (w *Wheel) Advance(now Instant) (fired int) {
	target := int64(now / tick)
	if target <= w.now {
		return 0
	}
	if w.count == 0 {
		w.now = target
		return 0
	}
	// More than a round has passed: every slot is visited once.
	first := max(w.now+1, target-slots+1)
	for n := first; n <= target; n++ {
		slot := n % slots
		if w.used[slot/64]&(1<<(slot%64)) == 0 {
			continue
		}
		w.now = n // a timer that Fire schedules lands in a later slot
		w.collect(int32(slot), now)
		for w.lists[firing] != nil {
			t := w.lists[firing]
			w.unlink(t)
			fired++
			t.Do.Fire()
		}
	}
	w.now = target
	return fired
}

// collect moves the due timers of slot to the firing list, where a timer that fires may still disarm or move the
// others; those of later rounds stay.
func (w *Wheel) collect(slot int32, now Instant) {
	for t := w.lists[slot]; t != nil; {
		next := t.next
		if t.at <= now {
			w.unlink(t)
			w.link(t, firing)
		}
		t = next
	}
}

// Next returns the instant of the earliest occupied slot. It may be a round too early for a far timer, which costs
// its loop one wake-up a round. Ok is false when no timer is armed.
func (w *Wheel) Next() (at Instant, ok bool) {
	if w.count == 0 {
		return 0, false
	}
	start := int((w.now + 1) % slots)
	for i := 0; i <= slots/64; i++ {
		word := (start/64 + i) % (slots / 64)
		set := w.used[word]
		if i == 0 {
			set &= ^uint64(0) << (start % 64)
		} else if i == slots/64 {
			set &= 1<<(start%64) - 1
		}
		if set != 0 {
			slot := word*64 + bits.TrailingZeros64(set)
			ahead := (slot - start + slots) % slots
			return Instant(w.now+1+int64(ahead)) * tick, true
		}
	}
	return 0, false
}

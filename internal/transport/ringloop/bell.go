//go:build linux && (amd64 || arm64)

package ringloop

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/uring"
)

// bell is a descriptor whose readability wakes the loop. What it wakes the loop for is found by looking: sources are
// polled and the mailbox is emptied every turn.
//
// An eventfd is never read: the poll is edge-triggered and completes for each write, and a count that only grows takes
// centuries to reach its end. A pipe is emptied, or its writer would find it full and the write would wake nobody.
type bell struct {
	fd         int
	index, gen uint32
	source     transport.Source // nil for the loop's own
	pipe       bool
	armed      bool
}

func (l *loop) addBell(b *bell) {
	b.index, b.gen = l.bells.add(b)
	l.lapsed = true
}

// Attach implements transport.Loop.
func (l *loop) Attach(s transport.Source, doorbell int) error {
	if l.bellOf(s) != nil {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(doorbell, &st); err != nil {
		return fmt.Errorf("ringloop: attach: %w", err)
	}
	b := &bell{fd: doorbell, source: s, pipe: st.Mode&unix.S_IFMT == unix.S_IFIFO}
	l.addBell(b)
	// Armed and submitted at once: the kernel then holds the file, and the number may be closed after a Detach.
	if l.rearm(); !b.armed {
		l.bells.remove(b.index)
		return fmt.Errorf("ringloop: attach: the submission queue is full: %w", unix.EBUSY)
	}
	l.check(l.ring.Submit())
	l.sources.Add(s)
	return nil
}

// Detach implements transport.Loop.
func (l *loop) Detach(s transport.Source) {
	l.sources.Remove(s)
	b := l.bellOf(s)
	if b == nil {
		return
	}
	if b.armed {
		l.cancels = append(l.cancels, pack(kindBell, b.gen, b.index))
	}
	l.bells.remove(b.index) // a late completion names a generation that is over
}

// bellOf returns the bell of s. A loop has as many as it has workers: few.
func (l *loop) bellOf(s transport.Source) *bell {
	for i := range l.bells.slots {
		if b := l.bells.slots[i].item; b != nil && b.source != nil && b.source == s {
			return b
		}
	}
	return nil
}

// rang handles a completion of a bell's poll.
func (l *loop) rang(b *bell, e uring.CQE) {
	if !e.More() {
		b.armed = false
		// An error is not of the moment: the descriptor is no doorbell. Arming it again would spin.
		l.lapsed = l.lapsed || e.Res >= 0
	}
	if b.pipe {
		l.empty(b.fd)
	}
}

// empty reads a pipe until nothing is left, whether it is in blocking mode or not.
func (l *loop) empty(fd int) {
	var sink [4096]byte
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for range 64 { // a pipe holds 64 KiB; one that fills as fast is looked at again in the next turn
		if n, err := unix.Poll(p[:], 0); err != nil || n == 0 || p[0].Revents&unix.POLLIN == 0 {
			return
		}
		if n, err := unix.Read(fd, sink[:]); err != nil || n <= 0 {
			return
		}
	}
	l.again = true
}

// rearm arms the bells and listeners that are not, and submits cancellations. What does not fit into the submission
// queue is left for the next turn.
func (l *loop) rearm() {
	for n := len(l.cancels); n > 0; n = len(l.cancels) {
		if !l.ring.Cancel(l.cancels[n-1], pack(kindNone, 0, 0)) {
			return
		}
		l.cancels = l.cancels[:n-1]
	}
	l.lapsed = false
	for i := range l.bells.slots {
		if b := l.bells.slots[i].item; b != nil && !b.armed {
			b.armed = l.ring.Poll(b.fd, pack(kindBell, b.gen, b.index))
			l.lapsed = l.lapsed || !b.armed
		}
	}
	for i := range l.listeners.slots {
		if s := l.listeners.slots[i].item; s != nil && !s.arm() {
			l.lapsed = true
		}
	}
}

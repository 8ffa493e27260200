//go:build linux && (amd64 || arm64)

package ringloop

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/buf"
	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/uring"
)

const (
	// batch is how many completions are taken at a time. The clock is read once for each batch, so that a deadline
	// set in a turn of thousands of events is not set in the past.
	batch = 64
	// turnBatches bounds the completions of one turn: posted tasks, timers and sources come between them.
	turnBatches = 64
	// vectors is how many pieces of output go into one send.
	vectors = 8
)

// loop is one ring and everything that happens on its thread.
type loop struct {
	group *group
	index int

	ring  *uring.Ring
	bufs  *uring.Buffers
	pool  *buf.Pool
	wheel *clock.Wheel
	now   clock.Instant
	done  [batch]uring.CQE
	vecs  [vectors][]byte
	off   int64   // where a file is sent from
	byte  [1]byte // what is read of a file to see whether it is in memory
	sink  []byte  // what a closed connection reserves

	conns     table[conn]
	listeners table[listener]
	bells     table[bell]
	sources   transport.Sources

	dirty   *conn     // connections to settle, linked by dirtyNext
	offers  *conn     // connections to offer input to, linked by offersNext
	lapsed  bool      // a listener or a bell wants to be armed
	cancels []uint64  // submissions to cancel
	again   bool      // another turn is due whatever the turn found
	ending  bool      // every connection is being aborted, new ones are refused
	until   time.Time // when ending gives up

	mail mailbox.Mailbox
	wake int         // the eventfd that Post rings
	rung uint64      // how often a poster has taken, or will have taken, the right to ring it
	nap  atomic.Bool // the loop sleeps, or is about to

	broken atomic.Bool   // the ring failed: the loop takes no more connections
	exited chan struct{} // closed when the thread is gone
	err    error         // why it failed; read after exited
}

var (
	_ transport.Loop     = (*loop)(nil)
	_ transport.Buffered = (*loop)(nil)
)

// Index implements transport.Loop.
func (l *loop) Index() int { return l.index }

// Now implements transport.Loop.
func (l *loop) Now() clock.Instant { return l.now }

// Schedule implements transport.Loop.
func (l *loop) Schedule(t *clock.Timer, at clock.Instant) { l.wheel.Schedule(t, at) }

// Unschedule implements transport.Loop.
func (l *loop) Unschedule(t *clock.Timer) { l.wheel.Unschedule(t) }

// Buffers implements transport.Buffered.
func (l *loop) Buffers() int { return l.pool.Outstanding() }

// Post implements mailbox.Executor. Tasks posted after the group was closed never run.
func (l *loop) Post(t *mailbox.Task) {
	l.mail.Push(t)
	// The loop sets nap and then looks into the mailbox; here the task is pushed and then nap is read. Both are
	// sequentially consistent, so at least one side sees the other. Whoever takes nap rings, and only once.
	if l.nap.Load() && l.nap.CompareAndSwap(true, false) {
		ring(l.wake)
	}
}

// ring adds one to an eventfd. It can fail only when the count is at its end, and then the loop is awake.
func ring(fd int) { _, _ = unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// refresh reads the clock.
func (l *loop) refresh() {
	l.now = clock.Instant(time.Since(l.group.epoch)) + 1 // never 0: a zero Instant may mean "none"
}

// open makes what the loop needs, on its thread.
func (l *loop) open() error {
	t := l.group.tuning
	ring, err := uring.New(uring.Options{Entries: t.entries, Mode: t.mode})
	if err != nil {
		return err
	}
	bufs, err := ring.NewBuffers(0, t.buffers, t.bufferSize)
	if err != nil {
		_ = ring.Close()
		return err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = ring.Close()
		_ = bufs.Free()
		return fmt.Errorf("eventfd: %w", err)
	}
	l.ring, l.bufs, l.wake = ring, bufs, wake
	l.pool = buf.NewPool(0)
	l.refresh()
	l.wheel = clock.NewWheel(l.now)
	l.addBell(&bell{fd: wake})
	return nil
}

// run takes turns until the loop has ended.
func (l *loop) run() {
	for !l.ended() {
		worked := l.turn()
		if worked || l.unsettled() {
			// One call submits the output of this turn and looks for the events of the next.
			l.check(l.ring.Submit())
			l.refresh()
			continue
		}
		// Nothing came since the last look: only now is the sleep announced, as each announcement that is withdrawn
		// costs the other side a doorbell.
		l.sleep()
	}
}

// check remembers the first error of the ring, which ends the loop: nothing can be served without it.
func (l *loop) check(err error) {
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("ringloop: loop %d: %w", l.index, err)
		l.broken.Store(true)
		l.endAll()
	}
}

// turn is one turn of the loop, in the order that transport.Loop documents. Completions of sends alone are not work:
// the call that brought them has looked for events, too.
func (l *loop) turn() (worked bool) {
	l.again = false
	worked = l.reap()
	if !l.mail.Empty() && l.mail.Drain() > 0 {
		worked = true
	}
	if l.wheel.Advance(l.now) > 0 {
		worked = true
	}
	if l.sources.Poll() {
		worked = true
	}
	if l.offerResumed() {
		worked = true
	}
	l.sources.Flush()
	l.settle()
	if l.lapsed || len(l.cancels) > 0 {
		l.rearm()
	}
	return worked || l.again
}

// unsettled reports whether something waits for another turn.
func (l *loop) unsettled() bool {
	return l.dirty != nil || l.offers != nil || l.lapsed || len(l.cancels) > 0 || l.again || l.ring.Queued() > 0
}

// reap handles the completions that are there.
func (l *loop) reap() (worked bool) {
	for range turnBatches {
		n := l.ring.Completions(l.done[:])
		for i := range n {
			if l.handle(l.done[i]) {
				worked = true
			}
		}
		l.bufs.Publish()
		if n < batch {
			return worked
		}
		l.refresh()
	}
	return true
}

// handle gives a completion to its receiver, if that still exists, and reports whether it may be one of many.
func (l *loop) handle(e uring.CQE) (worked bool) {
	u := userData(e.UserData)
	switch u.kind() {
	case kindRecv:
		if c := l.conns.get(u); c != nil {
			l.received(c, e)
		} else if id, ok := e.Buffer(); ok {
			l.bufs.Return(id)
		}
		return true
	case kindSend:
		if c := l.conns.get(u); c != nil {
			l.sent(c, e)
		}
	case kindRoom:
		if c := l.conns.get(u); c != nil {
			l.roomy(c, e)
		}
	case kindAccept:
		l.accepted(l.listeners.get(u), e)
		return true
	case kindBell:
		if b := l.bells.get(u); b != nil {
			l.rang(b, e)
		}
		return true
	}
	return false
}

// sleep blocks until something happens, unless a source or the mailbox has something now.
func (l *loop) sleep() {
	timeout := l.timeout()
	if timeout != 0 && l.sources.PrepareSleep() && !l.unsettled() {
		l.nap.Store(true)
		if l.mail.Empty() {
			l.check(l.ring.Wait(timeout))
		}
		if !l.nap.Swap(false) {
			l.rung++ // a poster took it
		}
	} else {
		l.check(l.ring.Submit()) // sockets are looked at however often sources refuse the sleep
	}
	l.sources.Awake()
	l.refresh()
}

// endingWait is the longest sleep of a loop that ends: it watches for the moment to give up.
const endingWait = 10 * time.Millisecond

// timeout is how long the loop may sleep, negative for ever.
func (l *loop) timeout() time.Duration {
	wait := time.Duration(-1)
	if at, ok := l.wheel.Next(); ok {
		wait = max(at.Sub(l.now), 0)
	}
	if l.ending && (wait < 0 || wait > endingWait) {
		wait = endingWait
	}
	return wait
}

// sinkhole returns memory for output that is ignored.
func (l *loop) sinkhole(n int) []byte {
	if len(l.sink) < n {
		l.sink = make([]byte, max(n, transport.MaxReserve))
	}
	return l.sink[:0:n]
}

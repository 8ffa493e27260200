// Package workertest provides the two sides of a Dispatcher for tests: a [Loop] that a test turns by hand, so that
// nothing depends on timing, or lets run; and a [Worker] that speaks the worker's side of the rings in Go.
package workertest

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/shm"
	"github.com/covetpy/covet/internal/transport"
)

// Loop is a transport.Loop without sockets.
type Loop struct {
	index   int
	box     mailbox.Mailbox
	bell    *shm.Doorbell
	sources transport.Sources
	fds     []unix.PollFd // the bell, then one for each source
	owners  []transport.Source
	wheel   *clock.Wheel
	now     clock.Instant
	stop    atomic.Bool
	stopped chan struct{}
	// Slept counts how often Run has blocked.
	Slept atomic.Int64
}

var _ transport.Loop = (*Loop)(nil)

// NewLoop returns a loop that stands still: call Turn, or go Run.
func NewLoop(index int) (*Loop, error) {
	bell, err := shm.NewDoorbell()
	if err != nil {
		return nil, err
	}
	return &Loop{
		index: index, bell: bell, wheel: clock.NewWheel(0), stopped: make(chan struct{}),
		fds: []unix.PollFd{{Fd: int32(bell.FD()), Events: unix.POLLIN}}, owners: []transport.Source{nil},
	}, nil
}

// Post implements mailbox.Executor.
func (l *Loop) Post(t *mailbox.Task) {
	if l.box.Push(t) {
		l.bell.Ring()
	}
}

// Index implements transport.Loop.
func (l *Loop) Index() int { return l.index }

// Now implements transport.Loop.
func (l *Loop) Now() clock.Instant { return l.now }

// Schedule implements transport.Loop.
func (l *Loop) Schedule(t *clock.Timer, at clock.Instant) { l.wheel.Schedule(t, at) }

// Unschedule implements transport.Loop.
func (l *Loop) Unschedule(t *clock.Timer) { l.wheel.Unschedule(t) }

// Attach implements transport.Loop.
func (l *Loop) Attach(s transport.Source, doorbell int) error {
	l.sources.Add(s)
	l.fds = append(l.fds, unix.PollFd{Fd: int32(doorbell), Events: unix.POLLIN})
	l.owners = append(l.owners, s)
	return nil
}

// Detach implements transport.Loop.
func (l *Loop) Detach(s transport.Source) {
	l.sources.Remove(s)
	for i, o := range l.owners {
		if o == s {
			l.fds = append(l.fds[:i], l.fds[i+1:]...)
			l.owners = append(l.owners[:i], l.owners[i+1:]...)
			return
		}
	}
}

// Turn takes one turn and reports whether a source had work.
func (l *Loop) Turn() bool {
	ran := l.box.Drain() > 0
	fired := l.wheel.Advance(l.now) > 0
	worked := l.sources.Poll()
	l.sources.Flush()
	return worked || ran || fired
}

// Pass lets time pass, on the clock of a loop that is turned by hand.
func (l *Loop) Pass(d time.Duration) { l.now = l.now.Add(d) }

// MayBlock does what a loop does before it blocks, and returns whether it would, without blocking.
func (l *Loop) MayBlock() bool {
	may := l.sources.PrepareSleep()
	l.sources.Awake()
	return may
}

// Run turns until Stop, and blocks while there is nothing to do.
func (l *Loop) Run() {
	defer close(l.stopped)
	start := time.Now()
	for !l.stop.Load() {
		l.now = clock.Instant(time.Since(start))
		if l.Turn() {
			continue
		}
		if l.sources.PrepareSleep() && l.box.Empty() {
			l.block()
		}
		l.sources.Awake()
	}
}

func (l *Loop) block() {
	timeout := -1
	if at, ok := l.wheel.Next(); ok {
		timeout = max(int(at.Sub(l.now)/time.Millisecond)+1, 0)
	}
	l.Slept.Add(1)
	if n, _ := unix.Poll(l.fds, timeout); n <= 0 {
		return // the timeout, or a signal: look again
	}
	var b [64]byte
	for i := range l.fds {
		if l.fds[i].Revents != 0 {
			_, _ = unix.Read(int(l.fds[i].Fd), b[:]) // one read empties an eventfd; what is left wakes again
		}
	}
}

// Stop ends Run and returns when it has ended.
func (l *Loop) Stop() {
	l.stop.Store(true)
	l.bell.Ring()
	<-l.stopped
}

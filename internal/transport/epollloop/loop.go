//go:build linux

package epollloop

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/buf"
	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

const (
	// eventBatch is how many events one wait takes: enough to spread its cost, few enough that a turn stays short.
	eventBatch = 256
	// refreshEvery is how many events may pass before the loop's instant is read again.
	refreshEvery = 32
	// maxScratch bounds the memory that all connections of a loop are read into: the size at which a read's cost is
	// the copying.
	maxScratch = 256 << 10
	// maxResumes bounds how often connections may be resumed within one turn.
	maxResumes = 1024
	// vectors is how many blocks go to the kernel in one write. More would make x/sys allocate.
	vectors = 8
)

// loop implements transport.Loop.
//
// An event carries the place of what it is for, and a generation that tells it from an earlier user of the place:
//
//	EpollEvent.Fd    ≥ 0: index in slots      < 0: listener -1 - index
//	EpollEvent.Pad   the slot's generation
type loop struct {
	g     *group
	index int
	epfd  int
	bell  wakeup
	mail  mailbox.Mailbox
	count atomic.Int32 // connections of this loop, and those on their way to it

	now     clock.Instant
	wheel   *clock.Wheel
	sources transport.Sources
	bells   []doorbell
	pool    *buf.Pool
	scratch []byte
	vecs    [vectors][]byte
	fileOff int64 // where a file is sent from
	events  []unix.EpollEvent
	waiting int // events taken by the wait that ended the last turn's sleep; -1: none was made

	slots []slot
	free  []int32

	ready   queue // more to read than one turn allows
	resumed queue // Resume was called
	dirty   queue // output, or an end, to bring to the kernel

	stopped bool
	done    chan struct{}
	err     error // why Close failed; read after done
}

var (
	_ transport.Loop     = (*loop)(nil)
	_ transport.Buffered = (*loop)(nil)
)

// slot is a place that events name. Slot 0 is the loop's own eventfd.
type slot struct {
	gen  int32
	c    *conn
	bell transport.Source
	fd   int  // of bell
	read bool // bell must be read to become silent: a pipe
}

// doorbell tells in which slot a source's descriptor is.
type doorbell struct {
	s    transport.Source
	slot int32
}

// queue is a list of connections that is emptied once a turn. Its two halves keep their memory.
type queue struct{ now, next []*conn }

func (q *queue) take() []*conn {
	q.now, q.next = q.next, q.now[:0]
	return q.now
}

// drop forgets what was taken, so that closed connections can be freed.
func (q *queue) drop() { clear(q.now); q.now = q.now[:0] }

func newLoop(g *group, index int) (*loop, error) {
	l := &loop{
		g: g, index: index, epfd: -1,
		now:     g.now(),
		pool:    buf.NewPool(0),
		scratch: make([]byte, min(g.cfg.MaxInput, maxScratch)),
		events:  make([]unix.EpollEvent, eventBatch),
		waiting: -1,
		slots:   make([]slot, 1, 64),
		done:    make(chan struct{}),
	}
	l.bell.fd = -1
	l.wheel = clock.NewWheel(l.now)
	var err error
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epollloop: epoll_create1: %w", err)
	}
	if l.bell.fd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		l.release()
		return nil, fmt.Errorf("epollloop: eventfd: %w", err)
	}
	// Edge-triggered: every ring is told once, and nobody needs to read the count.
	if err := l.add(l.bell.fd, unix.EPOLLIN|unix.EPOLLET, 0, 0); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// release frees what the system gave. The loop does not run.
func (l *loop) release() {
	l.bell.end()
	if l.bell.fd >= 0 {
		_ = unix.Close(l.bell.fd)
	}
	if l.epfd >= 0 {
		_ = unix.Close(l.epfd)
	}
}

func (l *loop) add(fd int, events uint32, place, gen int32) error {
	ev := unix.EpollEvent{Events: events, Fd: place, Pad: gen}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epollloop: epoll_ctl: %w", err)
	}
	return nil
}

func (l *loop) remove(fd int) { _ = unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, fd, nil) }

// place takes a free slot.
func (l *loop) place() int32 {
	if n := len(l.free); n > 0 {
		i := l.free[n-1]
		l.free = l.free[:n-1]
		return i
	}
	l.slots = append(l.slots, slot{})
	return int32(len(l.slots) - 1)
}

// vacate frees a slot: events that still name it are stale from here on.
func (l *loop) vacate(i int32) {
	l.slots[i] = slot{gen: l.slots[i].gen + 1}
	l.free = append(l.free, i)
}

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

// Post implements transport.Loop.
func (l *loop) Post(t *mailbox.Task) {
	// Who finds the mailbox not empty came after somebody who rang, or who found the loop awake: the loop looks into
	// the mailbox after it announced its sleep.
	if l.mail.Push(t) {
		l.bell.wake()
	}
}

func (l *loop) run() {
	for !l.stopped {
		if !l.turn() {
			l.sleep()
		}
	}
	l.shutdown()
	close(l.done)
}

// turn is one turn as the contract has it. It reports whether there was anything to do.
func (l *loop) turn() (worked bool) {
	n := l.waiting
	l.waiting = -1
	if n < 0 {
		n = l.wait(0)
	}
	l.now = l.g.now()
	worked = n > 0
	for i := range n {
		if i%refreshEvery == refreshEvery-1 {
			l.now = l.g.now()
		}
		l.handle(&l.events[i])
	}
	for _, c := range l.ready.take() {
		worked = true
		c.ready = false
		c.read()
	}
	l.ready.drop()
	if l.mail.Drain() > 0 {
		worked = true
		l.now = l.g.now()
	}
	if l.wheel.Advance(l.now) > 0 {
		worked = true
	}
	if l.sources.Poll() {
		worked = true
	}
	if l.resume() {
		worked = true
	}
	l.sources.Flush()
	if l.flush() {
		worked = true // sessions were called after the sources' Flush: another turn before sleeping
	}
	return worked
}

// resume offers unread input to the sessions that asked for it, before the turn ends.
func (l *loop) resume() (worked bool) {
	for left := maxResumes; len(l.resumed.next) > 0 && left > 0; {
		worked = true
		for _, c := range l.resumed.take() {
			left--
			c.resumed = false
			c.offerUnread()
			c.read()
		}
		l.resumed.drop()
	}
	return worked || len(l.resumed.next) > 0
}

// flush hands all output to the kernel.
func (l *loop) flush() (worked bool) {
	for _, c := range l.dirty.take() {
		worked = true
		c.dirty = false
		c.flush()
	}
	l.dirty.drop()
	return worked
}

// sleep blocks until there is something to do, unless a source or the mailbox has it already. It waits for the time
// of the next timer at most.
func (l *loop) sleep() {
	if l.sources.PrepareSleep() {
		l.bell.state.Store(asleep)
		// Both sides first write, then look: Post pushes and looks at the state. One of them sees the other.
		if l.mail.Empty() {
			timeout := -1
			if at, ok := l.wheel.Next(); ok {
				timeout = millisecondsUntil(l.g.now(), at)
			}
			l.waiting = l.wait(timeout)
		}
		l.bell.state.Store(awake)
	}
	l.sources.Awake()
}

// millisecondsUntil rounds up: waking before the time would be for nothing.
func millisecondsUntil(now, at clock.Instant) int {
	d := at.Sub(now)
	if d <= 0 {
		return 0
	}
	const limit = time.Hour // epoll_wait takes 32 bits
	return int((min(d, limit) + time.Millisecond - 1) / time.Millisecond)
}

// wait takes events, blocking for timeout milliseconds at most; -1 means for ever. The blocking call leaves the
// processor to other goroutines, as any system call of the runtime's does.
func (l *loop) wait(timeout int) int {
	n, err := unix.EpollWait(l.epfd, l.events, timeout)
	if err != nil {
		// EINTR. Everything else says that the descriptor or the memory is not ours, and cannot happen.
		if !errors.Is(err, unix.EINTR) {
			panic(fmt.Sprintf("epollloop: epoll_wait: %v", err))
		}
		return 0
	}
	return n
}

func (l *loop) handle(ev *unix.EpollEvent) {
	if ev.Fd < 0 {
		(*l.g.listeners.Load())[-1-ev.Fd].accept(l)
		return
	}
	s := &l.slots[ev.Fd]
	if s.gen != ev.Pad {
		return // closed earlier in this batch
	}
	switch {
	case s.c != nil:
		s.c.handle(ev.Events)
	case s.bell != nil && s.read:
		// The count of a pipe is its bytes. What the scratch memory cannot take is told again: level-triggered.
		_, _ = unix.Read(s.fd, l.scratch)
	}
}

// Attach implements transport.Loop.
func (l *loop) Attach(s transport.Source, bell int) error {
	var st unix.Stat_t
	if err := unix.Fstat(bell, &st); err != nil {
		return fmt.Errorf("epollloop: doorbell: %w", err)
	}
	i := l.place()
	// An eventfd counts for 2⁶⁴ rings and tells each of them: it need not be read. A pipe becomes full and then
	// silent: it must be.
	kind := st.Mode & unix.S_IFMT
	read := kind == unix.S_IFIFO || kind == unix.S_IFSOCK
	events := uint32(unix.EPOLLIN | unix.EPOLLET)
	if read {
		events = unix.EPOLLIN
	}
	if err := l.add(bell, events, i, l.slots[i].gen); err != nil {
		l.vacate(i)
		return err
	}
	l.slots[i].bell, l.slots[i].fd, l.slots[i].read = s, bell, read
	l.bells = append(l.bells, doorbell{s: s, slot: i})
	l.sources.Add(s)
	return nil
}

// Detach implements transport.Loop.
func (l *loop) Detach(s transport.Source) {
	keep := l.bells[:0]
	for _, b := range l.bells {
		if b.s != s {
			keep = append(keep, b)
			continue
		}
		l.remove(l.slots[b.slot].fd)
		l.vacate(b.slot)
	}
	clear(l.bells[len(keep):])
	l.bells = keep
	l.sources.Remove(s)
}

// shutdown aborts every connection and frees everything.
func (l *loop) shutdown() {
	for i := range l.slots {
		if c := l.slots[i].c; c != nil {
			c.reset()
			c.destroy(transport.ErrAborted)
		}
	}
	l.release()
	l.err = l.pool.Close()
}

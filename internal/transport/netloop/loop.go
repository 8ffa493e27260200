package netloop

import (
	"sync/atomic"
	"time"

	"github.com/covetpy/covet/internal/buf"
	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

const (
	// maxScratch bounds the memory that all connections of a loop are read into: the size at which a read's cost is
	// the copying.
	maxScratch = 256 << 10
	// maxResumes bounds how often connections may be resumed within one turn.
	maxResumes = 1024
	// refreshEvery is how many socket events may pass before the loop's instant is read again.
	refreshEvery = 32
)

// States of a loop, as posters see it.
const (
	awake = iota
	asleep
)

// loop implements transport.Loop. Its socket events are tasks in its mailbox, each a field of its connection.
type loop struct {
	g     *group
	index int
	mail  mailbox.Mailbox
	state atomic.Uint32
	rung  atomic.Bool   // a doorbell rang since the last Poll
	wake  chan struct{} // holds one: a token too many costs a turn, one too few is impossible
	alarm *time.Timer
	count atomic.Int32 // connections of this loop, and those on their way to it

	now     clock.Instant
	events  uint // socket events, for refreshEvery
	wheel   *clock.Wheel
	sources transport.Sources
	bells   []*doorbell
	pool    *buf.Pool
	scratch []byte
	conns   []*conn

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

// queue is a list of connections that is emptied once a turn. Its two halves keep their memory.
type queue struct{ now, next []*conn }

func (q *queue) take() []*conn {
	q.now, q.next = q.next, q.now[:0]
	return q.now
}

// drop forgets what was taken, so that closed connections can be freed.
func (q *queue) drop() { clear(q.now); q.now = q.now[:0] }

func newLoop(g *group, index int) *loop {
	l := &loop{
		g: g, index: index,
		wake:    make(chan struct{}, 1),
		alarm:   time.NewTimer(time.Hour),
		now:     g.now(),
		pool:    buf.NewPool(0),
		scratch: make([]byte, min(g.cfg.MaxInput, maxScratch)),
		done:    make(chan struct{}),
	}
	l.alarm.Stop()
	l.wheel = clock.NewWheel(l.now)
	return l
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
	// Who finds the mailbox not empty came after somebody who woke the loop, or who found it awake: the loop looks
	// into the mailbox after it announced its sleep.
	if l.mail.Push(t) {
		l.wakeUp()
	}
}

func (l *loop) wakeUp() {
	if l.state.Load() == asleep && l.state.CompareAndSwap(asleep, awake) {
		select {
		case l.wake <- struct{}{}:
		default:
		}
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
	l.now = l.g.now()
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
	l.rung.Store(false) // before the look at what it announced
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

// event counts a socket event.
func (l *loop) event() {
	if l.events++; l.events%refreshEvery == 0 {
		l.now = l.g.now()
	}
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
		l.state.Store(asleep)
		// Both sides first write, then look: whoever brings work looks at the state. One of them sees the other.
		if l.mail.Empty() && !l.rung.Load() {
			l.block()
		}
		l.state.Store(awake)
	}
	l.sources.Awake()
}

func (l *loop) block() {
	at, ok := l.wheel.Next()
	if !ok {
		<-l.wake
		return
	}
	d := at.Sub(l.g.now())
	if d <= 0 {
		return
	}
	l.alarm.Reset(d)
	select {
	case <-l.wake:
		l.alarm.Stop()
	case <-l.alarm.C:
	}
}

// Attach implements transport.Loop. The doorbell's open file becomes non-blocking.
func (l *loop) Attach(s transport.Source, bell int) error {
	d, err := openDoorbell(bell)
	if err != nil {
		return err
	}
	d.s = s
	l.bells = append(l.bells, d)
	l.sources.Add(s)
	l.g.guests.Go(func() { d.listen(l) })
	return nil
}

// Detach implements transport.Loop.
func (l *loop) Detach(s transport.Source) {
	keep := l.bells[:0]
	for _, d := range l.bells {
		if d.s != s {
			keep = append(keep, d)
			continue
		}
		d.close()
	}
	clear(l.bells[len(keep):])
	l.bells = keep
	l.sources.Remove(s)
}

// shutdown aborts every connection and frees everything.
func (l *loop) shutdown() {
	for len(l.conns) > 0 {
		c := l.conns[len(l.conns)-1]
		c.reset()
		c.destroy(transport.ErrAborted)
	}
	for _, d := range l.bells {
		d.close()
	}
	l.alarm.Stop()
	l.err = l.pool.Close()
}

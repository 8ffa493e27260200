// Package enginetest provides a transport without sockets: a loop whose turns are taken by hand, whose clock is moved
// by hand, and connections whose client side is a few methods. Everything is deterministic, so that conversations,
// timers and races between events can be written down as tables.
//
// All methods are for one goroutine, except [Loop.Post].
//
//	l := enginetest.NewLoop()
//	g := enginetest.NewGroup(l)
//	… make a server over g …
//	c := g.Dial()
//	c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
//	l.Settle()
//	got := c.Received()
package enginetest

import (
	"time"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

// Loop is a transport.Loop that turns when it is told to.
type Loop struct {
	index int
	now   clock.Instant
	wheel *clock.Wheel
	box   mailbox.Mailbox
	conns []*Conn
	// sources in the order attached.
	sources []transport.Source
}

var _ transport.Loop = (*Loop)(nil)

// start is the instant a loop begins at: not zero, so that code that takes zero for "never" is found.
const start = clock.Instant(time.Hour)

// NewLoop returns a loop of index 0.
func NewLoop() *Loop { return NewLoopAt(0) }

// NewLoopAt returns a loop of that index.
func NewLoopAt(index int) *Loop {
	return &Loop{index: index, now: start, wheel: clock.NewWheel(start)}
}

// Post implements mailbox.Executor; it is safe from any goroutine.
func (l *Loop) Post(t *mailbox.Task) { l.box.Push(t) }

// Index implements transport.Loop.
func (l *Loop) Index() int { return l.index }

// Now implements transport.Loop.
func (l *Loop) Now() clock.Instant { return l.now }

// Schedule implements transport.Loop.
func (l *Loop) Schedule(t *clock.Timer, at clock.Instant) { l.wheel.Schedule(t, at) }

// Unschedule implements transport.Loop.
func (l *Loop) Unschedule(t *clock.Timer) { l.wheel.Unschedule(t) }

// Attach implements transport.Loop; the descriptor is not looked at: sources are polled every turn.
func (l *Loop) Attach(s transport.Source, _ int) error {
	l.sources = append(l.sources, s)
	return nil
}

// Detach implements transport.Loop.
func (l *Loop) Detach(s transport.Source) {
	for i := range l.sources {
		if l.sources[i] == s {
			l.sources = append(l.sources[:i], l.sources[i+1:]...)
			return
		}
	}
}

// Timers is the number of armed timers.
func (l *Loop) Timers() int { return l.wheel.Len() }

// Open is the number of connections that have not been closed.
func (l *Loop) Open() int { return len(l.conns) }

// Turn takes one turn and reports whether there was anything to do.
func (l *Loop) Turn() (worked bool) {
	for _, c := range append([]*Conn(nil), l.conns...) {
		worked = c.deliver() || worked
	}
	worked = l.box.Drain() > 0 || worked
	worked = l.wheel.Advance(l.now) > 0 || worked
	for _, s := range append([]transport.Source(nil), l.sources...) {
		worked = s.Poll() || worked
	}
	for _, s := range l.sources {
		s.Flush()
	}
	for _, c := range append([]*Conn(nil), l.conns...) {
		worked = c.flush() || worked
	}
	return worked
}

// maxTurns bounds Settle: a server that works for ever without input is a bug.
const maxTurns = 100_000

// Settle takes turns until there is nothing to do.
func (l *Loop) Settle() {
	for range maxTurns {
		if !l.Turn() {
			return
		}
	}
	panic("enginetest: the loop does not come to rest")
}

// Advance moves the clock in steps as small as the timers' resolution needs them, and settles after each.
func (l *Loop) Advance(d time.Duration) {
	const step = 50 * time.Millisecond
	for end := l.now.Add(d); l.now < end; {
		l.now = min(l.now.Add(step), end)
		l.Settle()
	}
}

// Group is a transport.Group over loops of this package.
type Group struct {
	loops    []*Loop
	acceptor transport.Acceptor
	nextID   uint64
	// Stopped tells that StopListening has been called.
	Stopped bool
}

var _ transport.Group = (*Group)(nil)

// NewGroup returns a group of the loops.
func NewGroup(loops ...*Loop) *Group { return &Group{loops: loops} }

// Kind implements transport.Group.
func (g *Group) Kind() string { return "fake" }

// Loops implements transport.Group.
func (g *Group) Loops() []transport.Loop {
	all := make([]transport.Loop, len(g.loops))
	for i, l := range g.loops {
		all[i] = l
	}
	return all
}

// Listen implements transport.Group: the acceptor gets what Dial makes.
func (g *Group) Listen(_ transport.Listener, a transport.Acceptor) error {
	g.acceptor = a
	return nil
}

// StopListening implements transport.Group.
func (g *Group) StopListening() { g.Stopped = true }

// Close implements transport.Group.
func (g *Group) Close() error {
	for _, l := range g.loops {
		for _, c := range append([]*Conn(nil), l.conns...) {
			c.end(transport.ErrAborted)
		}
	}
	return nil
}

// Dial opens a connection on the first loop; nil when it is refused.
func (g *Group) Dial() *Conn { return g.DialOn(0) }

// DialOn opens a connection on loop i; nil when it is refused.
func (g *Group) DialOn(i int) *Conn {
	g.nextID++
	l := g.loops[i]
	c := &Conn{group: g, loop: l, id: g.nextID, Window: -1}
	c.session = g.acceptor.Accept(c)
	if c.session == nil {
		return nil
	}
	l.conns = append(l.conns, c)
	return c
}

// Listener returns a Listener for Group.Listen, which does not look at it.
func Listener() transport.Listener { return transport.Listener{} }

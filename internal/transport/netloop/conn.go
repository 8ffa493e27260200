package netloop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/covetpy/covet/internal/buf"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

const (
	// readBudget and writeBudget bound what one connection moves in one turn, in bytes, so that a fast peer does not
	// keep the others waiting.
	readBudget  = 512 << 10
	writeBudget = 1 << 20
	// minSpace is the least room that is read into behind unread input.
	minSpace = 4 << 10
)

// conn implements transport.Conn.
type conn struct {
	loop     *loop
	session  transport.Session
	acceptor transport.Acceptor
	nc       net.Conn // nil once closed
	wire     wire
	place    int // in loop.conns
	id       uint64
	remote   netip.AddrPort
	local    netip.AddrPort
	in       buf.In
	out      buf.Out
	files    transport.FileParts

	adopt    mailbox.Task  // takes the connection to its loop
	canRead  mailbox.Task  // the reader's word
	canWrite mailbox.Task  // the writer's
	want     chan struct{} // asks the reader to wait once more; closed at the end

	readable bool // take may be tried: the reader does not wait
	blocked  bool // the writer waits for room: put must not be tried
	paused   bool
	eof      bool // told to the session
	owed     bool // there was output since the last Drained

	finish  bool // CloseWrite was called
	finSent bool
	closing bool // Close was called
	aborted bool // Abort was called

	ready, resumed, dirty bool // membership in the loop's queues
}

var _ transport.Conn = (*conn)(nil)

// onReadable and onWritable are a conn as the task that its reader or its writer posts.
type (
	onReadable conn
	onWritable conn
)

func newConn(l *loop, a transport.Acceptor, nc net.Conn, id uint64) *conn {
	c := &conn{loop: l, acceptor: a, nc: nc, wire: l.g.newWire(nc), id: id, want: make(chan struct{}, 1)}
	c.remote, c.local = addrPort(nc.RemoteAddr()), addrPort(nc.LocalAddr())
	c.adopt.Do, c.canRead.Do, c.canWrite.Do = c, (*onReadable)(c), (*onWritable)(c)
	return c
}

// addrPort is the address of a TCP socket, an IPv4 one in its own form whatever the family of the listener.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// Run takes a new connection into its loop. It implements mailbox.Runner.
func (c *conn) Run() {
	l := c.loop
	c.in.Init(l.pool)
	c.out.Init(l.pool)
	c.place = len(l.conns)
	l.conns = append(l.conns, c)
	s := c.acceptor.Accept(c)
	if s == nil {
		c.destroy(nil)
		return
	}
	c.session = s
	l.g.guests.Go(c.awaitInput)
	c.ask()
}

// awaitInput is the reader: it waits when it is asked to, and says when the wait is over.
func (c *conn) awaitInput() {
	for range c.want {
		if errors.Is(c.wire.await(), net.ErrClosed) {
			return
		}
		c.loop.Post(&c.canRead)
	}
}

// ask gives the turn at reading to the reader.
func (c *conn) ask() {
	c.readable = false
	c.want <- struct{}{} // never blocks: it is asked again only after it answered
}

// Run implements mailbox.Runner.
func (r *onReadable) Run() {
	c := (*conn)(r)
	if c.nc == nil {
		return
	}
	c.loop.event()
	c.readable = true
	if !c.offering() {
		// Reading would tell an error, after the input before it. Where nobody reads, the peer's going must not wait
		// until somebody does: a handler works for it meanwhile.
		if err := c.wire.broken(); err != nil {
			c.destroy(err)
		}
		return
	}
	c.read()
}

// awaitRoom is the writer. It exists only while output is held up.
func (c *conn) awaitRoom() {
	if err := c.wire.awaitPut(); errors.Is(err, net.ErrClosed) {
		return
	}
	c.loop.Post(&c.canWrite)
}

// Run implements mailbox.Runner.
func (w *onWritable) Run() {
	c := (*conn)(w)
	if c.nc == nil {
		return
	}
	c.loop.event()
	c.blocked = false
	c.touch()
}

// Loop implements transport.Conn.
func (c *conn) Loop() transport.Loop { return c.loop }

// ID implements transport.Conn.
func (c *conn) ID() uint64 { return c.id }

// Remote implements transport.Conn.
func (c *conn) Remote() netip.AddrPort { return c.remote }

// Local implements transport.Conn.
func (c *conn) Local() netip.AddrPort { return c.local }

// mute reports whether output is ignored.
func (c *conn) mute() bool { return c.closing || c.aborted || c.finish || c.nc == nil }

// touch sees that flush looks at the connection at the end of the turn.
func (c *conn) touch() {
	if !c.dirty {
		c.dirty = true
		c.loop.dirty.next = append(c.loop.dirty.next, c)
	}
}

// Reserve implements transport.Conn.
func (c *conn) Reserve(n int) []byte {
	if n > transport.MaxReserve {
		panic(fmt.Sprintf("netloop: a reservation of %d bytes", n))
	}
	if c.mute() {
		return make([]byte, 0, n) // for a session that has not noticed yet
	}
	c.touch()
	return c.out.Reserve(n)
}

// Commit implements transport.Conn.
func (c *conn) Commit(n int) {
	if c.mute() {
		return
	}
	c.owed = c.owed || n > 0
	c.out.Commit(n)
}

// Write implements transport.Conn.
func (c *conn) Write(p []byte) {
	if len(p) == 0 || c.mute() {
		return
	}
	c.owed = true
	c.out.Write(p)
	c.touch()
}

// Pending implements transport.Conn.
func (c *conn) Pending() int { return c.out.Pending() }

// Unacknowledged implements transport.Conn.
func (c *conn) Unacknowledged() int {
	tcp, ok := c.nc.(*net.TCPConn)
	if !ok {
		return 0
	}
	rc, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	_ = rc.Control(func(fd uintptr) { n = transport.Unacknowledged(int(fd)) }) // closed: then 0 is right
	return n
}

// Pause implements transport.Conn.
func (c *conn) Pause() { c.paused = true }

// Resume implements transport.Conn.
func (c *conn) Resume() {
	c.paused = false
	if !c.resumed && c.nc != nil {
		c.resumed = true
		c.loop.resumed.next = append(c.loop.resumed.next, c)
	}
}

// CloseWrite implements transport.Conn.
func (c *conn) CloseWrite() {
	if !c.mute() {
		c.finish = true
		c.touch()
	}
}

// Close implements transport.Conn.
func (c *conn) Close() {
	if c.nc != nil {
		c.closing = true
		c.touch()
	}
}

// Abort implements transport.Conn.
func (c *conn) Abort() {
	if c.nc != nil {
		c.aborted = true
		c.touch()
	}
}

// offering reports whether input may be offered to the session.
func (c *conn) offering() bool { return c.nc != nil && !c.paused && !c.closing && !c.aborted }

// read takes what the kernel has and offers it, until there is no more, the session does not want it, or the turn's
// budget is used up.
func (c *conn) read() {
	l := c.loop
	// What a resumed connection has unread is offered first: its end must not be told before.
	for budget := readBudget; c.readable && c.offering() && !c.resumed && !c.eof; {
		if budget <= 0 {
			if !c.ready {
				c.ready = true
				l.ready.next = append(l.ready.next, c)
			}
			return
		}
		have := c.in.Len()
		room := l.g.cfg.MaxInput - have
		if room <= 0 {
			return // Resume goes on from here
		}
		into := l.scratch
		if have > 0 {
			into = c.in.Space(min(room, max(minSpace, have)))
		}
		into = into[:min(len(into), room)]
		n, err := c.wire.take(into)
		if have > 0 {
			c.in.Filled(n)
		}
		switch {
		case err == nil:
		case errors.Is(err, errAgain):
			c.ask()
			return
		case errors.Is(err, io.EOF):
			c.eof = true
			c.session.EOF()
			return
		default:
			c.destroy(err)
			return
		}
		budget -= n
		if have > 0 {
			c.offerUnread()
		} else {
			c.offer(into[:n:n])
		}
		// Less than was asked for: the next look is the reader's.
		if n < len(into) && c.nc != nil && !c.eof {
			c.ask()
			return
		}
	}
}

// offer gives the session input from the loop's shared memory and keeps what it leaves.
func (c *conn) offer(p []byte) {
	n := c.session.Data(p)
	if n < 0 || n > len(p) {
		panic(fmt.Sprintf("netloop: a session consumed %d of %d bytes", n, len(p)))
	}
	if n < len(p) && !c.closing && !c.aborted {
		c.in.Append(p[n:])
	}
}

// offerUnread gives the session the input that it left before, with what has come behind it.
func (c *conn) offerUnread() {
	if p := c.in.Unread(); len(p) > 0 && c.offering() {
		c.in.Consume(c.session.Data(p))
	}
}

// flush brings output, and an end that was asked for, to the kernel.
func (c *conn) flush() {
	if c.nc == nil {
		return
	}
	if c.aborted {
		c.reset()
		c.destroy(transport.ErrAborted)
		return
	}
	for budget := writeBudget; c.out.Pending() > 0 && !c.blocked && !c.files.Waiting(); {
		if budget <= 0 {
			c.touch()
			return
		}
		n, err := c.send()
		switch {
		case err == nil:
			c.out.Consume(n)
			budget -= n
		case errors.Is(err, errAgain):
			c.blocked = true
			c.loop.g.guests.Go(c.awaitRoom)
		default:
			c.reset() // output broke off, for whatever reason: a FIN would make it look complete
			c.destroy(err)
			return
		}
	}
	if c.out.Pending() > 0 {
		return
	}
	c.out.Release() // what was reserved and not used
	if c.closing {
		c.destroy(nil)
		return
	}
	if c.finish && !c.finSent {
		c.finSent = true
		if w, ok := c.nc.(interface{ CloseWrite() error }); ok {
			_ = w.CloseWrite() // not connected: the peer is gone, and reading tells it
		}
	}
	if c.owed {
		c.owed = false
		c.session.Drained()
	}
}

// send writes what fits into one call. It returns 0 when a part of a file has to be fetched first.
func (c *conn) send() (int, error) {
	if front := c.out.Front(); front != nil {
		return c.wire.put(front)
	}
	return c.sendFile()
}

// reset makes the closing of the socket a reset. Unix sockets have none.
func (c *conn) reset() {
	if tcp, ok := c.nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// destroy closes the socket, frees what the connection held and tells the session. Its goroutines end by themselves.
func (c *conn) destroy(err error) {
	l := c.loop
	_ = c.nc.Close() // wakes those who wait for the socket
	c.nc = nil
	close(c.want)
	last := len(l.conns) - 1
	l.conns[c.place] = l.conns[last]
	l.conns[c.place].place = c.place
	l.conns[last] = nil
	l.conns = l.conns[:last]
	c.in.Release()
	c.out.Release()
	l.count.Add(-1)
	l.g.conns.Add(-1)
	if c.session != nil {
		c.session.Closed(err)
	}
}

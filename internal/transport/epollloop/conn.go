//go:build linux

package epollloop

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

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
	fd       int // -1 once closed
	slot     int32
	id       uint64
	remote   netip.AddrPort
	local    netip.AddrPort
	in       buf.In
	out      buf.Out
	files    transport.FileParts
	adopt    mailbox.Task // takes the connection to its loop

	readable bool // the kernel may have input: no edge is owed to us
	hungUp   bool // an end or an error waits behind the input: short reads are not the last ones
	blocked  bool // the kernel's send buffer is full: an edge is owed to us
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

func newConn(l *loop, a transport.Acceptor, fd int, remote unix.Sockaddr, id uint64) *conn {
	c := &conn{loop: l, acceptor: a, fd: fd, id: id, remote: addrPort(remote)}
	c.adopt.Do = c
	return c
}

// Run takes a new connection into its loop. It implements mailbox.Runner.
func (c *conn) Run() {
	l := c.loop
	c.in.Init(l.pool)
	c.out.Init(l.pool)
	c.slot = l.place()
	l.slots[c.slot].c = c
	const events = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff
	if err := l.add(c.fd, events, c.slot, l.slots[c.slot].gen); err != nil {
		c.destroy(err) // out of memory or of fs.epoll.max_user_watches: refused, nobody was told of it
		return
	}
	s := c.acceptor.Accept(c)
	if s == nil {
		c.destroy(nil)
		return
	}
	c.session = s
}

// Loop implements transport.Conn.
func (c *conn) Loop() transport.Loop { return c.loop }

// ID implements transport.Conn.
func (c *conn) ID() uint64 { return c.id }

// Remote implements transport.Conn.
func (c *conn) Remote() netip.AddrPort { return c.remote }

// Local implements transport.Conn. The kernel is asked once, by the first call.
func (c *conn) Local() netip.AddrPort {
	if !c.local.IsValid() && c.remote.IsValid() && c.fd >= 0 {
		if sa, err := unix.Getsockname(c.fd); err == nil {
			c.local = addrPort(sa)
		}
	}
	return c.local
}

// mute reports whether output is ignored.
func (c *conn) mute() bool { return c.closing || c.aborted || c.finish || c.fd < 0 }

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
		panic(fmt.Sprintf("epollloop: a reservation of %d bytes", n))
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
	if c.fd < 0 || !c.remote.IsValid() {
		return 0
	}
	return transport.Unacknowledged(c.fd)
}

// Pause implements transport.Conn.
func (c *conn) Pause() { c.paused = true }

// Resume implements transport.Conn.
func (c *conn) Resume() {
	c.paused = false
	if !c.resumed && c.fd >= 0 {
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
	if c.fd >= 0 {
		c.closing = true
		c.touch()
	}
}

// Abort implements transport.Conn.
func (c *conn) Abort() {
	if c.fd >= 0 {
		c.aborted = true
		c.touch()
	}
}

// handle is one event of the socket.
func (c *conn) handle(events uint32) {
	if events&unix.EPOLLOUT != 0 && c.blocked {
		c.blocked = false
		c.touch()
	}
	const ends = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	if events&(unix.EPOLLIN|ends) == 0 {
		return
	}
	c.readable = true
	c.hungUp = c.hungUp || events&ends != 0
	if events&unix.EPOLLERR != 0 && (!c.offering() || c.eof) {
		// Reading would tell the error, after the input before it. Where nobody reads, the peer's going must not wait
		// until somebody does: a handler works for it meanwhile.
		if err := c.socketError(); err != nil {
			c.destroy(err)
			return
		}
	}
	c.read()
}

// socketError takes the pending error of the socket.
func (c *conn) socketError() error {
	n, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && n != 0 {
		err = unix.Errno(n)
	}
	if err == nil {
		return nil
	}
	return os.NewSyscallError("epollloop: socket", err)
}

// offering reports whether input may be offered to the session.
func (c *conn) offering() bool { return c.fd >= 0 && !c.paused && !c.closing && !c.aborted }

// reading reports whether there may be more of it. What a resumed connection has unread is offered first: its end
// must not be told before.
func (c *conn) reading() bool { return c.offering() && !c.resumed && !c.eof }

// read takes what the kernel has and offers it, until there is no more, the session does not want it, or the turn's
// budget is used up.
func (c *conn) read() {
	l := c.loop
	for budget := readBudget; c.readable && c.reading(); {
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
		n, err := unix.Read(c.fd, into)
		if have > 0 {
			c.in.Filled(max(n, 0))
		}
		switch {
		case err == nil && n > 0:
		case err == nil:
			c.readable, c.eof = false, true
			c.session.EOF()
			return
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			c.readable = false
			return
		default:
			c.destroy(os.NewSyscallError("epollloop: read", err))
			return
		}
		// A stream that gave less than was asked for is empty (epoll(7)), and an edge is owed to us, unless an end
		// has been announced: that edge is gone.
		if n < len(into) && !c.hungUp {
			c.readable = false
		}
		budget -= n
		if have > 0 {
			c.offerUnread()
		} else {
			c.offer(into[:n:n])
		}
	}
}

// offer gives the session input from the loop's shared memory and keeps what it leaves.
func (c *conn) offer(p []byte) {
	n := c.session.Data(p)
	if n < 0 || n > len(p) {
		panic(fmt.Sprintf("epollloop: a session consumed %d of %d bytes", n, len(p)))
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
	if c.fd < 0 {
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
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			c.blocked = true
		case errors.Is(err, transport.ErrShortFile):
			c.cut(err)
			return
		default:
			c.cut(os.NewSyscallError("epollloop: write", err))
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
		_ = unix.Shutdown(c.fd, unix.SHUT_WR) // ENOTCONN: the peer is gone, and reading tells it
	}
	if c.owed {
		c.owed = false
		c.session.Drained()
	}
}

// send writes what fits into one call. It returns 0 when a part of a file has to be fetched first.
func (c *conn) send() (int, error) {
	front := c.out.Front()
	if front == nil {
		return c.sendFile()
	}
	if len(front) == c.out.Pending() {
		return unix.Write(c.fd, front)
	}
	v := c.out.Vectors(c.loop.vecs[:0])
	defer clear(v)
	if len(v) == 1 {
		// A file follows: the head travels with its first bytes.
		return unix.SendmsgN(c.fd, front, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
	}
	return unix.Writev(c.fd, v)
}

// reset makes the closing of the socket a reset. Unix sockets have none.
func (c *conn) reset() {
	if c.remote.IsValid() {
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
}

// cut ends a connection whose output broke off, for whatever reason: a FIN would make it look complete.
func (c *conn) cut(err error) {
	c.reset()
	c.destroy(err)
}

// destroy closes the socket, frees what the connection held and tells the session.
func (c *conn) destroy(err error) {
	l := c.loop
	_ = unix.Close(c.fd) // leaves epoll with it: the descriptor has no duplicates
	c.fd = -1
	l.vacate(c.slot)
	c.in.Release()
	c.out.Release()
	l.count.Add(-1)
	l.g.conns.Add(-1)
	if c.session != nil {
		c.session.Closed(err)
	}
}

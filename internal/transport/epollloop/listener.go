//go:build linux

package epollloop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/transport"
)

// acceptBatch is how many connections a loop accepts before it serves those it has.
const acceptBatch = 64

// listener is one listening socket, registered with every loop.
type listener struct {
	index    int
	acceptor transport.Acceptor
	l        net.Listener
	retries  []retry // one a loop

	// mu keeps the descriptor from being closed, and its number from being reused, while a loop accepts on it.
	mu     sync.Mutex
	fd     int // a duplicate, ours
	closed bool
}

// retry registers a listener with a loop again, after a pause.
type retry struct {
	ls    *listener
	l     *loop
	timer clock.Timer
}

// Fire implements clock.Firer.
func (r *retry) Fire() {
	if err := r.ls.register(r.l); err != nil {
		// Still no memory for it: later.
		r.l.Schedule(&r.timer, r.l.Now().Add(r.l.g.cfg.AcceptBackoff))
	}
}

func newListener(g *group, index int, l transport.Listener, a transport.Acceptor) (*listener, error) {
	sc, ok := l.L.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("epollloop: a %T has no descriptor", l.L)
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("epollloop: listener: %w", err)
	}
	ls := &listener{index: index, acceptor: a, l: l.L, fd: -1}
	var dupErr error
	if err := rc.Control(func(fd uintptr) {
		ls.fd, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return nil, fmt.Errorf("epollloop: listener: %w", err)
	}
	if dupErr != nil {
		return nil, fmt.Errorf("epollloop: duplicate listener: %w", dupErr)
	}
	if err := unix.SetNonblock(ls.fd, true); err != nil {
		_ = unix.Close(ls.fd)
		return nil, fmt.Errorf("epollloop: listener: %w", err)
	}
	if _, ok := l.L.(*net.TCPListener); ok {
		tuneTCP(ls.fd)
	}
	ls.retries = make([]retry, len(g.loops))
	for i := range ls.retries {
		r := &ls.retries[i]
		r.ls, r.l = ls, g.loops[i]
		r.timer.Do = r
	}
	return ls, nil
}

// tuneTCP sets what accepted connections inherit, so that accepting one costs no further call. A system that refuses
// an option serves without it.
func tuneTCP(fd int) {
	// Output leaves once a turn and whole: waiting for more of it would only delay it.
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	// A peer that vanished without a word is noticed, in the intervals that package net uses.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9)
}

// register adds the socket to a loop's epoll. It is harmless on a closed listener.
func (ls *listener) register(l *loop) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return nil
	}
	events := uint32(unix.EPOLLIN)
	if len(ls.retries) > 1 {
		events |= unix.EPOLLEXCLUSIVE // one connection wakes one loop
	}
	return l.add(ls.fd, events, int32(-1-ls.index), 0)
}

// close stops accepting. The registrations go first: they belong to the open socket, which lives on in other
// duplicates, not to the number.
func (ls *listener) close(g *group) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return
	}
	ls.closed = true
	for _, l := range g.loops {
		l.remove(ls.fd)
	}
	ls.acceptLast(g)
	_ = unix.Close(ls.fd)
	// The error of closing a listening socket has no consequence that anybody could act on.
	_ = ls.l.Close()
}

// acceptLast accepts what waits: closing would reset it. A connection that comes after the last look is lost.
func (ls *listener) acceptLast(g *group) {
	for range transport.LastAccepts {
		switch fd, sa, err := unix.Accept4(ls.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC); {
		case err == nil:
			g.admit(nil, ls, fd, sa)
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		default:
			return // nothing waits, or nothing can be done for it
		}
	}
}

// take accepts one connection.
func (ls *listener) take() (int, unix.Sockaddr, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return -1, nil, unix.EAGAIN
	}
	return unix.Accept4(ls.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}

// pause takes the socket out of l's epoll for a while.
func (ls *listener) pause(l *loop) {
	ls.mu.Lock()
	if !ls.closed {
		l.remove(ls.fd)
	}
	ls.mu.Unlock()
	l.Schedule(&ls.retries[l.index].timer, l.now.Add(l.g.cfg.AcceptBackoff))
}

// accept takes waiting connections and gives each to a loop.
func (ls *listener) accept(l *loop) {
	for range acceptBatch {
		fd, sa, err := ls.take()
		switch {
		case err == nil:
			l.g.admit(l, ls, fd, sa)
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
			// The connection stays in the kernel's queue; asking at once would only spin.
			ls.pause(l)
			return
		default:
			// EINTR, ECONNABORTED, and the errors of the network that accept(2) passes on: all of them concern one
			// connection that is gone already.
		}
	}
}

// admit gives a new socket to the loop with the fewest connections. It runs on the loop l; nil means on none.
func (g *group) admit(l *loop, ls *listener, fd int, sa unix.Sockaddr) {
	if g.conns.Add(1) > int64(g.cfg.MaxConns) {
		g.conns.Add(-1)
		_ = unix.Close(fd)
		return
	}
	to := g.pick(l)
	to.count.Add(1)
	c := newConn(to, ls.acceptor, fd, sa, g.nextID.Add(1))
	if to == l {
		c.Run()
		return
	}
	to.Post(&c.adopt)
}

// addrPort is the address of a TCP socket, an IPv4 one in its own form whatever the family of the listener.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

//go:build linux && (amd64 || arm64)

package ringloop

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/uring"
)

// listener is a listening socket. One loop accepts for all and hands the connections out in turns: with a multishot
// accept in each loop the kernel wakes the first in its queue, and on Linux 6.18 all of 64 connections that came
// together ended up on one loop of two.
type listener struct {
	l        *loop
	open     transport.Listener
	file     *os.File // the duplicate that is accepted on
	fd       int
	acceptor transport.Acceptor
	unix     bool

	index, gen uint32
	armed      bool
	resting    clock.Timer // armed while accepting pauses after the process ran out of descriptors
	stopping   bool
	stopped    chan struct{} // closed when the socket is
}

// listen begins accepting, on the loop.
func (s *listener) listen() {
	s.resting.Do = s
	s.index, s.gen = s.l.listeners.add(s)
	s.l.lapsed = true
}

// Fire implements clock.Firer: the rest after a lack of descriptors is over.
func (s *listener) Fire() { s.l.lapsed = true }

// acceptFlags are those of new sockets. In non-blocking mode sendfile returns when the socket is full; what the ring does
// waits in either mode.
const acceptFlags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

// arm makes the kernel accept. It returns false when the submission queue is full.
func (s *listener) arm() bool {
	if s.armed || s.stopping || s.resting.Armed() {
		return true
	}
	s.armed = s.l.ring.Accept(s.fd, acceptFlags, pack(kindAccept, s.gen, s.index))
	return s.armed
}

// stop ends accepting, on the loop. The socket is closed when the kernel is done with it.
func (s *listener) stop() {
	if s.stopping {
		return
	}
	s.stopping = true
	s.l.wheel.Unschedule(&s.resting)
	if s.armed {
		s.l.cancels = append(s.l.cancels, pack(kindAccept, s.gen, s.index))
		return
	}
	s.l.listeners.remove(s.index)
	s.acceptLast()
	s.finish()
}

// acceptLast accepts what waits: closing would reset it. A connection that comes after the last look is lost.
//
// It does not touch the mode of the socket. That belongs to whoever shares the socket, too, such as a successor process:
// its accepts would fail while the socket is non-blocking, and ours would wait for ever once it was blocking again. So
// it looks first; a connection that somebody else takes after the look costs one tick of the kernel's clock, by a
// timeout of the socket (which multipath TCP does not have).
func (s *listener) acceptLast() {
	if unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 1}) != nil {
		return
	}
	defer func() { _ = unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{}) }()
	look := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	for range transport.LastAccepts {
		if n, err := unix.Poll(look, 0); n == 0 && err == nil {
			return
		}
		switch fd, _, err := unix.Accept4(s.fd, acceptFlags); {
		case err == nil:
			s.l.group.place(s.l, fd, s)
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		default:
			return // nothing waits, or nothing can be done for it
		}
	}
}

// finish closes the socket. An error of closing a listener changes nothing.
func (s *listener) finish() {
	_ = s.file.Close()
	_ = s.open.L.Close()
	close(s.stopped)
}

// accepted handles a completion of an accept.
func (l *loop) accepted(s *listener, e uring.CQE) {
	if s == nil {
		if e.Res >= 0 {
			_ = unix.Close(int(e.Res))
		}
		return
	}
	if !e.More() {
		s.armed = false // for whatever reason, and without further notice: it is armed again, or was to stop
		l.lapsed = true
	}
	if e.Res >= 0 {
		l.group.place(l, int(e.Res), s)
	} else {
		s.failed(unix.Errno(-e.Res))
	}
	if s.stopping && !s.armed {
		l.listeners.remove(s.index)
		s.acceptLast()
		s.finish()
	}
}

func (s *listener) failed(errno unix.Errno) {
	switch errno {
	case unix.ECANCELED, unix.EINTR, unix.ECONNABORTED:
		return
	case unix.EAGAIN:
		// Someone who shares the socket, such as a successor process, made it non-blocking: accepting on it does not
		// wait any more. Blocking mode is what the ring needs.
		_ = unix.SetNonblock(s.fd, false)
	}
	// Out of descriptors or memory: the connection stays in the kernel's queue, and asking again at once would spin.
	if !s.stopping {
		s.l.Schedule(&s.resting, s.l.now.Add(s.l.group.cfg.AcceptBackoff))
	}
}

// admit makes a connection of a descriptor, on the loop that will own it.
func (l *loop) admit(fd int, a transport.Acceptor, isUnix bool) {
	if l.ending {
		_ = unix.Close(fd)
		l.group.conns.Add(-1)
		return
	}
	c := &conn{l: l, fd: fd, unix: isUnix, id: l.group.nextID()}
	c.in.Init(l.pool)
	c.out.Init(l.pool)
	c.index, c.gen = l.conns.add(c)
	if !isUnix {
		// At once: after a reset the kernel does not know it any more, and the access log wants it then, too.
		c.remote = remoteAddress(fd)
	}
	c.sess = a.Accept(c)
	if c.sess == nil {
		c.out.Release()
		c.end(nil)
	}
	c.markDirty()
}

//go:build linux && (amd64 || arm64)

package ringloop

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/transport"
)

// Another owner of the listening socket, such as a successor process, may make it non-blocking. On some kernels an
// accept then does not wait; the loop goes on accepting on all of them.
func TestListenerMadeNonBlocking(t *testing.T) {
	g := startGroup(t, transport.Config{AcceptBackoff: time.Millisecond}, defaultTuning())
	l := g.loops[0]
	ln, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr()
	held, busy := make(chan struct{}), make(chan struct{})
	l.post(func() { close(busy); <-held }) // the loop has not armed the accept yet
	<-busy
	if err := g.Listen(ln, lines(false, nil)); err != nil {
		t.Fatal(err)
	}
	s := g.open[0]
	if err := unix.SetNonblock(s.fd, true); err != nil {
		t.Fatal(err)
	}
	close(held)
	for range 3 {
		c := dial(t, addr)
		if _, err := c.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 6)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
	}
}

// A listener that stops before it has accepted at all serves what waits for it.
func TestStopBeforeTheFirstAccept(t *testing.T) {
	g := startGroup(t, transport.Config{Loops: 2}, defaultTuning())
	ln, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr()
	held, busy := make(chan struct{}), make(chan struct{})
	g.loops[0].post(func() { close(busy); <-held })
	<-busy
	if err := g.Listen(ln, lines(false, nil)); err != nil {
		t.Fatal(err)
	}
	s := g.open[0]
	conns := make([]net.Conn, 10)
	for i := range conns {
		conns[i] = dial(t, addr)
	}
	s.l.post(s.stop) // in the turn in which it begins to listen: the accept is not armed yet
	close(held)
	<-s.stopped
	for _, c := range conns {
		if _, err := c.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 6)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
	}
}

// A listener that stops leaves the mode of its socket alone, and does not depend on it: whoever shares the socket, such
// as a successor process, needs it as it is.
func TestStopLeavesTheModeOfTheSocket(t *testing.T) {
	g := startGroup(t, transport.Config{}, defaultTuning())
	ln, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr()
	shared, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	fd := int(shared.Fd())
	accepted := 0
	a := acceptFunc(func(c transport.Conn) transport.Session {
		accepted++
		if mode, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || mode&unix.O_NONBLOCK != 0 {
			t.Errorf("mode %#x, %v: the others find the socket non-blocking", mode, err)
		}
		_ = unix.SetNonblock(fd, false) // by another owner, who needs that
		return nil
	})
	held, busy := make(chan struct{}), make(chan struct{})
	g.loops[0].post(func() { close(busy); <-held })
	<-busy
	if err := g.Listen(ln, a); err != nil {
		t.Fatal(err)
	}
	s := g.open[0]
	const waiting = 5
	for range waiting {
		dial(t, addr)
	}
	s.l.post(s.stop) // in the turn in which it begins to listen: all of them are accepted by the last look
	close(held)
	select {
	case <-s.stopped:
	case <-time.After(patience):
		t.Fatal("the loop waits for a connection that nobody makes")
	}
	run(s.l, func() {
		if accepted != waiting {
			t.Errorf("%d connections of %d were accepted", accepted, waiting)
		}
	})
	if left, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO); err != nil || left.Sec != 0 || left.Usec != 0 {
		t.Errorf("the shared socket is left with the timeout %v, %v", left, err)
	}
}

func TestListenAfterClose(t *testing.T) {
	g, err := newGroup(transport.Config{}, defaultTuning())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(ln, lines(false, nil)); err == nil {
		t.Error("a closed group listens")
	}
	if c, err := net.DialTimeout("tcp", ln.Addr().String(), patience); err == nil {
		_ = c.Close()
		t.Error("the socket is still open: the group has taken its ownership")
	}
	_ = ln.L.Close()
}

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

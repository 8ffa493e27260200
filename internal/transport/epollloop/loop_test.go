//go:build linux

package epollloop

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

func TestMillisecondsUntil(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want int
	}{
		{-time.Second, 0}, {0, 0}, {1, 1}, {time.Millisecond, 1}, {time.Millisecond + 1, 2},
		{time.Hour, 3_600_000}, {1000 * time.Hour, 3_600_000},
	} {
		if got := millisecondsUntil(100, clock.Instant(100).Add(c.d)); got != c.want {
			t.Errorf("millisecondsUntil(%v) = %d, want %d", c.d, got, c.want)
		}
	}
}

// quiet is a session that reads and answers nothing.
type quiet struct{ closed chan error }

func (s *quiet) Data(in []byte) int { return len(in) }
func (s *quiet) EOF()               {}
func (s *quiet) Drained()           {}
func (s *quiet) Closed(err error)   { s.closed <- err }

type acceptFunc func(transport.Conn) transport.Session

func (f acceptFunc) Accept(c transport.Conn) transport.Session { return f(c) }

func serve(t *testing.T, cfg transport.Config, a transport.Acceptor) (*group, net.Addr) {
	t.Helper()
	tg, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tg.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := tg.Listen(l, a); err != nil {
		t.Fatal(err)
	}
	return tg.(*group), l.Addr()
}

// TestAcceptedSocket looks at what accepted sockets inherit: nothing is set on them one by one.
func TestAcceptedSocket(t *testing.T) {
	options := make(chan [3]int, 1)
	_, addr := serve(t, transport.Config{}, acceptFunc(func(tc transport.Conn) transport.Session {
		fd := tc.(*conn).fd
		var o [3]int
		o[0], _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
		o[1], _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil {
			o[2] = flags & unix.FD_CLOEXEC
		}
		options <- o
		return nil
	}))
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if o := <-options; o[0] != 1 || o[1] != 1 || o[2] == 0 {
		t.Errorf("TCP_NODELAY %d, SO_KEEPALIVE %d, FD_CLOEXEC %d: want all set", o[0], o[1], o[2])
	}
}

// TestBalance sees that connections go to the loop with the fewest, whichever loop the kernel wakes.
func TestBalance(t *testing.T) {
	const loops, each = 4, 10
	accepted := make(chan int, loops*each)
	g, addr := serve(t, transport.Config{Loops: loops}, acceptFunc(func(c transport.Conn) transport.Session {
		accepted <- c.Loop().Index()
		return &quiet{closed: make(chan error, 1)}
	}))
	for range loops * each {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		<-accepted // the next one is chosen when this one counts
	}
	for _, l := range g.loops {
		if n := l.count.Load(); n != each {
			t.Errorf("loop %d has %d connections, want %d", l.index, n, each)
		}
	}
}

// TestResetWhilePaused: the session is told of a reset at once, though it does not read: its handler is cancelled.
func TestResetWhilePaused(t *testing.T) {
	s := &quiet{closed: make(chan error, 1)}
	_, addr := serve(t, transport.Config{}, acceptFunc(func(c transport.Conn) transport.Session {
		c.Pause()
		return s
	}))
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "request"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	select {
	case err := <-s.closed:
		if err == nil {
			t.Error("Closed(nil) after a reset")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("a paused session is not told of a reset")
	}
}

// TestWakeNeverRingsAClosedDescriptor closes a wakeup while many wake it: the number of its descriptor is used by
// somebody else right after, who must not hear a ring.
func TestWakeNeverRingsAClosedDescriptor(t *testing.T) {
	for range 300 {
		var w wakeup
		var err error
		if w.fd, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		w.state.Store(asleep)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				<-begin
				for range 50 {
					w.wake()
					w.state.CompareAndSwap(awake, asleep) // a loop that falls asleep again, but never after its end
				}
			})
		}
		close(begin)
		w.end()
		_ = unix.Close(w.fd)
		other, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		var b [8]byte
		if n, err := unix.Read(other, b[:]); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("somebody else's descriptor was rung: %d, %v", n, err)
		}
		_ = unix.Close(other)
	}
}

// TestListenAfterClose: the listener is closed, as the group owns it.
func TestListenAfterClose(t *testing.T) {
	g, err := New(transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(l, acceptFunc(func(transport.Conn) transport.Session { return nil })); err == nil {
		t.Error("a closed group listens")
	}
	if c, err := l.L.Accept(); err == nil {
		_ = c.Close()
		t.Error("the listener is still open")
	}
	g.StopListening()
}

// TestAttachRefuses: what is not a descriptor, or cannot be waited for, is an error and leaves nothing.
func TestAttachRefuses(t *testing.T) {
	tg, err := New(transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	l := tg.(*group).loops[0]
	done := make(chan struct{})
	l.Post(&mailbox.Task{Do: runFunc(func() {
		defer close(done)
		if err := l.Attach(nil, -1); err == nil {
			t.Error("descriptor -1 was attached")
		}
		if l.sources.Len() != 0 || len(l.bells) != 0 {
			t.Error("a refused source stays")
		}
	})})
	<-done
}

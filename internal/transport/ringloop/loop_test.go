//go:build linux && (amd64 || arm64)

package ringloop

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/transport"
)

const patience = 30 * time.Second

func startGroup(t testing.TB, cfg transport.Config, tn tuning) *group {
	t.Helper()
	g, err := newGroup(cfg, tn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return g.(*group)
}

func serve(t testing.TB, g *group, address string, a transport.Acceptor) net.Addr {
	t.Helper()
	l, err := transport.Open(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr()
	if err := g.Listen(l, a); err != nil {
		t.Fatal(err)
	}
	return addr
}

func dial(t testing.TB, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs f on l and waits for it.
func run(l *loop, f func()) {
	done := make(chan struct{})
	l.post(func() { defer close(done); f() })
	<-done
}

// session does what a real one does at every request: lines in, lines out, a deadline, a pause.
type session struct {
	c        transport.Conn
	deadline clock.Timer
	pauses   bool
	closed   func(error)
}

func (s *session) Fire() { s.c.Abort() }

func (s *session) Data(in []byte) (used int) {
	l := s.c.Loop()
	for {
		i := bytes.IndexByte(in[used:], '\n')
		if i < 0 {
			return used
		}
		line := in[used : used+i+1]
		s.c.Commit(len(append(s.c.Reserve(len(line)), line...)))
		used += len(line)
		l.Schedule(&s.deadline, l.Now().Add(time.Minute))
		if s.pauses {
			s.c.Pause()
			s.c.Resume()
		}
	}
}
func (s *session) EOF()     { s.c.Close() }
func (s *session) Drained() {}
func (s *session) Closed(err error) {
	s.c.Loop().Unschedule(&s.deadline)
	if s.closed != nil {
		s.closed(err)
	}
}

type acceptFunc func(transport.Conn) transport.Session

func (f acceptFunc) Accept(c transport.Conn) transport.Session { return f(c) }

func lines(pauses bool, closed func(error)) transport.Acceptor {
	return acceptFunc(func(c transport.Conn) transport.Session {
		s := &session{c: c, pauses: pauses, closed: closed}
		s.deadline.Do = s
		return s
	})
}

// idle is a source with nothing to do.
type idle struct{ polls int }

func (s *idle) Poll() bool         { s.polls++; return false }
func (s *idle) Flush()             {}
func (s *idle) PrepareSleep() bool { return true }
func (s *idle) Awake()             {}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	for _, pauses := range []bool{false, true} {
		g := startGroup(t, transport.Config{}, defaultTuning())
		bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		src := &idle{}
		run(g.loops[0], func() { err = g.loops[0].Attach(src, bell) })
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, serve(t, g, "127.0.0.1:0", lines(pauses, nil)))
		msg := bytes.Repeat([]byte("a request of some length\n"), 16)
		cut := msg[:len(msg)-5] // leaves unread input behind
		got := make([]byte, len(msg))
		allocs := testing.AllocsPerRun(2000, func() {
			_, _ = c.Write(cut)
			_, _ = c.Write(msg[len(cut):])
			if _, err := io.ReadFull(c, got); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 || !bytes.Equal(got, msg) {
			t.Errorf("pauses %v: %v allocations for 16 pipelined messages, want 0", pauses, allocs)
		}
		run(g.loops[0], func() { g.loops[0].Detach(src) })
		_ = unix.Close(bell)
	}
}

func TestAcceptedSocketsDoNotDelay(t *testing.T) {
	g := startGroup(t, transport.Config{}, defaultTuning())
	got := make(chan int, 1)
	dial(t, serve(t, g, "127.0.0.1:0", acceptFunc(func(c transport.Conn) transport.Session {
		v, err := unix.GetsockoptInt(c.(*conn).fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
		if err != nil {
			t.Error(err)
		}
		got <- v
		return nil
	})))
	if v := <-got; v == 0 {
		t.Error("TCP_NODELAY is not set")
	}
}

// A session that keeps its Conn too long harms nobody, not even who got its place and descriptor.
func TestConnAfterClosed(t *testing.T) {
	g := startGroup(t, transport.Config{}, defaultTuning())
	l := g.loops[0]
	gone := make(chan struct{}, 2)
	conns := make(chan transport.Conn, 2)
	addr := serve(t, g, "127.0.0.1:0", acceptFunc(func(c transport.Conn) transport.Session {
		conns <- c
		return lines(false, func(error) { gone <- struct{}{} }).Accept(c)
	}))
	_ = dial(t, addr).Close()
	old := <-conns
	<-gone
	c := dial(t, addr)
	successor := <-conns
	run(l, func() {
		if old.(*conn).index != successor.(*conn).index {
			t.Error("the place was not reused: the test shows nothing")
		}
		old.Write([]byte("stray\n"))
		old.Commit(len(append(old.Reserve(10), "stray\n"...)))
		old.Pause()
		old.Resume()
		old.CloseWrite()
		old.Close()
		old.Abort()
		_ = old.Local()
		if old.Pending() != 0 {
			t.Error("output was queued")
		}
	})
	if _, err := c.Write([]byte("mine\n")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "mine\n" {
		t.Fatalf("read %q, %v", got, err)
	}
	run(l, func() {
		if n := l.Buffers(); n != 0 {
			t.Errorf("%d buffers are held", n)
		}
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// A thousand connections at once, each gone in another way, leave nothing behind.
func TestThousandConnections(t *testing.T) {
	const count = 1000
	for name, tn := range map[string]tuning{
		"default": defaultTuning(), "scarce": {entries: 4, buffers: 2, bufferSize: 64},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGroup(t, transport.Config{Loops: 2}, tn)
			var closed atomic.Int32
			addr := serve(t, g, "127.0.0.1:0", lines(true, func(error) { closed.Add(1) }))
			before := openFiles(t)
			for round := 1; round <= 2; round++ {
				clients := make([]net.Conn, count)
				var wg sync.WaitGroup
				for i := range clients {
					clients[i] = dial(t, addr)
				}
				for i, c := range clients {
					wg.Go(func() {
						msg := bytes.Repeat([]byte("0123456789abcdef\n"), i%40+1)
						if _, err := c.Write(msg); err != nil {
							t.Errorf("write: %v", err)
							return
						}
						switch i % 4 {
						case 0:
							_ = c.(*net.TCPConn).SetLinger(0) // unread answers, then a reset
						default:
							got := make([]byte, len(msg))
							if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, msg) {
								t.Errorf("connection %d: %v", i, err)
							}
						}
						_ = c.Close()
					})
				}
				wg.Wait()
				deadline := time.Now().Add(patience)
				for closed.Load() != int32(round*count) || openFiles(t) > before || g.conns.Load() != 0 {
					if time.Now().After(deadline) {
						t.Fatalf("closed %d of %d, files %d, before %d, counted %d", closed.Load(), round*count,
							openFiles(t), before, g.conns.Load())
					}
					time.Sleep(time.Millisecond) // the pause of a poll
				}
			}
			for _, l := range g.loops {
				run(l, func() {
					if n := l.Buffers(); n != 0 || l.conns.used != 0 || l.wheel.Len() != 0 {
						t.Errorf("%d buffers, %d connections, %d timers are left", n, l.conns.used, l.wheel.Len())
					}
				})
			}
		})
	}
}

// Tasks, timers and sources are served while connections keep the loop busy.
func TestBusyConnectionsDoNotStarveTheRest(t *testing.T) {
	g := startGroup(t, transport.Config{}, defaultTuning())
	l := g.loops[0]
	addr := serve(t, g, "127.0.0.1:0", lines(false, nil))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	msg := bytes.Repeat([]byte("x\n"), 2000)
	for range 4 {
		c := dial(t, addr)
		wg.Go(func() {
			got := make([]byte, len(msg))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Write(msg); err != nil {
					t.Error(err)
					return
				}
				if _, err := io.ReadFull(c, got); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	fired := make(chan struct{})
	timer := &clock.Timer{Do: fireFunc(func() { close(fired) })}
	run(l, func() { l.Schedule(timer, l.Now().Add(50*time.Millisecond)) })
	select {
	case <-fired:
	case <-time.After(patience):
		t.Error("the timer did not fire")
	}
	for range 100 {
		run(l, func() {})
	}
	close(stop)
	wg.Wait()
}

// A collection stops every thread that runs Go code: a sleeping loop must not be one of them.
func TestCollectionsWhileAsleep(t *testing.T) {
	g := startGroup(t, transport.Config{Loops: 2}, defaultTuning())
	c := dial(t, serve(t, g, "127.0.0.1:0", lines(false, nil)))
	got := make([]byte, 2)
	for range 20 {
		runtime.GC()
		if _, err := c.Write([]byte("x\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
	}
}

type fireFunc func()

func (f fireFunc) Fire() { f() }

func BenchmarkEcho(b *testing.B) {
	for name, depth := range map[string]int{"depth=1": 1, "depth=16": 16} {
		b.Run(name, func(b *testing.B) {
			g := startGroup(b, transport.Config{}, defaultTuning())
			c := dial(b, serve(b, g, "127.0.0.1:0", lines(false, nil)))
			_ = c.SetDeadline(time.Time{})
			msg := bytes.Repeat(append(bytes.Repeat([]byte("r"), 99), '\n'), depth)
			got := make([]byte, len(msg))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(msg); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

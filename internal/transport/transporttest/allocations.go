package transporttest

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

// answerer is a session that does on every message what the engine does: a reservation, a deadline, and an answer
// that comes by way of a task, with reading paused meanwhile.
type answerer struct {
	conn     transport.Conn
	deadline clock.Timer
	task     mailbox.Task
}

var _ transport.Session = (*answerer)(nil)

func newAnswerer(c transport.Conn) transport.Session {
	a := &answerer{conn: c}
	a.deadline.Do, a.task.Do = a, a
	return a
}

// Data implements transport.Session.
func (a *answerer) Data(in []byte) int {
	l := a.conn.Loop()
	l.Schedule(&a.deadline, l.Now().Add(time.Minute))
	a.conn.Pause()
	l.Post(&a.task)
	return len(in)
}

// Run implements mailbox.Runner.
func (a *answerer) Run() {
	b := a.conn.Reserve(64)
	a.conn.Commit(len(append(b, "answer"...)))
	a.conn.Loop().Unschedule(&a.deadline)
	a.conn.Resume()
}

// Fire implements clock.Firer.
func (a *answerer) Fire() { a.conn.Abort() }

// EOF implements transport.Session.
func (a *answerer) EOF() { a.conn.Close() }

// Drained implements transport.Session.
func (a *answerer) Drained() {}

// Closed implements transport.Session.
func (a *answerer) Closed(error) { a.conn.Loop().Unschedule(&a.deadline) }

// exchange is one round trip that itself allocates nothing.
func exchange(tb testing.TB, c net.Conn, buf []byte) {
	if _, err := c.Write(buf[:1]); err != nil {
		tb.Fatalf("client write: %v", err)
	}
	if _, err := io.ReadFull(c, buf[:len("answer")]); err != nil {
		tb.Fatalf("client read: %v", err)
	}
}

// Allocations checks that a round trip in the steady state allocates nothing: reading, a timer, a task, a
// reservation, writing, with a source attached where the system has doorbells. It is not a part of Run, because a
// fallback may pay with allocations for being portable.
func Allocations(t *testing.T, newGroup func(transport.Config) (transport.Group, error)) {
	t.Helper()
	if raceEnabled {
		return // the race detector allocates
	}
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	s := &source{t: t}
	h.attach(l, s, newDoorbell(t))
	c := dial(t, h.serve(acceptFunc(newAnswerer)))
	buf := make([]byte, 64)
	for range 100 {
		exchange(t, c, buf)
	}
	if n := testing.AllocsPerRun(2000, func() { exchange(t, c, buf) }); n != 0 {
		t.Errorf("a round trip allocates %v times", n)
	}
	h.detach(l, s)
}

// FileAllocations checks that sending a file in the steady state allocates nothing either, whether it is copied or
// handed to the kernel.
func FileAllocations(t *testing.T, newGroup func(transport.Config) (transport.Group, error)) {
	t.Helper()
	if raceEnabled {
		return // the race detector allocates
	}
	for _, size := range []int64{transport.SmallFile, 2 * transport.SmallFile} {
		f := newFile(t, int(size))
		h := start(t, newGroup, transport.Config{})
		c := dial(t, h.serve(acceptFunc(func(c transport.Conn) transport.Session { return &sender{c: c, f: f, n: size} })))
		buf := make([]byte, int(size)+len(senderHead))
		round := func() {
			if _, err := c.Write(buf[:1]); err != nil {
				t.Fatalf("client write: %v", err)
			}
			if _, err := io.ReadFull(c, buf); err != nil {
				t.Fatalf("client read: %v", err)
			}
		}
		for range 100 {
			round()
		}
		if n := testing.AllocsPerRun(500, round); n != 0 {
			t.Errorf("a file of %d bytes allocates %v times", size, n)
		}
		h.close()
		f.free()
	}
}

const senderHead = "head"

// sender answers with a file.
type sender struct {
	c transport.Conn
	f *testFile
	n int64
}

// Data implements transport.Session.
func (s *sender) Data(in []byte) int {
	s.c.Commit(len(append(s.c.Reserve(64), senderHead...)))
	s.c.SendFile(s.f.File, 0, s.n)
	return len(in)
}

// EOF implements transport.Session.
func (s *sender) EOF() { s.c.Close() }

// Drained implements transport.Session.
func (s *sender) Drained() {}

// Closed implements transport.Session.
func (s *sender) Closed(error) {}

// Benchmark measures round trips: of one connection, and of many at once on one loop.
func Benchmark(b *testing.B, newGroup func(transport.Config) (transport.Group, error)) {
	b.Helper()
	for _, bench := range []struct {
		name  string
		conns int
	}{{"conns=1", 1}, {"conns=64", 64}} {
		b.Run(bench.name, func(b *testing.B) {
			g, err := newGroup(transport.Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			tcp, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			if err := g.Listen(transport.Listener{L: tcp}, acceptFunc(newAnswerer)); err != nil {
				b.Fatal(err)
			}
			conns := make([]net.Conn, bench.conns)
			for i := range conns {
				if conns[i], err = net.Dial("tcp", tcp.Addr().String()); err != nil {
					b.Fatal(err)
				}
				defer conns[i].Close()
			}
			buf := make([]byte, 64)
			b.ReportAllocs()
			b.ResetTimer()
			// All connections have a message under way at a time: the loop sees them in batches.
			for n := 0; n < b.N; n += len(conns) {
				for _, c := range conns {
					if _, err := c.Write(buf[:1]); err != nil {
						b.Fatal(err)
					}
				}
				for _, c := range conns {
					if _, err := io.ReadFull(c, buf[:len("answer")]); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

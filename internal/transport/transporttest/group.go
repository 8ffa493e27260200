package transporttest

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

func loopsAreNumbered(t *testing.T, newGroup NewGroup) {
	for _, c := range []struct{ ask, want int }{{0, 1}, {1, 1}, {3, 3}} {
		h := start(t, newGroup, transport.Config{Loops: c.ask})
		switch k := h.group.Kind(); k {
		case "uring", "epoll", "net":
		default:
			t.Errorf("Kind() = %q", k)
		}
		loops := h.group.Loops()
		if len(loops) != c.want {
			t.Fatalf("Loops: %d gave %d loops, want %d", c.ask, len(loops), c.want)
		}
		for i, l := range loops {
			if l.Index() != i {
				t.Errorf("loop %d has index %d", i, l.Index())
			}
		}
		h.close()
	}
}

func everyLoopGetsConnections(t *testing.T, newGroup NewGroup) {
	const loops, conns = 3, 48
	h := start(t, newGroup, transport.Config{Loops: loops})
	var count [loops]int // each element is its loop's: the race detector sees an Accept elsewhere
	addr := h.serve(probes(t, func(p *probe) {
		count[p.conn.Loop().Index()]++
		p.echo()
	}))
	for range conns {
		dial(t, addr).roundTrip()
	}
	total := 0
	for i, l := range h.group.Loops() {
		var n int
		on(t, l, func() { n = count[i] })
		if n == 0 {
			t.Errorf("loop %d got none of %d connections", i, conns)
		}
		total += n
	}
	if total != conns {
		t.Errorf("%d connections were accepted, want %d", total, conns)
	}
}

func severalListeners(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{Loops: 2})
	greet := func(word string) transport.Acceptor {
		return probes(t, func(p *probe) { p.write([]byte(word)); p.close() })
	}
	a := h.serve(greet("first"))
	b := h.listen("unix:"+socketPath(t), greet("second"))
	for range 5 {
		dial(t, a).expect("first")
		dial(t, b).expect("second")
	}
}

func maxConns(t *testing.T, newGroup NewGroup) {
	const limit = 4
	h := start(t, newGroup, transport.Config{MaxConns: limit, Loops: 2})
	var open atomic.Int32
	addr := h.serve(probes(t, func(p *probe) {
		if n := open.Add(1); n > limit {
			t.Errorf("%d connections are open, more than MaxConns", n)
		}
		p.echo()
		p.closed = func(*probe, error) { open.Add(-1) }
	}))
	held := make([]*client, 0, limit)
	for range limit {
		c := dial(t, addr)
		c.roundTrip()
		held = append(held, c)
	}
	dial(t, addr).expectGone()
	for _, c := range held {
		c.roundTrip() // not harmed
	}
	_ = held[0].Close()
	eventually(t, "a closed connection makes room for another", func() bool {
		c := dial(t, addr)
		defer c.Close()
		one := []byte("!")
		if _, err := c.Write(one); err != nil {
			return false
		}
		n, _ := c.Read(one)
		return n == 1
	})
}

func nilSessionRefuses(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	asked := make(chan struct{}, 8)
	addr := h.serve(acceptFunc(func(transport.Conn) transport.Session {
		asked <- struct{}{}
		return nil
	}))
	for range 8 {
		dial(t, addr).expectEnd()
		within(t, asked, "Accept is called")
	}
}

func stopListeningLeavesConnections(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{Loops: 2})
	tcp := h.serve(echo(t))
	path := socketPath(t)
	local := h.listen("unix:"+path, echo(t))
	a, b := dial(t, tcp), dial(t, local)
	a.roundTrip()
	b.roundTrip()
	h.group.StopListening()
	h.group.StopListening() // harmless
	if _, err := dialError(tcp); err == nil {
		t.Error("the TCP port still accepts")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path of the Unix socket is still there: %v", err)
	}
	a.roundTrip()
	b.roundTrip()
	// Listening again is allowed.
	dial(t, h.serve(echo(t))).roundTrip()
}

// stopListeningServesWhatWaits stops listening while connections wait in the kernel's queue: held there because the only
// loop is busy, or has been accepted without anybody's doing.
func stopListeningServesWhatWaits(t *testing.T, newGroup NewGroup) {
	if runtime.GOOS == "windows" {
		return // what waits there cannot be told
	}
	const conns = 40
	for _, network := range []string{"127.0.0.1:0", "unix:" + socketPath(t)} {
		h := start(t, newGroup, transport.Config{})
		l := h.group.Loops()[0]
		var accepted atomic.Int32
		addr := h.listen(network, probes(t, func(p *probe) {
			accepted.Add(1)
			p.echo()
		}))
		first := dial(t, addr)
		first.roundTrip()
		held, busy := make(chan struct{}), make(chan struct{})
		post(l, func() { close(busy); <-held })
		within(t, busy, "the loop is held")
		clients := []*client{first}
		for range conns {
			clients = append(clients, dial(t, addr))
		}
		stopped := make(chan struct{})
		order := make(chan int32, 1)
		go func() {
			defer close(stopped)
			h.group.StopListening()
			post(l, func() { order <- accepted.Load() })
		}()
		close(held)
		within(t, stopped, "StopListening returns")
		if n := within(t, order, "a task posted after it runs"); n != conns+1 {
			t.Errorf("%d connections were accepted before it, want %d", n, conns+1)
		}
		for _, c := range clients {
			c.roundTrip()
		}
		if _, err := dialError(addr); err == nil {
			t.Error("the address still accepts")
		}
	}
}

func closeFreesEverything(t *testing.T, newGroup NewGroup) {
	cycle := func() {
		h := start(t, newGroup, transport.Config{Loops: 2})
		var closed atomic.Int32
		addr := h.serve(probes(t, func(p *probe) {
			p.echo()
			p.closed = func(_ *probe, err error) {
				if !errors.Is(err, transport.ErrAborted) {
					t.Errorf("Closed(%v), want ErrAborted", err)
				}
				closed.Add(1)
			}
		}))
		local := h.listen("unix:"+socketPath(t), echo(t))
		bell := newDoorbell(t)
		on(t, h.group.Loops()[0], func() {
			if err := h.group.Loops()[0].Attach(&source{t: t}, bell.fd()); err != nil {
				t.Errorf("attach: %v", err)
			}
		})
		clients := make([]*client, 0, 21)
		for range 20 {
			c := dial(t, addr)
			c.roundTrip()
			clients = append(clients, c)
		}
		c := dial(t, local)
		c.roundTrip()
		clients = append(clients, c)
		h.close()
		if n := closed.Load(); n != 20 {
			t.Errorf("%d of 20 sessions were told when Close returned", n)
		}
		for _, c := range clients {
			c.expectGone()
			_ = c.Close()
		}
		if err := h.group.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		bell.close()
	}
	cycle() // the first one opens what the process keeps, such as the poller of package net
	fds, routines := openFiles(t), runtime.NumGoroutine()
	cycle()
	cycle()
	eventually(t, "the goroutines of closed groups end", func() bool { return runtime.NumGoroutine() <= routines })
	eventually(t, "the descriptors of closed groups are freed", func() bool { return openFiles(t) <= fds })
}

func churnLeavesNothing(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{Loops: 2})
	var open atomic.Int32
	addr := h.serve(probes(t, func(p *probe) {
		open.Add(1)
		p.echo()
		p.closed = func(*probe, error) { open.Add(-1) }
	}))
	churn := func(n int) {
		for i := range n {
			c := dial(t, addr)
			switch i % 4 {
			case 0: // closed before it said anything
			case 1:
				c.roundTrip()
			case 2:
				c.roundTrip()
				c.reset()
			case 3:
				c.send([]byte("bye"))
				c.closeWrite()
				c.expect("bye")
				c.expectEnd()
			}
			_ = c.Close()
		}
		eventually(t, "every session is told that its connection is gone", func() bool { return open.Load() == 0 })
	}
	churn(40)
	eventually(t, "descriptors settle", func() bool { return open.Load() == 0 })
	fds := openFiles(t)
	churn(400)
	eventually(t, "the descriptors of closed connections are freed", func() bool { return openFiles(t) <= fds })
	for _, l := range h.group.Loops() {
		expectBuffers(t, l, 0)
	}
}

func postAfterClose(t *testing.T, newGroup NewGroup) {
	for range 50 {
		h := start(t, newGroup, transport.Config{})
		l := h.group.Loops()[0]
		stop, done := make(chan struct{}), make(chan struct{})
		began := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ; i++ {
				if i == 3 {
					close(began)
				}
				select {
				case <-stop:
					return
				default:
					l.Post(&mailbox.Task{Do: taskFunc(func() {})})
					runtime.Gosched()
				}
			}
		}()
		within(t, began, "posting begins")
		h.close()
		l.Post(&mailbox.Task{Do: taskFunc(func() { t.Error("a task ran after Close returned") })})
		close(stop)
		within(t, done, "posting ends")
	}
}

package transporttest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/covetpy/covet/internal/transport"
)

// pattern is n bytes that differ from place to place, so that a lost or doubled block shows.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func outputAtEndOfTurn(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	var wrote *probe // written to in this turn
	checks := 0
	bell := newDoorbell(t)
	s := &source{t: t, flush: func() {
		if wrote == nil {
			return
		}
		// More than that is pending where the kernel has taken the last answer and not said so yet.
		if n := wrote.conn.Pending(); n < len("?") {
			t.Errorf("%d bytes are pending when sources are flushed, want those written in this turn", n)
		}
		checks++
		wrote = nil
	}}
	on(t, l, func() {
		if err := l.Attach(s, bell.fd()); err != nil {
			t.Errorf("attach: %v", err)
		}
	})
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write(in)
			wrote = p
			return len(in)
		}
	}))
	c := dial(t, addr)
	for range 50 {
		c.roundTrip()
	}
	on(t, l, func() {
		l.Detach(s)
		if checks != 50 {
			t.Errorf("sources were flushed %d times before output left, want 50", checks)
		}
	})
}

func reserve(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	sizes := []int{0, 1, 7, 100, 4095, 4096, 4097, 16384, 16385, 65536, 100_000, transport.MaxReserve - 1, transport.MaxReserve}
	src := pattern(transport.MaxReserve)
	var want []byte
	for _, n := range sizes {
		want = append(want, src[:n]...)
		want = append(want, src[:n/2]...)
		want = append(want, "|"...)
	}
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			for _, n := range sizes {
				before := p.conn.Pending()
				b := p.conn.Reserve(n)
				if len(b) != 0 || cap(b) < n {
					t.Errorf("Reserve(%d) has length %d and capacity %d", n, len(b), cap(b))
					return len(in)
				}
				_ = append(b, src[:n]...)
				p.conn.Commit(n)
				if got := p.conn.Pending(); got != before+n {
					t.Errorf("Pending() = %d after Commit(%d), want %d", got, n, before+n)
				}
				// Less committed than reserved; a reservation that is not used leaves nothing.
				b = p.conn.Reserve(n)
				_ = append(b, src[:n]...)
				p.conn.Commit(n / 2)
				_ = append(p.conn.Reserve(64), "never sent"...)
				p.write([]byte("|"))
			}
			return len(in)
		}
	}))
	c := dial(t, addr)
	for range 3 {
		c.send([]byte("go"))
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatalf("client read: %v", err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("the output differs at byte %d", firstDifference(got, want))
		}
	}
	expectBuffers(t, h.group.Loops()[0], 0)
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

func drainedFollowsWrite(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	told := make(chan struct{}, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.echo()
		p.drained = func(*probe) { told <- struct{}{} }
	}))
	c := dial(t, addr)
	for range 50 {
		c.roundTrip()
		within(t, told, "Drained after a write")
	}
}

func slowReader(t *testing.T, newGroup NewGroup) {
	const total = 8 << 20
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	body := pattern(total)
	made := make(chan *probe, 1)
	told := make(chan struct{}, 4)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			for at := 0; at < total; at += 128 << 10 {
				p.write(body[at : at+128<<10])
			}
			if n := p.conn.Pending(); n != total {
				t.Errorf("Pending() = %d, want %d", n, total)
			}
			made <- p
			return len(in)
		}
		p.drained = func(*probe) { told <- struct{}{} }
	}))
	other := dial(t, h.serve(echo(t)))
	c := dialWith(t, smallWindow(), addr)
	c.send([]byte("go"))
	p := within(t, made, "the session writes")
	settle(other) // the loop is not blocked by a client that does not read
	pending := func() (n int) { on(t, l, func() { n = p.conn.Pending() }); return n }
	eventually(t, "the kernel takes a part", func() bool { return pending() < total })
	if pending() == 0 || len(told) > 0 {
		t.Fatal("the kernel took everything: the test needs more bytes")
	}
	got := make([]byte, total)
	half := total / 2
	if _, err := io.ReadFull(c, got[:half]); err != nil {
		t.Fatalf("client read: %v", err)
	}
	settle(other)
	if _, err := io.ReadFull(c, got[half:]); err != nil {
		t.Fatalf("client read: %v", err)
	}
	if !bytes.Equal(got, body) {
		t.Fatalf("the output differs at byte %d", firstDifference(got, body))
	}
	within(t, told, "Drained")
	if n := pending(); n != 0 {
		t.Fatalf("%d bytes pending after everything was read", n)
	}
	expectBuffers(t, l, 0)
}

func writtenOutsideOfData(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	made := make(chan *probe, 1)
	addr := h.serve(probes(t, func(p *probe) { made <- p }))
	c := dial(t, addr)
	p := within(t, made, "Accept")
	for range 200 {
		post(l, func() { p.write([]byte("answer")) })
		c.expect("answer")
	}
}

func drainedProducesMore(t *testing.T, newGroup NewGroup) {
	const block, count = 64 << 10, 128
	h := start(t, newGroup, transport.Config{})
	body := pattern(block)
	addr := h.serve(probes(t, func(p *probe) {
		sent := 0
		more := func(p *probe) {
			if sent == count {
				p.close()
				return
			}
			if p.conn.Pending() != 0 {
				t.Error("more is pending than one block")
			}
			sent++
			p.write(body)
		}
		p.data = func(p *probe, in []byte) int { more(p); return len(in) }
		p.drained = more
	}))
	c := dial(t, addr)
	c.send([]byte("go"))
	for range count {
		c.expect(string(body))
	}
	c.expectEnd()
}

func echoUnderBackpressure(t *testing.T, newGroup NewGroup) {
	const (
		conns = 8
		total = 3 << 20
		high  = 128 << 10
	)
	h := start(t, newGroup, transport.Config{Loops: 2})
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write(in)
			if p.conn.Pending() > high {
				p.pause()
			}
			return len(in)
		}
		p.drained = func(p *probe) {
			if p.paused {
				p.resume()
			}
		}
		p.eof = func(p *probe) { p.close() }
	}))
	body := pattern(total)
	var wg sync.WaitGroup
	for k := range conns {
		c := dialWith(t, smallWindow(), addr)
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(k), 1))
			for at := 0; at < total; {
				end := min(at+1+r.IntN(90_000), total)
				if _, err := c.Write(body[at:end]); err != nil {
					t.Errorf("client write: %v", err)
					return
				}
				at = end
			}
			c.closeWrite()
		})
		wg.Go(func() {
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("client got %d bytes, %v; differs at %d", len(got), err, firstDifference(got, body))
			}
		})
	}
	wg.Wait()
	for _, l := range h.group.Loops() {
		expectBuffers(t, l, 0)
	}
}

// unacknowledged: what the client has not read is known to be on its way, until it has.
func unacknowledged(t *testing.T, newGroup NewGroup) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems need not tell")
	}
	const total = 8 << 20
	h := start(t, newGroup, transport.Config{Loops: 1})
	made := make(chan *probe, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			for range total / (64 << 10) {
				p.write(make([]byte, 64<<10))
			}
			made <- p
			return len(in)
		}
	}))
	l := h.group.Loops()[0]
	c := dialWith(t, smallWindow(), addr)
	c.send([]byte("go"))
	p := within(t, made, "the session has written")
	onWay := func() (n int) {
		on(t, l, func() { n = p.conn.Unacknowledged() })
		return n
	}
	eventually(t, "output is on its way to a client that does not read", func() bool { return onWay() > 64<<10 })
	if _, err := io.CopyN(io.Discard, c, total); err != nil {
		t.Fatal(err)
	}
	eventually(t, "everything is acknowledged", func() bool { return onWay() == 0 })
	c.reset()
	eventually(t, "a connection that is gone has nothing on its way", func() bool { return onWay() == 0 })
}

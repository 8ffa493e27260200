package transporttest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/transport"
)

func closeFlushes(t *testing.T, newGroup NewGroup) {
	const total = 4 << 20
	h := start(t, newGroup, transport.Config{})
	body := pattern(total)
	told := make(chan error, 2)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write(body)
			p.close() // the probe fails on every call but Closed from here on
			return len(in)
		}
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	other := dial(t, h.serve(echo(t)))
	for range 3 {
		c := dialWith(t, smallWindow(), addr)
		c.send([]byte("go"))
		settle(other)
		if len(told) > 0 {
			t.Fatal("Closed was told before the output left")
		}
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("client got %d bytes, %v; want %d", len(got), err, total)
		}
		if err := within(t, told, "Closed"); err != nil {
			t.Fatalf("Closed(%v) after Close, want nil", err)
		}
	}
}

func closeFromEveryCallback(t *testing.T, newGroup NewGroup) {
	cases := []struct {
		name   string
		expect string
		set    func(p *probe)
	}{
		{"Accept", "bye", func(p *probe) { p.write([]byte("bye")); p.close() }},
		{"Accept without output", "", func(p *probe) { p.close() }},
		{"Data", "bye", func(p *probe) {
			p.data = func(p *probe, in []byte) int { p.write([]byte("bye")); p.close(); return 0 }
		}},
		{"EOF", "bye", func(p *probe) {
			p.eof = func(p *probe) { p.write([]byte("bye")); p.close() }
		}},
		{"Drained", "hello", func(p *probe) {
			p.data = func(p *probe, in []byte) int { p.write([]byte("hello")); return len(in) }
			p.drained = func(p *probe) { p.close() }
		}},
		{"twice", "bye", func(p *probe) {
			p.data = func(p *probe, in []byte) int { p.write([]byte("bye")); p.close(); p.close(); return len(in) }
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := start(t, newGroup, transport.Config{})
			told := make(chan error, 2)
			addr := h.serve(probes(t, func(p *probe) {
				p.closed = func(_ *probe, err error) { told <- err }
				c.set(p)
			}))
			peer := dial(t, addr)
			// A write may race with the close: the peer only needs to have tried.
			_, _ = peer.Write([]byte("x"))
			if c.name == "EOF" {
				peer.closeWrite()
			}
			if c.expect != "" {
				peer.expect(c.expect)
			}
			peer.expectGone()
			if err := within(t, told, "Closed"); err != nil {
				t.Errorf("Closed(%v), want nil", err)
			}
		})
		t.Run(c.name+" aborted", func(t *testing.T) {
			h := start(t, newGroup, transport.Config{})
			told := make(chan error, 2)
			addr := h.serve(probes(t, func(p *probe) {
				p.closed = func(_ *probe, err error) { told <- err }
				c.set(p)
				if !p.closing {
					// The same callbacks, with Abort where they close.
					data, eof, drained := p.data, p.eof, p.drained
					p.data = func(p *probe, in []byte) int {
						if data != nil && drained == nil {
							p.abort()
							return 0
						}
						if data != nil {
							return data(p, in)
						}
						return len(in)
					}
					if eof != nil {
						p.eof = func(p *probe) { p.abort() }
					}
					if drained != nil {
						p.drained = func(p *probe) { p.abort() }
					}
				} else {
					p.abort()
				}
			}))
			// A reset may come before the dialler has looked at its connection: that is gone enough.
			if conn, err := net.DialTimeout(addr.Network(), addr.String(), patience); err == nil {
				peer := &client{Conn: conn, t: t}
				_, _ = peer.Write([]byte("x"))
				if c.name == "EOF" {
					peer.closeWrite()
				}
				_ = peer.SetDeadline(time.Now().Add(patience))
				peer.expectGone()
				_ = peer.Close()
			}
			if err := within(t, told, "Closed"); !errors.Is(err, transport.ErrAborted) {
				t.Errorf("Closed(%v), want ErrAborted", err)
			}
		})
	}
}

func closeIgnoresOutput(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	late := make(chan struct{}, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write([]byte("before"))
			p.close()
			p.write([]byte("after"))
			b := p.conn.Reserve(100)
			if len(b) != 0 || cap(b) < 100 {
				t.Errorf("Reserve after Close: length %d, capacity %d", len(b), cap(b))
			}
			_ = append(b, "after"...)
			p.conn.Commit(5)
			p.pause()
			p.resume()
			p.closeWrite()
			late <- struct{}{}
			return len(in)
		}
	}))
	c := dial(t, addr)
	c.send([]byte("x"))
	within(t, late, "Data")
	c.expect("before")
	c.expectEnd()
}

func closeWriteKeepsInput(t *testing.T, newGroup NewGroup) {
	const total = 4 << 20
	h := start(t, newGroup, transport.Config{})
	body := pattern(total)
	seen := make(chan string, 4)
	told := make(chan error, 2)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			seen <- string(in)
			if string(in) == "go" {
				p.write(body)
				p.closeWrite()
				p.write([]byte("after")) // not sent: the end was announced
				p.closeWrite()
			}
			return len(in)
		}
		p.eof = func(p *probe) { p.close() }
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	c := dialWith(t, smallWindow(), addr)
	c.send([]byte("go"))
	within(t, seen, "Data")
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("client got %d bytes, %v; want %d", len(got), err, total)
	}
	c.send([]byte("still here"))
	if s := within(t, seen, "Data after CloseWrite"); s != "still here" {
		t.Fatalf("Data got %q", s)
	}
	c.closeWrite()
	if err := within(t, told, "Closed"); err != nil {
		t.Fatalf("Closed(%v), want nil", err)
	}
}

func abortDropsOutput(t *testing.T, newGroup NewGroup) {
	const total = 16 << 20
	h := start(t, newGroup, transport.Config{})
	body := make([]byte, total)
	told := make(chan error, 1)
	made := make(chan *probe, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write(body)
			made <- p
			return len(in)
		}
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	c := dialWith(t, smallWindow(), addr)
	c.send([]byte("go"))
	p := within(t, made, "Data")
	on(t, h.group.Loops()[0], func() { p.abort() })
	if err := within(t, told, "Closed"); !errors.Is(err, transport.ErrAborted) {
		t.Fatalf("Closed(%v), want ErrAborted", err)
	}
	n, err := io.Copy(io.Discard, c)
	if isTimeout(err) {
		t.Fatal("the connection is still there")
	}
	if n >= total {
		t.Fatal("pending output was sent after Abort")
	}
	expectBuffers(t, h.group.Loops()[0], 0)
}

func abortAfterClose(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	body := make([]byte, 16<<20)
	told := make(chan error, 2)
	made := make(chan *probe, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write(body)
			p.close()
			made <- p
			return len(in)
		}
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	other := dial(t, h.serve(echo(t)))
	c := dialWith(t, smallWindow(), addr)
	c.send([]byte("go"))
	p := within(t, made, "Data")
	settle(other)
	// The deadline of a peer that does not read: the close does not wait any longer.
	on(t, h.group.Loops()[0], func() {
		if !p.gone {
			p.abort()
		}
	})
	if err := within(t, told, "Closed"); !errors.Is(err, transport.ErrAborted) {
		t.Fatalf("Closed(%v), want ErrAborted", err)
	}
	c.expectGone()
	settle(other)
}

func resetByPeer(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	told := make(chan error, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.echo()
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	for range 20 {
		c := dial(t, addr)
		c.roundTrip()
		c.reset()
		if err := within(t, told, "Closed after a reset"); err == nil || errors.Is(err, transport.ErrAborted) {
			t.Fatalf("Closed(%v), want the error of the socket", err)
		}
	}
}

func resetWhilePaused(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	told := make(chan error, 1)
	paused := make(chan *probe, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int { p.pause(); paused <- p; return len(in) }
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	other := dial(t, h.serve(echo(t)))
	for range 20 {
		c := dial(t, addr)
		c.send([]byte("x"))
		p := within(t, paused, "the session pauses")
		c.reset()
		settle(other)
		// Whether the loop sees it while paused is its own affair; after Resume it must.
		on(t, h.group.Loops()[0], func() {
			if !p.gone {
				p.resume()
			}
		})
		if err := within(t, told, "Closed after a reset"); err == nil {
			t.Fatal("Closed(nil) after a reset")
		}
	}
}

func resetWithPendingOutput(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	body := make([]byte, 16<<20)
	told := make(chan error, 1)
	wrote := make(chan struct{}, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int { p.write(body); wrote <- struct{}{}; return len(in) }
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	for range 5 {
		c := dialWith(t, smallWindow(), addr)
		c.send([]byte("go"))
		within(t, wrote, "Data")
		c.reset()
		if err := within(t, told, "Closed after a reset"); err == nil {
			t.Fatal("Closed(nil) after a reset")
		}
	}
	expectBuffers(t, h.group.Loops()[0], 0)
}

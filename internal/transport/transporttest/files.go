package transporttest

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/transport"
)

// testFile is a file with a known content, and a way to see that nobody holds it any more.
type testFile struct {
	*file.File
	t       *testing.T
	under   *os.File
	content []byte
}

// newFile returns a file of n bytes, with one reference that is the test's.
func newFile(t *testing.T, n int) *testFile {
	t.Helper()
	return newFileOf(t, pattern(n))
}

func newFileOf(t *testing.T, content []byte) *testFile {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	f := &testFile{t: t, content: content}
	if err := os.WriteFile(name, f.content, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.under, err = os.Open(name); err != nil {
		t.Fatal(err)
	}
	f.File = file.New(f.under)
	return f
}

// free gives the test's reference back and waits until the file is closed: every other reference has been given back,
// and none twice.
func (f *testFile) free() {
	f.t.Helper()
	f.Release()
	eventually(f.t, "the last reference to the file is given back", func() bool {
		_, err := f.under.Stat()
		return errors.Is(err, os.ErrClosed)
	})
}

func (p *probe) sendFile(f *testFile, off, n int64) {
	p.method(func() { p.conn.SendFile(f.File, off, n) })
}

// expectBytes reads as many bytes as want has, and compares.
func (c *client) expectBytes(want []byte) {
	c.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil {
		c.t.Fatalf("client read %d of %d bytes: %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		c.t.Fatalf("the output differs at byte %d", firstDifference(got, want))
	}
}

// part is a piece of output: text, or n bytes of the file from off on.
type part struct {
	text   string
	off, n int64
}

func fileOrder(t *testing.T, newGroup NewGroup) {
	f := newFile(t, 700_000)
	cases := []struct {
		name  string
		parts []part
	}{
		{"whole", []part{{"", 0, 700_000}}},
		{"nothing", []part{{"a", 0, 0}, {"b", 700_000, 0}}},
		{"one byte", []part{{"a", 699_999, 1}, {"b", 0, 0}}},
		{"small", []part{{"head", 10, 1000}, {"tail", 0, 0}}},
		{"small twice", []part{{"", 10, 1000}, {"", 5, 2000}, {"tail", 0, 0}}},
		{"at the threshold", []part{{"a", 1, transport.SmallFile}, {"b", 1, transport.SmallFile + 1}, {"c", 0, 0}}},
		{"large", []part{{"head", 0, 700_000}, {"between", 100_000, 600_000}, {"tail", 0, 0}}},
		{"files only", []part{{"", 0, 300_000}, {"", 300_000, 400_000}, {"", 5, 40_000}}},
		{"larger than a block", []part{{string(pattern(300_000)), 7, 500_000}, {string(pattern(99_999)), 7, 50_000}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var want []byte
			for _, p := range c.parts {
				want = append(want, p.text...)
				want = append(want, f.content[p.off:p.off+p.n]...)
			}
			for _, network := range []string{"127.0.0.1:0", "unix:" + socketPath(t)} {
				h := start(t, newGroup, transport.Config{})
				told := make(chan struct{}, 1)
				addr := h.listen(network, probes(t, func(p *probe) {
					p.data = func(p *probe, in []byte) int {
						for _, part := range c.parts {
							p.write([]byte(part.text))
							before := p.conn.Pending()
							p.sendFile(f, part.off, part.n)
							if got := p.conn.Pending(); got != before+int(part.n) {
								t.Errorf("Pending() = %d after %d bytes of a file, was %d", got, part.n, before)
							}
						}
						return len(in)
					}
					p.drained = func(*probe) { told <- struct{}{} }
				}))
				peer := dial(t, addr)
				for range 3 {
					peer.send([]byte("go"))
					peer.expectBytes(want)
					within(t, told, "Drained after files")
				}
				expectBuffers(t, h.group.Loops()[0], 0)
			}
		})
	}
	f.free()
}

func filesPipelined(t *testing.T, newGroup NewGroup) {
	const requests = 300
	f := newFile(t, 150_000)
	h := start(t, newGroup, transport.Config{Loops: 2})
	// Byte b asks for a part that depends on it.
	partOf := func(b byte) (off, n int64) { return int64(b) * 7, int64(b) * 500 }
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			for _, b := range in {
				off, n := partOf(b)
				p.write([]byte{b})
				p.sendFile(f, off, n)
			}
			return len(in)
		}
		p.eof = func(p *probe) { p.close() } // after all output
	}))
	peers := []*client{dial(t, addr), dialWith(t, smallWindow(), addr)}
	ask := pattern(requests)
	var want []byte
	for _, b := range ask {
		off, n := partOf(b)
		want = append(want, b)
		want = append(want, f.content[off:off+n]...)
	}
	for _, peer := range peers {
		peer.send(ask)
		peer.closeWrite()
	}
	for _, peer := range peers {
		peer.expectBytes(want)
		peer.expectEnd()
	}
	for _, l := range h.group.Loops() {
		expectBuffers(t, l, 0)
	}
	f.free()
}

func fileSlowReader(t *testing.T, newGroup NewGroup) {
	const total = 50 << 20
	f := newFile(t, total)
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	made := make(chan *probe, 1)
	told := make(chan struct{}, 4)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write([]byte("head"))
			p.sendFile(f, 0, total)
			p.write([]byte("tail"))
			made <- p
			return len(in)
		}
		p.drained = func(*probe) { told <- struct{}{} }
	}))
	other := dial(t, h.serve(echo(t)))
	c := dialWith(t, smallWindow(), addr)
	c.send([]byte("go"))
	p := within(t, made, "the session sends")
	settle(other) // the loop is not blocked by a client that does not read
	pending := func() (n int) { on(t, l, func() { n = p.conn.Pending() }); return n }
	eventually(t, "the kernel takes a part", func() bool { return pending() < total })
	c.expect("head")
	// Pending goes down while the file is being sent: a deadline for slow clients watches it.
	last := pending()
	for at := 0; at < total; at += 10 << 20 {
		c.expectBytes(f.content[at : at+10<<20])
		if now := pending(); now >= last {
			t.Fatalf("Pending() = %d after 10 MiB were read, was %d", now, last)
		} else {
			last = now
		}
		settle(other)
	}
	c.expect("tail")
	within(t, told, "Drained")
	expectBuffers(t, l, 0)
	f.free()
}

func fileThenClose(t *testing.T, newGroup NewGroup) {
	f := newFile(t, 4<<20)
	for _, name := range []string{"Close", "CloseWrite"} {
		t.Run(name, func(t *testing.T) {
			h := start(t, newGroup, transport.Config{})
			told := make(chan error, 1)
			addr := h.serve(probes(t, func(p *probe) {
				p.data = func(p *probe, in []byte) int {
					p.sendFile(f, 0, 4<<20)
					if name == "Close" {
						p.close()
					} else {
						p.closeWrite()
					}
					p.sendFile(f, 0, 10) // ignored
					p.sendFile(f, 0, 1<<20)
					return len(in)
				}
				p.eof = func(p *probe) { p.close() }
				p.closed = func(_ *probe, err error) { told <- err }
			}))
			c := dialWith(t, smallWindow(), addr)
			c.send([]byte("go"))
			c.expectBytes(f.content)
			c.expectEnd()
			_ = c.Close()
			if err := within(t, told, "Closed"); err != nil {
				t.Errorf("Closed(%v), want nil", err)
			}
		})
	}
	f.free()
}

// fileCut ends connections in the middle of a file, in every way there is, and expects the references back.
func fileCut(t *testing.T, newGroup NewGroup) {
	const total = 20 << 20
	cases := []struct {
		name string
		cut  func(h *harness, c *client, p *probe)
		want error // nil: any error
	}{
		{"Abort", func(h *harness, _ *client, p *probe) { on(t, h.group.Loops()[0], p.abort) }, transport.ErrAborted},
		{"reset by peer", func(_ *harness, c *client, _ *probe) { c.reset() }, nil},
		{"group closed", func(h *harness, _ *client, _ *probe) { h.close() }, transport.ErrAborted},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			f := newFile(t, total)
			h := start(t, newGroup, transport.Config{})
			told := make(chan error, 1)
			made := make(chan *probe, 1)
			addr := h.serve(probes(t, func(p *probe) {
				p.data = func(p *probe, in []byte) int {
					for range 3 {
						p.write([]byte("head"))
						p.sendFile(f, 0, total)
					}
					made <- p
					return len(in)
				}
				p.closed = func(_ *probe, err error) { told <- err }
			}))
			c := dialWith(t, smallWindow(), addr)
			c.send([]byte("go"))
			p := within(t, made, "Data")
			c.expect("head")
			c.expectBytes(f.content[:1<<20])
			tt.cut(h, c, p)
			if err := within(t, told, "Closed"); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Closed(%v), want %v", err, tt.want)
			}
			if tt.name != "group closed" {
				expectBuffers(t, h.group.Loops()[0], 0)
			}
			f.free()
		})
	}
}

func fileTooShort(t *testing.T, newGroup NewGroup) {
	cases := []struct {
		name      string
		size      int
		off, n    int64
		behind    string
		delivered int64 // what may be read of the file, at most
	}{
		{"one byte", 1 << 20, 0, 1<<20 + 1, "next", 1 << 20},
		{"all of it", 0, 0, 1 << 20, "next", 0},
		{"behind the end", 100, 1 << 30, 1 << 20, "", 0},
		{"small", 100, 50, 51, "next", 50},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			f := newFile(t, tt.size)
			h := start(t, newGroup, transport.Config{})
			told := make(chan error, 1)
			addr := h.serve(probes(t, func(p *probe) {
				p.data = func(p *probe, in []byte) int {
					p.sendFile(f, tt.off, tt.n)
					p.write([]byte(tt.behind))
					return len(in)
				}
				p.closed = func(_ *probe, err error) { told <- err }
			}))
			c := dial(t, addr)
			c.send([]byte("go"))
			if err := within(t, told, "Closed"); !errors.Is(err, transport.ErrShortFile) {
				t.Errorf("Closed(%v), want ErrShortFile", err)
			}
			got, err := io.ReadAll(c)
			if isTimeout(err) || int64(len(got)) > tt.delivered {
				t.Errorf("client got %d bytes, %v: at most %d were in the file", len(got), err, tt.delivered)
			}
			f.free()
		})
	}
}

// fileUnreadable sends a file that cannot be read, as after an error of the disk: the output must not look complete.
func fileUnreadable(t *testing.T, newGroup NewGroup) {
	f := newFile(t, 1)
	under, err := os.OpenFile(f.under.Name(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	deaf := &testFile{File: file.New(under), t: t, under: under}
	h := start(t, newGroup, transport.Config{})
	told := make(chan error, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write([]byte("head"))
			p.sendFile(deaf, 0, transport.SmallFile+1)
			p.close()
			return len(in)
		}
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	for range 10 {
		c := dial(t, addr)
		c.send([]byte("go"))
		if err := within(t, told, "Closed"); err == nil || errors.Is(err, transport.ErrShortFile) {
			t.Errorf("Closed(%v), want the error of the file", err)
		}
		if got, err := io.ReadAll(c); err == nil || isTimeout(err) {
			t.Errorf("client got %d bytes, %v; want a reset", len(got), err)
		}
	}
	deaf.free()
	f.free()
}

// fileFar sends what lies behind the first 4 GiB of a file, in one piece of more than 2 GiB that nobody reads to its
// end, and pieces that are too large to be counted.
func fileFar(t *testing.T, newGroup NewGroup) {
	if runtime.GOOS == "windows" {
		t.Skip("a file with holes is written whole there")
	}
	const far, size = 5 << 30, 9 << 30 // sparse: no disk holds it
	f := newFile(t, 0)
	w, err := os.OpenFile(f.under.Name(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	mark := pattern(300_000)
	if _, err = w.WriteAt(mark, far); err == nil {
		err = w.Truncate(size)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	h := start(t, newGroup, transport.Config{})
	told := make(chan error, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			switch in[0] {
			case 'f':
				p.sendFile(f, far, size-far)
				if got := int64(p.conn.Pending()); math.MaxInt > math.MaxInt32 && got != size-far {
					t.Errorf("Pending() = %d after %d bytes", got, int64(size-far))
				}
			case 'h':
				p.write([]byte("head"))
				p.closing = true // it ends by itself
				p.sendFile(f, 0, math.MaxInt64)
				p.sendFile(f, 0, math.MaxInt64)
				p.write([]byte("tail"))
			}
			return len(in)
		}
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	if math.MaxInt > math.MaxInt32 { // else it is too large to be counted, too
		c := dial(t, addr)
		c.send([]byte("f"))
		c.expectBytes(mark)
		c.expectBytes(make([]byte, 1<<20))
		c.reset()
		if err := within(t, told, "Closed"); err == nil {
			t.Error("Closed(nil) after a reset")
		}
	}
	c := dial(t, addr)
	c.send([]byte("h"))
	if err := within(t, told, "Closed"); !errors.Is(err, transport.ErrAborted) {
		t.Errorf("Closed(%v), want ErrAborted", err)
	}
	c.expectGone()
	expectBuffers(t, h.group.Loops()[0], 0)
	f.free()
}

// fileShrinks truncates a file while it is being sent.
func fileShrinks(t *testing.T, newGroup NewGroup) {
	const total = 30 << 20
	f := newFile(t, total)
	h := start(t, newGroup, transport.Config{})
	told := make(chan error, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.sendFile(f, 0, total)
			return len(in)
		}
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	c := dialWith(t, smallWindow(), addr)
	c.send([]byte("go"))
	c.expectBytes(f.content[:1<<20])
	if err := os.Truncate(f.under.Name(), 2<<20); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, c); isTimeout(err) || n >= total {
		t.Errorf("client read on for %d bytes, %v", n, err)
	}
	if err := within(t, told, "Closed"); !errors.Is(err, transport.ErrShortFile) {
		t.Errorf("Closed(%v), want ErrShortFile", err)
	}
	f.free()
}

// fileDrainedProducesMore sends the next part of a file whenever the last one is gone.
func fileDrainedProducesMore(t *testing.T, newGroup NewGroup) {
	const block, count = 100_000, 60
	f := newFile(t, block*count)
	h := start(t, newGroup, transport.Config{})
	addr := h.serve(probes(t, func(p *probe) {
		sent := int64(0)
		more := func(p *probe) {
			if sent == count {
				p.close()
				return
			}
			p.sendFile(f, sent*block, block)
			sent++
		}
		p.data = func(p *probe, in []byte) int { more(p); return len(in) }
		p.drained = more
	}))
	c := dial(t, addr)
	c.send([]byte("go"))
	c.expectBytes(f.content)
	c.expectEnd()
	f.free()
}

// fileNotInMemory sends files that have to be read from disk first: small and large, with output around them.
func fileNotInMemory(t *testing.T, newGroup NewGroup) {
	const size = 3 << 20
	f := newFile(t, size)
	h := start(t, newGroup, transport.Config{})
	told := make(chan error, 10)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			p.write([]byte("head"))
			p.sendFile(f, 0, 5)
			p.sendFile(f, 5, size-5)
			p.write([]byte("tail"))
			return len(in)
		}
		p.closed = func(_ *probe, err error) { told <- err }
	}))
	c := dial(t, addr)
	want := append(append([]byte("head"), f.content...), "tail"...)
	for range 3 {
		evict(t, f.under)
		c.send([]byte("go"))
		c.expectBytes(want)
	}
	expectBuffers(t, h.group.Loops()[0], 0)
	// Gone while it is being fetched.
	for range 5 {
		evict(t, f.under)
		c := dial(t, addr)
		c.send([]byte("go"))
		c.reset()
		if err := within(t, told, "Closed"); err == nil {
			t.Error("Closed(nil) after a reset")
		}
	}
	expectBuffers(t, h.group.Loops()[0], 0)
	f.free()
}

package transporttest

import (
	"bytes"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/transport"
)

func splitAtEveryByte(t *testing.T, newGroup NewGroup) {
	const text = "GET /users/42 HTTP/1.1\r\nHost: x\r\n\r\n"
	h := start(t, newGroup, transport.Config{})
	seen := make(chan string, 4)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(_ *probe, in []byte) int {
			if s := string(in); s == "!" || len(s) >= len(text) {
				seen <- s
				return len(in)
			}
			seen <- string(in)
			return 0
		}
	}))
	c := dial(t, addr)
	for i := 1; i < len(text); i++ {
		c.send([]byte(text[:i]))
		if got := within(t, seen, "Data offers the first part"); got != text[:i] {
			t.Fatalf("split at %d: Data got %q", i, got)
		}
		c.send([]byte(text[i:]))
		if got := within(t, seen, "Data offers the whole"); got != text {
			t.Fatalf("split at %d: Data got %q, want the whole in one slice", i, got)
		}
	}
	// Byte by byte, on one connection with partial consumption: two bytes of three are consumed.
	var all []byte
	consumed := make(chan string, 1)
	addr = h.serve(probes(t, func(p *probe) {
		p.data = func(_ *probe, in []byte) int {
			if len(in) < 3 {
				consumed <- ""
				return 0
			}
			consumed <- string(in[:2])
			return 2
		}
	}))
	c = dial(t, addr)
	for i := range len(text) {
		c.send([]byte{text[i]})
		all = append(all, within(t, consumed, "Data is called for every byte")...)
	}
	if want := text[:len(all)]; string(all) != want || len(all) < len(text)-2 {
		t.Fatalf("consumed %q of %q", all, text)
	}
}

func modifiedInPlace(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			n := len(in) &^ 3 // whole groups of four
			p.write(in[:n])
			for i := range n {
				in[i] = '#'
			}
			// An append must not reach beyond what was offered.
			_ = append(in[:len(in):len(in)], "overrun"...)
			return n
		}
	}))
	c := dial(t, addr)
	msg := bytes.Repeat([]byte("abcdefghijklm"), 400)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for at, step := 0, 1; at < len(msg); step = step%37 + 1 {
			end := min(at+step, len(msg))
			if _, err := c.Write(msg[at:end]); err != nil {
				t.Errorf("client write: %v", err)
				return
			}
			at = end
		}
	}()
	c.expect(string(msg[:len(msg)&^3]))
	within(t, done, "the client has written")
}

func pipelinedMessages(t *testing.T, newGroup NewGroup) {
	const count = 2000
	h := start(t, newGroup, transport.Config{})
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			used := 0
			for {
				i := bytes.IndexByte(in[used:], '\n')
				if i < 0 {
					return used
				}
				p.write(in[used : used+i+1])
				used += i + 1
			}
		}
	}))
	var all []byte
	for i := range count {
		all = append(all, "request number "...)
		all = append(all, byte('0'+i%10), byte('0'+i/10%10), '\n')
	}
	c := dial(t, addr)
	c.send(all)
	c.expect(string(all))
}

func maxInputStopsReading(t *testing.T, newGroup NewGroup) {
	const limit, total = 4096, 1 << 20
	h := start(t, newGroup, transport.Config{MaxInput: limit})
	full := make(chan *probe, 1)
	got := make(chan int, 1)
	open := false
	var sum int
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			if len(in) > limit {
				t.Errorf("Data got %d bytes, more than MaxInput", len(in))
			}
			for i := range in {
				if in[i] != byte(sum+i) {
					t.Errorf("byte %d is %d", sum+i, in[i])
					break
				}
			}
			if !open {
				if len(in) == limit {
					full <- p
				}
				return 0
			}
			sum += len(in)
			if sum == total {
				got <- sum
			}
			return len(in)
		}
	}))
	other := dial(t, h.serve(echo(t)))
	c := dial(t, addr)
	go func() {
		b := make([]byte, total)
		for i := range b {
			b[i] = byte(i)
		}
		if _, err := c.Write(b); err != nil {
			t.Errorf("client write: %v", err)
		}
	}()
	p := within(t, full, "unread input grows to MaxInput")
	settle(other)
	on(t, h.group.Loops()[0], func() {
		open = true
		p.pause()
		p.resume()
	})
	within(t, got, "the rest arrives after Resume")
}

func pauseWithholdsData(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	seen := make(chan string, 8)
	var p0 *probe
	addr := h.serve(probes(t, func(p *probe) {
		p0 = p
		p.data = func(p *probe, in []byte) int {
			seen <- string(in)
			p.pause() // the probe fails on a Data while paused
			return len(in)
		}
	}))
	other := dial(t, h.serve(echo(t)))
	c := dial(t, addr)
	want := "one"
	c.send([]byte(want))
	for _, next := range []string{"two", "three", "four"} {
		if got := within(t, seen, "Data"); got != want {
			t.Fatalf("Data got %q, want %q", got, want)
		}
		c.send([]byte(next))
		settle(other)
		on(t, l, func() { p0.resume() })
		want = next
	}
	within(t, seen, "Data after the last Resume")
	// Resume and Pause before anything happens: still paused.
	on(t, l, func() { p0.resume(); p0.pause() })
	c.send([]byte("five"))
	settle(other)
	if len(seen) != 0 {
		t.Fatal("Data was called while paused")
	}
	on(t, l, func() { p0.resume() })
	if got := within(t, seen, "Data"); got != "five" {
		t.Fatalf("Data got %q", got)
	}
}

func pauseStopsReading(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	paused := make(chan *probe, 1)
	total := 0
	end := make(chan int, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			if total == 0 {
				p.pause()
				paused <- p
			}
			total += len(in)
			return len(in)
		}
		p.eof = func(p *probe) { end <- total }
	}))
	c := dial(t, addr)
	c.send([]byte("x"))
	p := within(t, paused, "the session pauses")
	// The kernel's buffers fill up and then the client cannot write: 64 MB never fit when nobody reads.
	if err := c.SetWriteDeadline(time.Now().Add(400 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	sent, block := 1, make([]byte, 1<<20)
	for range 64 {
		n, err := c.Write(block)
		sent += n
		if err != nil {
			if !isTimeout(err) {
				t.Fatalf("client write: %v", err)
			}
			break
		}
	}
	if sent > 64<<20 {
		t.Fatal("64 MB were read while paused")
	}
	on(t, h.group.Loops()[0], func() { p.resume() })
	c.closeWrite()
	if got := within(t, end, "EOF after everything"); got != sent {
		t.Fatalf("the session got %d bytes, want %d", got, sent)
	}
}

func pauseInAccept(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	made := make(chan *probe, 1)
	seen := make(chan string, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.pause()
		p.write([]byte("banner"))
		p.data = func(_ *probe, in []byte) int { seen <- string(in); return len(in) }
		made <- p
	}))
	other := dial(t, h.serve(echo(t)))
	c := dial(t, addr)
	c.send([]byte("hello"))
	c.expect("banner")
	p := within(t, made, "Accept")
	settle(other)
	on(t, h.group.Loops()[0], func() { p.resume() })
	if got := within(t, seen, "Data after Resume"); got != "hello" {
		t.Fatalf("Data got %q", got)
	}
}

func resumeOffersUnread(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	seen := make(chan string, 8)
	var p0 *probe
	addr := h.serve(probes(t, func(p *probe) {
		p0 = p
		p.data = func(p *probe, in []byte) int {
			if len(in) < 3 && in[0] == '1' {
				return 0 // wait for the whole text, however it is cut
			}
			seen <- string(in)
			p.pause()
			return 1
		}
	}))
	c := dial(t, addr)
	c.send([]byte("123"))
	for _, want := range []string{"123", "23", "3"} {
		if got := within(t, seen, "unread input is offered"); got != want {
			t.Fatalf("Data got %q, want %q", got, want)
		}
		on(t, l, func() { p0.resume() })
	}
	// Resume from inside Data: the rest is offered again, but not from inside.
	addr = h.serve(probes(t, func(p *probe) {
		busy := false
		p.data = func(p *probe, in []byte) int {
			if busy {
				t.Error("Data was called from inside Data")
			}
			busy = true
			defer func() { busy = false }()
			p.pause()
			p.write(in[:1])
			p.resume()
			return 1
		}
	}))
	c = dial(t, addr)
	c.send([]byte("abcdefgh"))
	c.expect("abcdefgh")
}

// resumeWithinTurn resumes from a source, as the bridge does when an answer is complete: the next message is taken
// up in the same turn.
func resumeWithinTurn(t *testing.T, newGroup NewGroup) {
	const messages = 50
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	var (
		waiting *probe // paused with unread input
		resumed bool   // in the last Poll
		taken   int
	)
	done := make(chan struct{}, 1)
	s := &source{t: t}
	s.poll = func() bool {
		if resumed {
			t.Error("the turn ended without an offer of the unread input")
			resumed = false
		}
		if waiting == nil {
			return false
		}
		p := waiting
		waiting, resumed = nil, true
		p.resume()
		return true
	}
	h.attach(l, s, newDoorbell(t))
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			if taken == 0 && len(in) < messages {
				return 0 // until all of them are there
			}
			resumed = false
			if taken++; taken == messages {
				done <- struct{}{}
				return 1
			}
			p.pause()
			waiting = p
			return 1
		}
	}))
	c := dial(t, addr)
	c.send(make([]byte, messages))
	within(t, done, "every message is taken")
	h.detach(l, s)
}

func eofComesAfterData(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	addr := h.serve(probes(t, func(p *probe) {
		var all []byte
		p.data = func(p *probe, in []byte) int {
			if p.ended {
				t.Error("Data came after EOF")
			}
			all = append(all, in...)
			return len(in)
		}
		p.eof = func(p *probe) {
			p.write(all) // output still works
			p.write([]byte("."))
			p.close()
		}
	}))
	for _, size := range []int{0, 1, 1000, 300_000} {
		c := dial(t, addr)
		msg := bytes.Repeat([]byte("z"), size)
		c.send(msg)
		c.closeWrite()
		c.expect(string(msg) + ".")
		c.expectEnd()
	}
}

func eofWaitsForResume(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	paused := make(chan *probe, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			if string(in) == "first" {
				p.pause()
				paused <- p
			} else {
				p.write(in)
			}
			return len(in)
		}
		p.eof = func(p *probe) { p.write([]byte("end")); p.close() }
	}))
	other := dial(t, h.serve(echo(t)))
	c := dial(t, addr)
	c.send([]byte("first"))
	p := within(t, paused, "the session pauses")
	c.send([]byte("second"))
	c.closeWrite()
	settle(other)
	on(t, h.group.Loops()[0], func() { p.resume() })
	c.expect("secondend")
	c.expectEnd()
}

// eofComesAfterResumedInput resumes a connection in the very turn that brings the end of its input: what was left
// unread is offered before that end is told.
func eofComesAfterResumedInput(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{Loops: 1})
	paused := make(chan *probe, 1)
	reader := h.serve(probes(t, func(p *probe) {
		var all []byte
		p.data = func(p *probe, in []byte) int {
			if all == nil {
				all = append(all, in[0])
				p.pause()
				paused <- p
				return 1
			}
			all = append(all, in...)
			return len(in)
		}
		p.eof = func(p *probe) { p.write(append(all, '.')); p.close() }
	}))
	var held *probe
	resumer := h.serve(probes(t, func(p *probe) {
		p.data = func(_ *probe, in []byte) int { held.resume(); return len(in) }
	}))
	for _, endFirst := range []bool{false, true} {
		c, other := dial(t, reader), dial(t, resumer)
		c.send([]byte("read"))
		p := within(t, paused, "the session pauses")
		blocked, release := make(chan struct{}), make(chan struct{})
		post(h.group.Loops()[0], func() { held = p; close(blocked); <-release })
		within(t, blocked, "the loop is held")
		if endFirst {
			c.closeWrite()
		}
		other.send([]byte("!"))
		if !endFirst {
			c.closeWrite()
		}
		close(release)
		c.expect("read.")
		c.expectEnd()
	}
}

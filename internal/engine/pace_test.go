package engine

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// A body that comes byte by byte, never silent for long, ends with 408 whatever becomes of it.
func TestSlowBodies(t *testing.T) {
	for _, c := range []struct {
		name, head string
		cfg        Config
		every      time.Duration
		piece      string
		slow       bool
		events     string
	}{
		{name: "small", head: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n",
			every: time.Second, piece: "x", slow: true},
		{name: "streamed", head: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
			every: time.Second, piece: "x", slow: true, events: "body failed"},
		{name: "chunked", head: "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
			every: time.Second, piece: "1\r\nx\r\n", slow: true, events: "body failed"},
		{name: "an extension of a chunk", head: "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;",
			every: time.Second, piece: "x", slow: true, events: "body failed"},
		{name: "just fast enough", head: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
			every: time.Second, piece: strings.Repeat("x", DefaultMinRate)},
		{name: "a burst buys nothing for later", head: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" +
			strings.Repeat("x", 50000), every: time.Second, piece: "x", slow: true, events: "body failed"},
		{name: "no bound", head: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
			cfg: Config{MinRate: -1}, every: time.Second, piece: "x"},
		{name: "while it is answered", head: "POST /duplex HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
			every: time.Second, piece: "x"},
		// Twice a window and a second: a burst has the whole of its own window.
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.cfg)
			conn := r.group.Dial()
			got := r.send(conn, c.head)
			seconds := 0
			for ; seconds < 13 && !conn.Finished(); seconds++ {
				r.loop.Advance(c.every)
				got += r.send(conn, c.piece)
			}
			if slow := conn.Finished(); slow != c.slow {
				t.Fatalf("given up: %v after %d s; got %q", slow, seconds, got)
			}
			if c.slow && (!strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, strconv.Itoa(DefaultMinRate)+" bytes a second")) &&
				!strings.Contains(got, "request_timeout") {
				t.Errorf("got %q", got)
			}
			if got := strings.Join(r.app.events, ","); got != c.events {
				t.Errorf("events %q, want %q", got, c.events)
			}
			if n := r.srv.Stats().ReadTimeouts; (n == 1) != c.slow {
				t.Errorf("%d read timeouts", n)
			}
			conn.Reset()
			r.loop.Settle()
			r.quiet()
		})
	}
}

// The time in which the handler does not want the body is not the client's.
func TestPausedBodyIsNotSlow(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "POST /wait?unbounded HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
	x := r.app.last.x
	for range 5 {
		x.Stream.ReadBody(x)
		x.Stream.ResumeBody(x)
		r.send(conn, "x")
		x.Stream.PauseBody(x)
		r.loop.Advance(time.Minute)
	}
	if conn.Ended() || conn.Finished() || len(r.app.events) > 0 {
		t.Errorf("given up: %q", r.app.events)
	}
	conn.Reset()
	r.loop.Settle()
	r.quiet()
}

// A client that takes a byte now and then is given up; one that takes enough, in whatever portions, is not.
func TestSlowReader(t *testing.T) {
	for _, c := range []struct {
		name          string
		every         time.Duration
		window, times int
		slow          bool
	}{
		{"a byte a second", time.Second, 1, 60, true},
		{"nothing", time.Second, 0, 60, true},
		{"enough every second", time.Second, DefaultMinRate + 10, 60, false},
		{"much, seldom", 20 * time.Second, 2 * 20 * DefaultMinRate, 6, false},
	} {
		r := newRig(t, Config{})
		conn := r.group.Dial()
		conn.Window = 1000
		r.send(conn, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
		for range c.times {
			r.loop.Advance(c.every)
			if conn.Ended() {
				break
			}
			conn.Window = c.window
			r.loop.Settle()
		}
		if conn.Ended() != c.slow {
			t.Errorf("%s: given up: %v", c.name, conn.Ended())
		}
		if n := r.srv.Stats().WriteTimeouts; (n == 1) != c.slow {
			t.Errorf("%s: %d write timeouts", c.name, n)
		}
		conn.Reset()
		r.loop.Settle()
		r.quiet()
	}
}

// What the kernel has taken counts when it reaches the client: a reader that is steady, and far slower than the buffers
// are large, is not given up; one that has stopped is, however much the kernel has taken for it.
func TestReaderBehindTheKernel(t *testing.T) {
	for _, c := range []struct {
		name string
		rate int // bytes a second that reach the client
		slow bool
	}{
		{"steady", 20_000, false},
		{"just fast enough", DefaultMinRate + 10, false},
		{"too slow", DefaultMinRate / 2, true},
		{"stopped", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			const taken = 64 << 10
			r := newRig(t, Config{})
			conn := r.group.Dial()
			conn.Window, conn.Unacked = taken, taken
			r.send(conn, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
			for range 120 {
				r.loop.Advance(time.Second)
				if conn.Ended() {
					break
				}
				if conn.Unacked -= c.rate; conn.Unacked <= 0 {
					conn.Window, conn.Unacked = taken, taken // a part of the buffer is free: it is filled at once
				}
				r.loop.Settle()
			}
			if conn.Ended() != c.slow {
				t.Errorf("given up: %v", conn.Ended())
			}
			conn.Reset()
			r.loop.Settle()
			r.quiet()
		})
	}
}

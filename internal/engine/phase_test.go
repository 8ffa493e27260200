package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/engine/enginetest"
)

const get = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

// Each phase ends by its own deadline, not earlier, and as the table says.
func TestDeadlines(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		// begin brings the connection into the phase.
		begin func(r *rig, c *enginetest.Conn)
		limit time.Duration
		// after is contained in what is received when the limit has passed; "" for nothing at all.
		after  string
		events string
	}{
		{name: "no byte after accept",
			begin: func(*rig, *enginetest.Conn) {}, limit: DefaultHeadTimeout},
		{name: "idle",
			begin: func(r *rig, c *enginetest.Conn) { r.send(c, get) }, limit: DefaultIdleTimeout},
		{name: "half a head",
			begin: func(r *rig, c *enginetest.Conn) { r.send(c, "GET /hello HT") },
			limit: DefaultHeadTimeout, after: "408 Request Timeout"},
		{name: "half a second head, however it trickles",
			begin: func(r *rig, c *enginetest.Conn) {
				r.send(c, get+"GET ")
				r.loop.Advance(6 * time.Second)
				r.send(c, "/hello ")
			},
			limit: DefaultHeadTimeout - 6*time.Second, after: "408 Request Timeout"},
		{name: "half a small body",
			begin: func(r *rig, c *enginetest.Conn) {
				r.send(c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
				r.loop.Advance(20 * time.Second)
				r.send(c, "c")
			},
			limit: DefaultBodyTimeout, after: "408 Request Timeout"},
		{name: "half a streamed body",
			begin: func(r *rig, c *enginetest.Conn) {
				r.send(c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nab")
				r.loop.Advance(20 * time.Second)
				r.send(c, "c")
			},
			limit: DefaultBodyTimeout, after: "request_timeout", events: "body failed"},
		{name: "a late handler",
			begin: func(r *rig, c *enginetest.Conn) { r.send(c, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n") },
			limit: DefaultHandlerTimeout, after: "504 Gateway Timeout", events: "expired"},
		{name: "a handler with its own deadline",
			begin: func(r *rig, c *enginetest.Conn) { r.send(c, "GET /never?short HTTP/1.1\r\nHost: a\r\n\r\n") },
			limit: time.Second, after: "504 Gateway Timeout", events: "expired"},
		{name: "a client that has closed its side, and a late handler",
			begin: func(r *rig, c *enginetest.Conn) {
				r.send(c, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
				c.CloseSend()
				r.loop.Settle()
			},
			limit: DefaultHalfCloseTimeout, events: "gone"},
		{name: "lingering",
			begin: func(r *rig, c *enginetest.Conn) { r.send(c, "GET /close HTTP/1.1\r\nHost: a\r\n\r\n") },
			limit: DefaultLingerTimeout},
		{name: "lingering begins when the output has left",
			begin: func(r *rig, c *enginetest.Conn) {
				c.Window = 1
				r.send(c, "GET /close HTTP/1.1\r\nHost: a\r\n\r\n")
				r.loop.Advance(5 * time.Second)
				c.Window = -1
				r.loop.Settle()
			},
			limit: DefaultLingerTimeout, after: "bye"},
		{name: "an unwanted body that does not come",
			begin: func(r *rig, c *enginetest.Conn) {
				r.send(c, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
			},
			limit: DefaultLingerTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.MinRate = -1 // pace_test.go is about that
			r := newRig(t, c.cfg)
			conn := r.group.Dial()
			c.begin(r, conn)
			over := func() bool { return conn.Ended() || conn.Finished() || len(r.app.events) > 0 }
			finishedBefore := conn.Finished() // lingering: only the end of the connection counts
			if finishedBefore {
				over = conn.Ended
			}
			r.loop.Advance(c.limit - 100*time.Millisecond)
			if over() {
				t.Fatal("too early")
			}
			r.loop.Advance(200 * time.Millisecond)
			if !over() {
				t.Fatal("too late")
			}
			got := conn.Received()
			if !strings.Contains(got, c.after) || c.after == "" && !strings.HasPrefix(got, "HTTP/1.1 200") && got != "" {
				t.Errorf("received %q", got)
			}
			if got := strings.Join(r.app.events, ","); got != c.events {
				t.Errorf("events %q, want %q", got, c.events)
			}
			r.loop.Advance(DefaultLingerTimeout + DefaultIdleTimeout + time.Second)
			if !conn.Ended() {
				t.Error("the connection is left")
			}
			r.quiet()
		})
	}
}

// The client that takes no output is cut; one that takes a little now and then is not.
func TestWriteTimeout(t *testing.T) {
	r := newRig(t, Config{MinRate: -1})
	conn := r.group.Dial()
	conn.Window = 1000
	r.send(conn, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 20 {
		r.loop.Advance(DefaultWriteTimeout / 2)
		conn.Window = 100
		r.loop.Settle()
	}
	if conn.Ended() {
		t.Fatal("cut although it reads")
	}
	r.loop.Advance(DefaultWriteTimeout/looks*(looks+1) + time.Second)
	if !conn.Ended() || !conn.Aborted() {
		t.Error("not cut")
	}
	if got := strings.Join(r.app.events, ","); got != "gone" {
		t.Errorf("events %q", got)
	}
	if n := r.srv.Stats().WriteTimeouts; n != 1 {
		t.Errorf("%d write timeouts", n)
	}
	r.quiet()
}

// A response that is read slowly is no idle connection.
func TestSlowReaderIsNotIdle(t *testing.T) {
	r := newRig(t, Config{IdleTimeout: 5 * time.Second, MinRate: -1})
	conn := r.group.Dial()
	conn.Window = 0
	r.send(conn, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 10 {
		r.loop.Advance(4 * time.Second)
		conn.Window = 10
		r.loop.Settle()
	}
	if conn.Ended() || conn.Finished() {
		t.Fatal("closed")
	}
	conn.Window = -1
	r.loop.Advance(11 * time.Second)
	if !conn.Ended() {
		t.Error("not closed when it was idle")
	}
	r.quiet()
}

// Busy connections move their deadline without touching the timer.
func TestIdleDeadlineMoves(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	for range 10 {
		r.loop.Advance(DefaultIdleTimeout - time.Second)
		if conn.Ended() {
			break
		}
		if got := r.send(conn, get); !strings.HasSuffix(got, "hello") {
			t.Fatalf("got %q", got)
		}
	}
	// The first one was late: HeadTimeout after accept.
	if !conn.Ended() {
		t.Error("a connection that said nothing for 74 s after accept lives")
	}
	conn = r.group.Dial()
	for range 10 {
		if got := r.send(conn, get); !strings.HasSuffix(got, "hello") {
			t.Fatalf("got %q", got)
		}
		r.loop.Advance(DefaultIdleTimeout - time.Second)
	}
	if conn.Ended() {
		t.Error("closed although it was used")
	}
}

// A negative duration takes a bound away.
func TestUnbounded(t *testing.T) {
	r := newRig(t, Config{IdleTimeout: -1})
	conn := r.group.Dial()
	r.send(conn, get)
	r.loop.Advance(time.Hour)
	if got := r.send(conn, "GET /never?unbounded HTTP/1.1\r\nHost: a\r\n\r\n"); got != "" {
		t.Fatalf("got %q", got)
	}
	r.loop.Advance(time.Hour)
	if conn.Ended() || len(r.app.events) > 0 {
		t.Errorf("ended %v, events %v", conn.Ended(), r.app.events)
	}
	conn.Reset()
	r.quiet()
}

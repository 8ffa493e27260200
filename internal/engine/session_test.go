package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/message"
)

// A client that resets while its request is pending: told once, and a late answer goes nowhere.
func TestGone(t *testing.T) {
	for _, c := range []struct{ name, send string }{
		{"pending", "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"with input waiting", "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" + get},
		{"reading a body", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nab"},
		{"streaming", "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Config{})
			conn := r.group.Dial()
			conn.Window = 0
			r.send(conn, c.send)
			x, stream := r.app.last.x, r.app.last.x.Stream
			gen := x.Generation
			conn.Reset()
			r.loop.Settle()
			if got := strings.Join(r.app.events, ","); got != "gone" {
				t.Fatalf("events %q", got)
			}
			if x.Generation == gen {
				t.Error("the generation did not change")
			}
			// Somebody else has the session now.
			other := r.group.Dial()
			r.send(other, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
			stream.Respond(x)
			stream.Start(x)
			stream.Write(x, []byte("late"))
			stream.End(x)
			stream.ReadBody(x)
			stream.PauseBody(x)
			stream.ResumeBody(x)
			stream.Inform(x, 103)
			stream.SetDeadline(x, time.Nanosecond)
			stream.Abort(x)
			r.loop.Settle()
			if got := other.Received(); got != "" || other.Ended() {
				t.Errorf("a late answer reached another client: %q", got)
			}
			if n := r.srv.Stats().Bugs; n != 0 {
				t.Errorf("%d bugs counted", n)
			}
			other.Reset()
			r.quiet()
		})
	}
}

// What a goroutine still reads of an exchange whose client has left is never another request's.
func TestGoneExchangeIsNotReused(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "GET /wait?secret HTTP/1.1\r\nHost: a\r\n\r\n")
	x := r.app.last.x
	conn.Reset()
	conn = r.group.Dial()
	r.send(conn, "GET /wait?other HTTP/1.1\r\nHost: a\r\n\r\n")
	if r.app.last.x == x {
		t.Error("reused")
	}
	if got := string(x.Request.Bytes(x.Request.Query)); got != "secret" {
		t.Errorf("query %q", got)
	}
}

// Exchanges come from the pool, with a new generation, reset, and with their App.
func TestExchangeReuse(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	first := r.app.last
	id := first.x.RequestID
	first.x.App = "kept"
	text(first.x, 200, "done")
	r.send(conn, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	second := r.app.last
	if first.x != second.x || first.gen == second.gen {
		t.Errorf("same exchange %v, generations %d and %d", first.x == second.x, first.gen, second.gen)
	}
	if second.x.App != "kept" || second.x.RequestID == id {
		t.Errorf("App %v, same id %v", second.x.App, second.x.RequestID == id)
	}
	if n := r.srv.Stats().Exchanges; n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

// A handler can respond while the deadline fires and when the client leaves in the same turn.
func TestExpiredThenGone(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n") // does not answer when it expires
	r.loop.Advance(2 * DefaultHandlerTimeout)
	conn.Reset()
	if got := strings.Join(r.app.events, ","); got != "expired,gone" {
		t.Errorf("events %q", got)
	}
	r.quiet()
}

// A request body is not read while the handler does not want it.
func TestBodyBackPressure(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
	conn.Send(strings.Repeat("x", 200_000))
	r.loop.Settle()
	if !conn.Paused() || conn.Unread() != 200_000 {
		t.Fatalf("paused %v, unread %d", conn.Paused(), conn.Unread())
	}
	x := r.app.last.x
	x.Stream.ReadBody(x)
	r.loop.Settle()
	if conn.Paused() || conn.Unread() != 0 || len(r.app.last.body) != 200_000 {
		t.Fatalf("paused %v, unread %d, delivered %d", conn.Paused(), conn.Unread(), len(r.app.last.body))
	}
	x.Stream.PauseBody(x)
	conn.Send(strings.Repeat("x", 100_000))
	r.loop.Settle()
	if !conn.Paused() || len(r.app.last.body) != 200_000 {
		t.Fatalf("paused %v, delivered %d", conn.Paused(), len(r.app.last.body))
	}
	// No deadline runs against the client while it is us who do not read.
	x.Stream.SetDeadline(x, 0)
	r.loop.Advance(2 * DefaultBodyTimeout)
	x.Stream.ResumeBody(x)
	if got := len(r.app.last.body); got != 200_000 {
		t.Fatal("delivered from inside ResumeBody")
	}
	got := r.send(conn, strings.Repeat("x", 700_000))
	if n := len(r.app.last.body); n != 1_000_000 {
		t.Fatalf("delivered %d", n)
	}
	if !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("got %.80q", got)
	}
}

// The end of the input that came while nobody wanted the body is told when somebody does, and not from inside.
func TestEOFWhilePaused(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
	conn.CloseSend()
	r.loop.Settle()
	if len(r.app.events) > 0 {
		t.Fatalf("events %v", r.app.events)
	}
	x := r.app.last.x
	x.Stream.ReadBody(x)
	if len(r.app.events) > 0 {
		t.Fatal("told from inside ReadBody")
	}
	r.loop.Settle()
	if got := conn.Received(); !strings.HasPrefix(got, "HTTP/1.1 400") || !conn.Ended() {
		t.Errorf("got %q", got)
	}
	r.quiet()
}

// A client that has closed its side is served a stream as long as there is something to send; then it counts as gone.
func TestHalfClosedStream(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	x := r.app.last.x
	x.Stream.Start(x)
	x.Stream.Write(x, []byte("a"))
	conn.CloseSend()
	r.loop.Settle()
	for range 5 {
		r.loop.Advance(DefaultHalfCloseTimeout / 2)
		x.Stream.Write(x, []byte("b"))
	}
	if len(r.app.events) > 0 || conn.Ended() {
		t.Fatalf("events %v while the stream goes on", r.app.events)
	}
	r.loop.Advance(3 * DefaultHalfCloseTimeout)
	if got := strings.Join(r.app.events, ","); got != "gone" || !conn.Ended() {
		t.Errorf("events %q when the stream has fallen silent", got)
	}
	r.quiet()
}

// Output over the high-water mark stops further requests; they are answered when the client reads.
func TestSlowReaderStopsRequests(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	conn.Window = 0
	conn.Send(strings.Repeat("GET /big HTTP/1.1\r\nHost: a\r\n\r\n", 20))
	r.loop.Settle()
	if p := conn.Pending(); p < highWater || p > 2*(300<<10+1024) {
		t.Fatalf("%d bytes pending", p)
	}
	if !conn.Paused() {
		t.Error("goes on reading")
	}
	conn.Window = -1
	r.loop.Settle()
	if got := strings.Count(conn.Received(), "HTTP/1.1 200 OK"); got != 20 {
		t.Errorf("%d responses", got)
	}
}

// One connection does not keep the loop for itself.
func TestBatchIsBounded(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	conn.Send(strings.Repeat(get, 3*maxBatch))
	r.loop.Turn()
	if n := strings.Count(conn.Received(), "HTTP/1.1 200"); n == 0 || n > maxBatch {
		t.Errorf("%d requests in one turn", n)
	}
	r.loop.Settle()
	if n := r.srv.Stats().Requests; n != 3*maxBatch {
		t.Errorf("%d requests", n)
	}
	conn.Reset()
	r.quiet()
}

// The ordinary asynchronous request never stops the socket's reading.
func TestAsyncDoesNotPause(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	for range 10 {
		r.send(conn, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	if conn.Pauses != 0 {
		t.Errorf("paused %d times", conn.Pauses)
	}
}

func TestMaxRequestsPerConn(t *testing.T) {
	r := newRig(t, Config{MaxRequestsPerConn: 2})
	conn := r.group.Dial()
	if got := r.send(conn, get); strings.Contains(got, "connection:") {
		t.Errorf("first: %q", got)
	}
	if got := r.send(conn, get+get); !strings.Contains(got, "connection: close") || strings.Count(got, "200 OK") != 1 {
		t.Errorf("second: %q", got)
	}
	if !conn.Finished() {
		t.Error("still open")
	}
}

// A response whose fields no reservation can hold.
func TestHugeHead(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	x := r.app.last.x
	for i := range 300 {
		x.Response.AddField(fmt.Sprintf("x-%d", i), strings.Repeat("v", 1000))
	}
	text(x, 200, "huge")
	r.loop.Settle()
	if got := conn.Received(); len(got) < 300_000 || !strings.HasSuffix(got, "\r\n\r\nhuge") {
		t.Errorf("%d bytes", len(got))
	}
	r.send(conn, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	if r.app.last.x == x {
		t.Error("an exchange with that much memory was kept")
	}
}

// Methods in the wrong order are the handler's bug, not the client's.
func TestMisuse(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	r.send(conn, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	x := r.app.last.x
	x.Stream.Write(x, []byte("before Start"))
	x.Stream.End(x)
	x.Stream.Start(x)
	x.Stream.Start(x)
	x.Stream.Respond(x)
	x.Stream.Write(x, []byte("ok"))
	x.Stream.End(x)
	r.loop.Settle()
	if got := conn.Received(); strings.Count(got, "HTTP/1.1") != 1 || !strings.HasSuffix(got, "\r\n\r\n2\r\nok\r\n0\r\n\r\n") {
		t.Errorf("got %q", got)
	}
	if n := r.srv.Stats().Bugs; n != 4 {
		t.Errorf("%d bugs", n)
	}
}

func TestRequestIDs(t *testing.T) {
	var random [16]byte
	copy(random[:], "0123456789abcdef")
	seen := map[[16]byte]bool{}
	for loop := range 3 {
		ids := newRequestIDs(random, loop)
		for range 1000 {
			var id [16]byte
			ids.put(&id)
			if seen[id] || string(id[:8]) != "01234567" {
				t.Fatalf("id %x", id)
			}
			seen[id] = true
		}
	}
}

// The Date of a response follows the wall clock, which is read once a second.
func TestDate(t *testing.T) {
	reads := 0
	wall := day.Add(300 * time.Millisecond)
	r := newRig(t, Config{})
	start := r.loop.Now()
	d := date{wall: func() time.Time { reads++; return wall.Add(r.loop.Now().Sub(start)) }}
	for _, c := range []struct {
		after time.Duration
		want  string
		reads int
	}{
		{0, "Sat, 14 Mar 2026 15:09:26 GMT", 1},
		{600 * time.Millisecond, "Sat, 14 Mar 2026 15:09:26 GMT", 1},
		{200 * time.Millisecond, "Sat, 14 Mar 2026 15:09:27 GMT", 2},
		{time.Hour, "Sat, 14 Mar 2026 16:09:27 GMT", 3},
	} {
		r.loop.Advance(c.after)
		if got := string(d.at(r.loop.Now())); got != c.want || reads != c.reads {
			t.Errorf("after %v: %q with %d reads", c.after, got, reads)
		}
	}
}

// A whole request, inline, from a pooled exchange to its response: nothing is allocated but by the fake below it.
func TestServeAllocatesNothing(t *testing.T) {
	r := newRig(t, Config{})
	conn := &nullConn{loop: r.loop}
	sh := newShard(&r.srv.cfg, plain{[]byte("hello")}, r.loop, [16]byte{})
	s := sh.accept(conn)
	in := []byte(strings.Repeat(get, 16))
	s.Data(in)
	if n := testing.AllocsPerRun(100, func() { s.Data(in) }); n != 0 {
		t.Errorf("%v allocations for 16 requests", n)
	}
	var _ message.Stream = s
}

// A session whose task is still in the mailbox when its connection closes is not given to another connection before
// the task has run.
func TestClosedWhilePosted(t *testing.T) {
	r := newRig(t, Config{})
	sh := newShard(&r.srv.cfg, plain{[]byte("hello")}, r.loop, [16]byte{})
	s := sh.accept(&nullConn{loop: r.loop})
	s.Data([]byte(strings.Repeat(get, maxBatch+1)))
	if !s.posted || !s.paused {
		t.Fatal("not yielded")
	}
	s.Closed(nil)
	if other := sh.accept(&nullConn{loop: r.loop}); other == s {
		t.Fatal("reused while posted")
	}
	r.loop.Settle()
	if other := sh.accept(&nullConn{loop: r.loop}); other != s {
		t.Error("not given back")
	}
}

func TestServerName(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"", ""}, {"shop/1", "server: shop/1\r\n"}, {"a\r\nb: c", ""},
	} {
		r := newRig(t, Config{ServerName: c.name})
		got := r.send(r.group.Dial(), get)
		want := "HTTP/1.1 200 OK\r\ndate: " + dateText + "\r\ncontent-type: text/plain; charset=utf-8\r\n" +
			"content-length: 5\r\n" + c.want + "\r\nhello"
		if got != want {
			t.Errorf("%q: got %q", c.name, got)
		}
	}
}

// RFC 9112 section 9.6: an answer that comes before the end of a body too long to throw away says that the connection
// ends with it, whether or not the handler had begun to read. One that begins while the body is read cannot know; it
// ends the connection at once, too, when the handler stops.
func TestAnswerBeforeTheEndOfALongBody(t *testing.T) {
	for _, c := range []struct {
		path   string
		length int
		keep   bool // what the head says
		goesOn bool
	}{
		{"/early", maxDiscard + 20_000, false, false},
		{"/refuse", maxDiscard + 20_000, false, false},
		{"/refuse", maxDiscard, true, true},
		{"/start-refuse", maxDiscard + 20_000, true, false},
		{"/start-refuse", maxDiscard, true, true},
	} {
		r := newRig(t, Config{})
		conn := r.group.Dial()
		got := r.send(conn, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", c.path, c.length))
		got += r.send(conn, strings.Repeat("x", 100))
		if keep := !strings.Contains(got, "connection: close"); keep != c.keep || !strings.Contains(got, "HTTP/1.1 ") {
			t.Errorf("%s, %d bytes: keeps the connection: %v, want %v; got %q", c.path, c.length, keep, c.keep, got)
		}
		if conn.Finished() == c.goesOn {
			t.Errorf("%s, %d bytes: the connection goes on: %v, want %v", c.path, c.length, !conn.Finished(), c.goesOn)
		}
		if c.goesOn {
			got = r.send(conn, strings.Repeat("x", c.length-100)+"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
			if !strings.HasSuffix(got, "hello") {
				t.Errorf("%s, %d bytes: then %q", c.path, c.length, got)
			}
		}
		conn.Reset()
		r.loop.Settle()
		r.quiet()
	}
}

// A handler that never stops hinting fills no memory.
func TestInterimResponsesAreBounded(t *testing.T) {
	r := newRig(t, Config{})
	conn := r.group.Dial()
	got := r.send(conn, "GET /hint-flood HTTP/1.1\r\nHost: a\r\n\r\n")
	if n := len(got); n > maxInterim+500 || !strings.HasPrefix(got, "HTTP/1.1 103 ") || !strings.HasSuffix(got, "hinted") {
		t.Errorf("%d bytes, the last %q", n, got[max(0, n-100):])
	}
	// The next exchange has a bound of its own.
	if got := r.send(conn, "GET /hints HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 103 ") {
		t.Errorf("got %q", got)
	}
	conn.Reset()
	r.loop.Settle()
	r.quiet()
}

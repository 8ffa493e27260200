package engine

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/engine/enginetest"
	"github.com/covetpy/covet/internal/message"
)

// app is the handler of the tests. The path says what it does; reply is one exchange of it that outlives Serve.
type app struct {
	t *testing.T
	// events are what receivers were told, in order.
	events []string
	// last is the reply of the last request that outlived Serve.
	last *reply
	// echo is the last connection that was handed over.
	echo *echo
	// other answers the paths that nobody else knows.
	other func(x *message.Exchange)
}

func (a *app) note(s string) { a.events = append(a.events, s) }

type reply struct {
	a    *app
	x    *message.Exchange
	gen  uint32
	kind string
	body []byte
	left int
	gone bool
	over bool
}

func text(x *message.Exchange, status int, s string) {
	x.Response.Status, x.Response.Type, x.Response.Body = status, message.ContentText, []byte(s)
	x.Stream.Respond(x)
}

func problem(x *message.Exchange, err error) {
	e := fault.From(err)
	x.Response.Status, x.Response.Type = e.HTTPStatus(), message.ContentText
	x.Response.Body = []byte(e.Error())
	x.Stream.Respond(x)
}

func (a *app) Serve(x *message.Exchange) {
	q := &x.Request
	path, query := string(q.Bytes(q.Path)), string(q.Bytes(q.Query))
	r := &reply{a: a, x: x, gen: x.Generation, kind: path}
	switch path {
	case "/hello":
		text(x, 200, "hello")
	case "/target":
		text(x, 200, string(q.Bytes(q.Target)))
	case "/early": // does not read the body
		text(x, 200, "early")
	case "/empty":
		x.Response.Status = 204
		x.Stream.Respond(x)
	case "/reset":
		text(x, 205, "none of this")
	case "/reset-stream":
		x.Response.Status, x.Response.Length = 205, 3
		x.Stream.Start(x)
		x.Stream.Write(x, []byte("one"))
		x.Stream.End(x)
	case "/unchanged":
		x.Response.Status = 304
		x.Response.AddField("etag", `"1"`)
		x.Stream.Respond(x)
	case "/close":
		x.Response.Close = true
		text(x, 200, "bye")
	case "/big":
		text(x, 200, strings.Repeat("b", 300<<10))
	case "/echo":
		if q.BodyComplete {
			text(x, 200, "whole:"+string(q.Body))
			return
		}
		x.Detach()
		x.Receiver = r
		a.last = r
		x.Stream.ReadBody(x)
	case "/pieces", "/duplex": // pieces pauses after each piece
		if q.BodyComplete {
			text(x, 200, "whole:"+string(q.Body))
			return
		}
		x.Detach()
		x.Receiver = r
		a.last = r
		if path == "/duplex" {
			x.Stream.Start(x)
		}
		x.Stream.ReadBody(x)
	case "/refuse", "/start-refuse": // answers as soon as the first piece comes
		x.Detach()
		x.Receiver = r
		x.Stream.ReadBody(x)
	case "/later":
		x.Detach()
		x.Receiver = r
		x.Task.Do = r
		x.Executor.Post(&x.Task)
	case "/never", "/wait":
		x.Detach()
		x.Receiver = r
		a.last = r
		if query == "unbounded" {
			x.Stream.SetDeadline(x, 0)
		}
		if query == "short" {
			x.Stream.SetDeadline(x, time.Second)
		}
	case "/stream":
		if query == "length" {
			x.Response.Length = 6
		}
		x.Stream.Start(x)
		x.Stream.Write(x, []byte("one"))
		x.Stream.Write(x, nil)
		x.Stream.Write(x, []byte("two"))
		x.Stream.End(x)
	case "/short": // declares more than it writes
		x.Response.Length = 10
		x.Stream.Start(x)
		x.Stream.Write(x, []byte("one"))
		x.Stream.End(x)
	case "/long": // declares less than it writes
		x.Response.Length = 2
		x.Stream.Start(x)
		x.Stream.Write(x, []byte("one"))
		x.Stream.End(x)
	case "/abort":
		x.Stream.Start(x)
		x.Stream.Write(x, []byte("one"))
		x.Stream.Abort(x)
	case "/drop":
		x.Stream.Abort(x)
	case "/hints":
		x.Response.AddField("link", "</a.css>")
		x.Stream.Inform(x, 103)
		x.Response.RemoveField("link")
		text(x, 200, "hinted")
	case "/hint-flood":
		x.Response.AddField("link", "</a.css>")
		for range 100_000 {
			x.Stream.Inform(x, 103)
		}
		text(x, 200, "hinted")
	case "/flood": // streams 1 MiB, waiting whenever 64 KiB are pending
		x.Detach()
		x.Receiver = r
		a.last = r
		r.left = 1 << 20
		x.Stream.Start(x)
		r.pump()
	case "/upgrade":
		if !x.Stream.Upgrade(x, "echo", a.takeover) {
			text(x, 200, "not upgraded")
		}
	case "/upgrade-later":
		x.Detach()
		x.Receiver = r
		x.Task.Do = r
		x.Executor.Post(&x.Task)
	case "/hijack":
		if !x.Stream.Upgrade(x, "", a.takeover) {
			text(x, 200, "not upgraded")
		}
	case "/offer":
		x.Response.AddField("upgrade", "echo, other")
		text(x, 426, "upgrade")
	case "/trailer":
		x.Response.AddTrailer("Checksum", "5")
		x.Response.AddField("trailer", "later, content-length, checksum, later")
		text(x, 200, "hello")
	case "/trailer-stream":
		if query == "length" {
			x.Response.Length = 3
		}
		x.Response.AddField("trailer", "checksum")
		x.Stream.Start(x)
		x.Stream.Write(x, []byte("one"))
		x.Response.AddTrailer("checksum", "3")
		if x.Response.AddTrailer("content-length", "3") || x.Response.AddTrailer("a", "b\r\nc: d") {
			a.t.Error("a trailer field was taken that must not be sent")
		}
		x.Stream.End(x)
	case "/forget":
	case "/panic":
		panic("handler")
	case "/other":
		a.other(x)
	default:
		problem(x, fault.New(fault.NotFound, ""))
	}
}

// Run answers /later, and goes on with /pieces.
func (r *reply) Run() {
	x := r.x
	if r.gone || x.Generation != r.gen {
		return
	}
	if r.kind == "/pieces" {
		x.Stream.ResumeBody(x)
		return
	}
	if r.kind == "/upgrade-later" {
		if !x.Stream.Upgrade(x, "echo", r.a.takeover) {
			text(x, 200, "not upgraded")
		}
		return
	}
	text(x, 200, "later "+string(x.Request.Bytes(x.Request.Query)))
}

func (r *reply) pump() {
	for r.left > 0 {
		n := min(r.left, 16<<10)
		r.left -= n
		if r.x.Stream.Write(r.x, bytes.Repeat([]byte("f"), n)) > 64<<10 {
			return
		}
	}
	r.over = true
	r.x.Stream.End(r.x)
}

func (r *reply) alive(x *message.Exchange, call string) {
	if r.gone || r.over {
		r.a.t.Errorf("%s after the end of the exchange", call)
	}
	if x != r.x || x.Generation != r.gen {
		r.a.t.Errorf("%s for another exchange", call)
	}
}

func (r *reply) BodyChunk(x *message.Exchange, p []byte) {
	r.alive(x, "BodyChunk")
	if len(p) > maxPiece {
		r.a.t.Errorf("a piece of %d bytes", len(p))
	}
	switch r.kind {
	case "/refuse":
		r.over = true
		text(x, 403, "refused")
	case "/start-refuse":
		r.over = true
		x.Stream.Start(x)
		x.Stream.Write(x, []byte("enough"))
		x.Stream.End(x)
	case "/duplex":
		x.Stream.Write(x, bytes.ToUpper(p))
	case "/pieces":
		r.body = append(r.body, p...)
		x.Stream.PauseBody(x)
		x.Task.Do = r
		x.Executor.Post(&x.Task)
	default:
		r.body = append(r.body, p...)
	}
}

func (r *reply) BodyEnd(x *message.Exchange, err error) {
	r.alive(x, "BodyEnd")
	if r.kind != "/wait" && r.kind != "/never" {
		r.over = true
	}
	switch {
	case r.kind == "/duplex" && err != nil:
		x.Stream.Abort(x)
	case r.kind == "/duplex":
		x.Stream.End(x)
	case err != nil:
		r.a.note("body failed")
		problem(x, err)
	default:
		text(x, 200, "streamed:"+string(r.body)+trailers(x))
	}
}

func trailers(x *message.Exchange) (s string) {
	for _, f := range x.Request.Trailer {
		s += ";" + string(f.Name.In(x.Request.TrailerHead)) + "=" + string(f.Value.In(x.Request.TrailerHead))
	}
	return s
}

func (r *reply) Drained(x *message.Exchange) {
	r.alive(x, "Drained")
	if r.kind == "/flood" {
		r.pump()
	}
}

func (r *reply) Expired(x *message.Exchange) {
	r.alive(x, "Expired")
	r.a.note("expired")
	if r.kind == "/never" {
		r.over = true
		problem(x, fault.New(fault.HandlerTimeout, ""))
	}
}

func (r *reply) Gone(x *message.Exchange) {
	r.alive(x, "Gone")
	r.gone = true
	r.a.note("gone")
}

// rig is a server over one fake loop.
type rig struct {
	t     *testing.T
	app   *app
	loop  *enginetest.Loop
	group *enginetest.Group
	srv   *Server
}

// day is the calendar time of all tests.
var day = time.Date(2026, time.March, 14, 15, 9, 26, 0, time.UTC)

func newRig(t *testing.T, cfg Config) *rig {
	r := &rig{t: t, app: &app{t: t}, loop: enginetest.NewLoop()}
	r.group = enginetest.NewGroup(r.loop)
	cfg.Wall = func() time.Time { return day }
	cfg.Logger = slog.New(slog.DiscardHandler)
	r.srv = over(cfg, r.app, r.group, [16]byte{})
	if err := r.group.Listen(enginetest.Listener(), r.srv); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) send(c *enginetest.Conn, s string) string {
	c.Send(s)
	r.loop.Settle()
	return c.Received()
}

// quiet checks that nothing is left: no exchange, no connection, no timer.
func (r *rig) quiet() {
	r.t.Helper()
	if st := r.srv.Stats(); st.Exchanges != 0 || st.Open != 0 {
		r.t.Errorf("left: %d exchanges, %d connections", st.Exchanges, st.Open)
	}
	if n := r.loop.Timers(); n != 0 {
		r.t.Errorf("left: %d timers", n)
	}
}

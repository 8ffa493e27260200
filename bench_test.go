package covet

import (
	"testing"
	"time"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// sink is a stream that throws responses away, and the loop of its exchange.
type sink struct {
	x     message.Exchange
	box   mailbox.Mailbox
	bell  chan struct{}
	ended bool
	last  int
}

func (s *sink) Post(t *mailbox.Task) {
	if s.box.Push(t) {
		s.bell <- struct{}{}
	}
}
func (s *sink) Respond(x *message.Exchange)         { s.ended, s.last = true, len(x.Response.Body) }
func (s *sink) Start(*message.Exchange)             {}
func (s *sink) Write(*message.Exchange, []byte) int { return 0 }
func (s *sink) SendFile(*message.Exchange, *file.File, int64, int64) int {
	return 0
}
func (s *sink) End(*message.Exchange)                     { s.ended = true }
func (s *sink) Abort(*message.Exchange)                   { s.ended = true }
func (s *sink) Inform(*message.Exchange, int)             {}
func (s *sink) ReadBody(*message.Exchange)                {}
func (s *sink) PauseBody(*message.Exchange)               {}
func (s *sink) Upgradable(*message.Exchange, string) bool { return false }
func (s *sink) Upgrade(*message.Exchange, string, message.Takeover) bool {
	return false
}
func (s *sink) ResumeBody(*message.Exchange)                 {}
func (s *sink) SetDeadline(*message.Exchange, time.Duration) {}

// ask sends one GET through the app, as an engine does it.
func (s *sink) ask(h message.Handler, path []byte) {
	x := &s.x
	x.Reset()
	x.Stream, x.Executor, s.ended = s, s, false
	x.RequestID[0] = 1
	r := &x.Request
	r.Head, r.Method, r.BodyComplete = path, message.MethodGet, true
	r.Path = message.Span{Len: uint32(len(path))}
	h.Serve(x)
	for !s.ended {
		<-s.bell
		s.box.Drain()
	}
}

func benchApp(t testing.TB) (message.Handler, *sink) {
	a, _ := newTest(t)
	nothing := Middleware{Before: func(*Ctx) error { return nil }, After: func(_ *Ctx, err error) error { return err }}
	text := func(c *Ctx) error { return c.Text(200, "hello") }
	a.Get("/inline", text, Inline())
	a.Get("/chain/{id:int}", text, Inline(), With(nothing, nothing, nothing))
	a.Get("/pooled", text)
	a.HandleAsync("GET", "/async", AsyncFunc(func(c *Ctx) { c.Finish(c.Text(200, "hello")) }))
	h, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	a.prepareLanes(1)
	return h, &sink{bell: make(chan struct{}, 1)}
}

func TestRequestsAllocateNothing(t *testing.T) {
	h, s := benchApp(t)
	for _, path := range []string{"/inline", "/chain/42", "/pooled", "/async"} {
		b := []byte(path)
		s.ask(h, b)
		if n := testing.AllocsPerRun(200, func() { s.ask(h, b) }); n != 0 {
			t.Errorf("%s: %v allocations a request", path, n)
		}
		if s.last != len("hello") {
			t.Errorf("%s: %d bytes", path, s.last)
		}
	}
}

func BenchmarkServe(b *testing.B) {
	h, s := benchApp(b)
	for _, path := range []string{"/inline", "/chain/42", "/pooled", "/async", "/none"} {
		p := []byte(path)
		b.Run(path[1:], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.ask(h, p)
			}
		})
	}
}

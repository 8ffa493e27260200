package static

import (
	"log/slog"
	"testing"
	"time"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// sink is a stream that throws responses away, and the loop of its exchange.
type sink struct {
	message.Stream
	x     message.Exchange
	box   mailbox.Mailbox
	bell  chan struct{}
	ended bool
	left  bool // the request left the loop
	sent  int64
}

func (s *sink) Post(t *mailbox.Task) {
	if s.box.Push(t) {
		s.bell <- struct{}{}
	}
}
func (s *sink) Respond(x *message.Exchange) { s.ended, s.sent = true, int64(len(x.Response.Body)) }
func (s *sink) Start(*message.Exchange)     { s.sent = 0 }
func (s *sink) SendFile(_ *message.Exchange, _ *file.File, _, n int64) int {
	s.sent += n
	return 0
}
func (s *sink) End(*message.Exchange)                        { s.ended = true }
func (s *sink) SetDeadline(*message.Exchange, time.Duration) {}

var _ message.Stream = (*sink)(nil)

// ask sends a GET through the app, as an engine does it.
func (s *sink) ask(h message.Handler, head []byte, path int, accept bool) {
	x := &s.x
	x.Reset()
	x.Stream, x.Executor, s.ended, s.left = s, s, false, false
	x.RequestID[0] = 1
	r := &x.Request
	r.Head, r.Method, r.BodyComplete = head, message.MethodGet, true
	r.Path = message.Span{Len: uint32(path)}
	if accept {
		r.Fields = append(r.Fields, message.Field{
			Name:  message.Span{Off: uint32(path), Len: uint32(len("accept-encoding"))},
			Value: message.Span{Off: uint32(path + len("accept-encoding")), Len: uint32(len(head) - path - len("accept-encoding"))},
		})
	}
	h.Serve(x)
	for !s.ended {
		s.left = true
		<-s.bell
		s.box.Drain()
	}
}

func hot(t testing.TB) (message.Handler, *sink) {
	app := covet.New(covet.WithLogger(slog.New(slog.DiscardHandler)))
	app.Mount("/s", New(Config{Dir: tree1(t), CacheControl: "max-age=60"}))
	h, err := app.Handler()
	if err != nil {
		t.Fatal(err)
	}
	return h, &sink{bell: make(chan struct{}, 1)}
}

type hotCase struct {
	path, accept string
	size         int64
}

func hotCases(t testing.TB) []hotCase {
	return []hotCase{
		{"/s/a.txt", "", 10}, {"/s/", "", 7}, {"/s/big.js", "", int64(len(big))}, {"/s/both.css", "gzip, deflate", int64(len(zipped(t, "body{}")))},
	}
}

func TestHitsStayOnTheLoopAndAllocateNothing(t *testing.T) {
	h, s := hot(t)
	for _, c := range hotCases(t) {
		head := []byte(c.path)
		if c.accept != "" {
			head = append(head, "accept-encoding"+c.accept...)
		}
		s.ask(h, head, len(c.path), c.accept != "")
		if !s.left {
			t.Errorf("%s: the first look at a file was on the loop", c.path)
		}
		left := 0
		n := testing.AllocsPerRun(100, func() {
			s.ask(h, head, len(c.path), c.accept != "")
			if s.left {
				left++
			}
		})
		// A pause of the machine of more than a second lets one of them look again.
		if n > 0 || left > 1 {
			t.Errorf("%s: %v allocations a hit, %d left the loop", c.path, n, left)
		}
		if s.sent != c.size {
			t.Errorf("%s: %d bytes, not %d", c.path, s.sent, c.size)
		}
	}
}

func BenchmarkHit(b *testing.B) {
	h, s := hot(b)
	for _, c := range hotCases(b) {
		head := []byte(c.path)
		if c.accept != "" {
			head = append(head, "accept-encoding"+c.accept...)
		}
		b.Run(c.path[len("/s/"):], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.ask(h, head, len(c.path), c.accept != "")
			}
		})
	}
}

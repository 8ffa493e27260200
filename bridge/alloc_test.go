package bridge

import (
	"io"
	"log/slog"
	"testing"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/engine"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/worker/workertest"
)

// client sends one request after the other through an app, on the first loop of a real engine.
type client struct {
	workertest.Stream
	h    message.Handler
	x    *message.Exchange
	loop mailbox.Executor
	task mailbox.Task
	done chan struct{}
	// request is what is sent.
	request message.Request
}

// Run implements mailbox.Runner: it sends, on the loop.
func (c *client) Run() {
	x := c.x
	x.Reset()
	x.Generation++
	x.Request = c.request // its memory is the connection's buffer, so to say
	x.Stream, x.Executor = c, c.loop
	x.RequestID[0] = 1
	c.h.Serve(x)
}

// Respond implements message.Stream.
func (c *client) Respond(x *message.Exchange) {
	c.Body = append(c.Body[:0], x.Response.Body...)
	c.done <- struct{}{}
}

func (c *client) ask() {
	c.loop.Post(&c.task)
	<-c.done
}

func newClient(t testing.TB, path string) *client {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	a := covet.New(covet.WithLogger(log))
	nothing := covet.Middleware{Before: func(*covet.Ctx) error { return nil }, After: func(_ *covet.Ctx, err error) error { return err }}
	a.Use(nothing, nothing)
	a.Mount("/", fake(t, "good", 1))
	h, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	srv, err := engine.New(engine.Config{Loops: 1, Logger: log}, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Started(t.Context(), srv); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stopped(t.Context()); err != nil {
			t.Error(err)
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &client{h: h, x: new(message.Exchange), loop: srv.Loops()[0], done: make(chan struct{}, 1)}
	workertest.Fill(c.x, message.MethodGet, path)
	c.request = c.x.Request
	c.task.Do = c
	return c
}

// TestPythonRouteAllocatesNothing measures everything between the handler's Serve and its response: tree, chain,
// bridge, dispatcher, rings and back.
func TestPythonRouteAllocatesNothing(t *testing.T) {
	c := newClient(t, "/echo/steady")
	for range 100 {
		c.ask()
	}
	if string(c.Body) != "steady" {
		t.Errorf("%q", c.Body)
	}
	if n := testing.AllocsPerRun(500, c.ask); n != 0 && !raceDetector {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkPythonRoute(b *testing.B) {
	c := newClient(b, "/echo/steady")
	b.ReportAllocs()
	for b.Loop() {
		c.ask()
	}
}

package engine

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/transport"
)

// drain runs Drain beside the loop, which this goroutine turns, moving its clock by a step each time.
func (r *rig) drain(ctx context.Context, step time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- r.srv.Drain(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		default:
			r.loop.Settle()
			r.loop.Advance(step)
			runtime.Gosched()
		}
	}
}

func TestDrain(t *testing.T) {
	r := newRig(t, Config{})
	fresh := r.group.Dial()
	idle := r.group.Dial()
	r.send(idle, get)
	half := r.group.Dial()
	r.send(half, "GET /hello HT")
	busy := r.group.Dial()
	r.send(busy, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	crossing := r.group.Dial()
	r.send(crossing, get)
	streaming := r.group.Dial()
	streaming.Window = 0
	r.send(streaming, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
	waiting := r.app.last

	r.srv.shards[0].drain.begin()
	if got := r.send(crossing, get); !strings.Contains(got, "connection: close") || !crossing.Finished() {
		t.Errorf("a request that crosses the drain: %q", got)
	}
	r.loop.Advance(DefaultDrainGrace + 100*time.Millisecond)
	if !idle.Ended() || !fresh.Ended() {
		t.Error("idle connections are open after the grace")
	}
	if half.Ended() || busy.Ended() || streaming.Ended() {
		t.Error("an exchange was cut")
	}
	if got := r.send(half, "TP/1.1\r\nHost: a\r\n\r\n"); !strings.HasSuffix(got, "hello") || !half.Finished() {
		t.Errorf("the request that had begun: %q", got)
	}
	// The head of the stream promised to go on, before the drain; its body comes to its end.
	streaming.Window = -1
	r.loop.Settle()
	if !waiting.over || !strings.HasSuffix(streaming.Received(), "\r\n0\r\n\r\n") {
		t.Error("the stream was cut")
	}
	r.loop.Advance(DefaultDrainGrace + 100*time.Millisecond)
	if !streaming.Ended() {
		t.Error("the stream's connection is open")
	}
	late := r.group.Dial() // was accepted when the drain began
	if got := r.send(late, get); !strings.Contains(got, "connection: close") {
		t.Errorf("a late connection: %q", got)
	}
	busy.Reset()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.drain(ctx, DefaultLingerTimeout); err != nil {
		t.Error(err)
	}
	if !r.group.Stopped {
		t.Error("still listening")
	}
	if err := r.srv.Listen(transport.Listener{}); err == nil {
		t.Error("listens again")
	}
	r.quiet()
}

// At the end of its time a drain cuts what is left and says how much that was.
func TestDrainCuts(t *testing.T) {
	r := newRig(t, Config{})
	for range 3 {
		r.send(r.group.Dial(), "GET /wait?unbounded HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	r.send(r.group.Dial(), get)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := r.drain(ctx, 0)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "3 exchanges") {
		t.Errorf("error %v", err)
	}
	r.loop.Settle()
	if got := strings.Join(r.app.events, ","); got != "gone,gone,gone" {
		t.Errorf("events %q", got)
	}
	r.quiet()
}

func TestDrainWithoutConnections(t *testing.T) {
	r := newRig(t, Config{DrainGrace: -1})
	c := r.group.Dial()
	r.send(c, get)
	if err := r.drain(context.Background(), 0); err != nil || !c.Ended() {
		t.Errorf("%v, ended %v", err, c.Ended())
	}
	if err := r.drain(context.Background(), 0); err != nil {
		t.Errorf("again: %v", err)
	}
	r.quiet()
}

func TestPickUnknown(t *testing.T) {
	if _, err := New(Config{Transport: "carrier pigeon"}, &app{}); err == nil || !strings.Contains(err.Error(), "carrier pigeon") {
		t.Errorf("error %v", err)
	}
}

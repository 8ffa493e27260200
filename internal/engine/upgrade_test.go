package engine

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/engine/enginetest"
	"github.com/covetpy/covet/internal/message"
)

// echo is the protocol of the tests: it sends back what it gets, in upper case, until "quit".
type echo struct {
	a    *app
	t    message.Tunnel
	over bool
	left bool
	err  error
}

func (a *app) takeover(t message.Tunnel, _ message.Loop) message.Session {
	a.echo = &echo{a: a, t: t}
	return a.echo
}

func (e *echo) Data(in []byte) int {
	if e.over {
		e.a.t.Error("Data after Closed")
	}
	switch string(in) {
	case "q", "qu", "qui": // for conversations that come byte by byte
		return 0
	case "quit":
		e.t.Close()
	case "abort":
		e.t.Abort()
	case "pause":
		e.t.Pause()
		return 0
	case "big":
		e.t.Write(make([]byte, 300<<10))
	default:
		p := append(e.t.Reserve(len(in)), bytes.ToUpper(in)...)
		e.t.Commit(len(p))
	}
	return len(in)
}

func (e *echo) EOF() {
	e.t.Write([]byte("eof"))
	e.t.Close()
}
func (e *echo) Drained() { e.a.note("drained") }
func (e *echo) Closed(err error) {
	e.over, e.err = true, err
	e.a.note("closed")
}

func (e *echo) Leave() { e.left = true }

const upgradeRequest = "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"

func upgraded(t *testing.T, cfg Config) (*rig, *enginetest.Conn) {
	r := newRig(t, cfg)
	c := r.group.Dial()
	if got := r.send(c, upgradeRequest); !strings.HasPrefix(got, "HTTP/1.1 101 ") {
		t.Fatalf("got %q", got)
	}
	if st := r.srv.Stats(); st.Upgraded != 1 || st.Open != 1 || st.Exchanges != 0 || st.Responses[1] != 1 {
		t.Fatalf("%+v", st)
	}
	return r, c
}

func TestUpgradedIsNotIdle(t *testing.T) {
	r, c := upgraded(t, Config{})
	r.loop.Advance(24 * time.Hour)
	if got := r.send(c, "still here"); got != "STILL HERE" {
		t.Errorf("got %q", got)
	}
	c.Reset()
	r.loop.Settle()
	if !r.app.echo.over || !errors.Is(r.app.echo.err, enginetest.ErrReset) {
		t.Errorf("closed with %v", r.app.echo.err)
	}
	if n := r.srv.Stats().Upgraded; n != 0 {
		t.Errorf("%d upgraded", n)
	}
	r.quiet()
}

func TestUpgradedPauses(t *testing.T) {
	r, c := upgraded(t, Config{})
	r.send(c, "pause")
	if !c.Paused() {
		t.Fatal("the connection is read on")
	}
	r.send(c, " and more")
	r.app.echo.t.Resume()
	r.loop.Settle()
	if got := c.Received(); got != "PAUSE AND MORE" {
		t.Errorf("got %q", got)
	}
	r.send(c, "abort")
	if !c.Aborted() {
		t.Error("not aborted")
	}
	r.quiet()
}

func TestUpgradedClientThatTakesNothing(t *testing.T) {
	r, c := upgraded(t, Config{})
	c.Window = 0
	r.send(c, "big")
	r.loop.Advance(DefaultWriteTimeout * 2)
	if !c.Aborted() || !r.app.echo.over {
		t.Error("a client that takes nothing is not given up")
	}
	if n := r.srv.Stats().WriteTimeouts; n != 1 {
		t.Errorf("%d write timeouts", n)
	}
	r.quiet()
}

// A tunnel that outlives its connection must not reach the next one of the same session.
func TestTunnelOutlivesConnection(t *testing.T) {
	r, c := upgraded(t, Config{})
	old := r.app.echo.t
	c.Reset()
	r.loop.Settle()
	next := r.group.Dial()
	r.send(next, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	old.Write([]byte("late"))
	old.Commit(len(append(old.Reserve(4), "late"...)))
	old.Pause()
	old.CloseWrite()
	old.Close()
	old.Abort()
	r.loop.Settle()
	if got := next.Received(); got != "" || next.Ended() || next.Finished() {
		t.Errorf("the next connection got %q", got)
	}
	if old.Pending() != 0 || old.Remote().IsValid() {
		t.Error("a dead tunnel has an address or output")
	}
	next.Reset()
	r.loop.Settle()
	r.quiet()
}

func TestDrainWithUpgraded(t *testing.T) {
	r, c := upgraded(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- r.srv.Drain(ctx) }()
	for !r.app.echo.left {
		r.loop.Settle()
	}
	if c.Ended() {
		t.Fatal("ended before the end of the drain")
	}
	cancel()
	for !c.Ended() {
		r.loop.Settle()
	}
	if err := <-result; err == nil || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 exchanges aborted") {
		t.Errorf("drain: %v", err)
	}
	if !c.Aborted() || !r.app.echo.over {
		t.Error("not aborted")
	}
	r.quiet()
}

func TestNoUpgradeWhileDraining(t *testing.T) {
	r := newRig(t, Config{})
	c := r.group.Dial()
	c.Send(upgradeRequest[:10])
	r.loop.Settle()
	for _, sh := range r.srv.shards {
		sh.drain.begin()
	}
	if got := r.send(c, upgradeRequest[10:]); !strings.HasSuffix(got, "not upgraded") {
		t.Errorf("got %q", got)
	}
}

package transporttest

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

// patience bounds every wait. It is long because nothing passes by waiting for it: only a broken promise does.
const patience = 30 * time.Second

// harness is one group under test with what a case needs around it.
type harness struct {
	t     *testing.T
	group transport.Group
	close func()
}

func start(t *testing.T, newGroup NewGroup, cfg transport.Config) *harness {
	t.Helper()
	g, err := newGroup(cfg)
	if err != nil {
		t.Fatalf("new group: %v", err)
	}
	h := &harness{t: t, group: g}
	h.close = sync.OnceFunc(func() {
		done := make(chan error, 1)
		go func() { done <- g.Close() }()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("close group: %v", err)
			}
		case <-time.After(patience):
			t.Error("close group: not done in time")
		}
	})
	t.Cleanup(h.close)
	return h
}

// listen opens address and gives it to the group.
func (h *harness) listen(address string, a transport.Acceptor) net.Addr {
	h.t.Helper()
	l, err := transport.Open(context.Background(), address)
	if err != nil {
		h.t.Fatalf("open %s: %v", address, err)
	}
	addr := l.Addr()
	if err := h.group.Listen(l, a); err != nil {
		h.t.Fatalf("listen: %v", err)
	}
	return addr
}

// serve listens on a free TCP port of loopback.
func (h *harness) serve(a transport.Acceptor) net.Addr {
	h.t.Helper()
	return h.listen("127.0.0.1:0", a)
}

// socketPath is a path short enough for a Unix socket.
func socketPath(t *testing.T) string { return filepath.Join(t.TempDir(), "s") }

// client is the peer of a connection under test.
type client struct {
	net.Conn
	t *testing.T
}

func dial(t *testing.T, addr net.Addr) *client {
	t.Helper()
	return dialWith(t, &net.Dialer{Timeout: patience}, addr)
}

func dialWith(t *testing.T, d *net.Dialer, addr net.Addr) *client {
	t.Helper()
	c, err := d.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	return &client{Conn: c, t: t}
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("client write: %v", err)
	}
}

func (c *client) expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c, got)
	if err != nil || string(got) != want {
		c.t.Fatalf("client read %q, %v; want %q", got[:n], err, want)
	}
}

// expectEnd reads to the end of the stream: a FIN and nothing before it.
func (c *client) expectEnd() {
	c.t.Helper()
	rest, err := io.ReadAll(c)
	if err != nil || len(rest) > 0 {
		c.t.Fatalf("client read %d bytes, %v; want the end of the stream", len(rest), err)
	}
}

// expectGone reads until the connection is gone, by FIN or reset.
func (c *client) expectGone() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c); isTimeout(err) {
		c.t.Fatalf("client: the connection is still there")
	}
}

// roundTrip sends a byte and expects it back.
func (c *client) roundTrip() {
	c.t.Helper()
	c.send([]byte("?"))
	c.expect("?")
}

func (c *client) closeWrite() {
	c.t.Helper()
	w, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		c.t.Fatalf("a %T cannot close its sending side", c.Conn)
	}
	if err := w.CloseWrite(); err != nil {
		c.t.Fatalf("client close write: %v", err)
	}
}

// reset closes the connection with RST.
func (c *client) reset() {
	c.t.Helper()
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok {
		c.t.Fatalf("a %T cannot be reset", c.Conn)
	}
	if err := tcp.SetLinger(0); err != nil {
		c.t.Fatalf("set linger: %v", err)
	}
	if err := tcp.Close(); err != nil {
		c.t.Fatalf("client close: %v", err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// within takes the next value of ch.
func within[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("did not happen: %s", what)
		panic("unreachable")
	}
}

// eventually polls for a condition that the system brings about without an event to wait for.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond) // the pause of a poll, nothing relies on its length
	}
}

// taskFunc is a task made of a function.
type taskFunc func()

// Run implements mailbox.Runner.
func (f taskFunc) Run() { f() }

// post runs f on l without waiting.
func post(l transport.Loop, f func()) { l.Post(&mailbox.Task{Do: taskFunc(f)}) }

// on runs f on l and waits for its end.
func on(t *testing.T, l transport.Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	post(l, func() { defer close(done); f() })
	within(t, done, "a posted task runs")
}

// settle lets the only loop of the group work for a while: many round trips of another connection.
func settle(c *client) {
	c.t.Helper()
	for range 20 {
		c.roundTrip()
	}
}

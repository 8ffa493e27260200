package conformance

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/engine"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/transport/epollloop"
	"github.com/covetpy/covet/internal/transport/netloop"
	"github.com/covetpy/covet/internal/transport/ringloop"
)

// patience bounds every wait: it only ever ends a test that has failed.
const patience = 10 * time.Second

// transports returns the kinds of loops that this machine has. All that are missing are named by TestTransports.
func transports(t testing.TB) (kinds []string) {
	for _, kind := range []string{"uring", "epoll", "net"} {
		g, err := newGroup(kind, transport.Config{})
		if err != nil {
			t.Logf("no %s here: %v", kind, err)
			continue
		}
		g.Close()
		kinds = append(kinds, kind)
	}
	return kinds
}

func newGroup(kind string, cfg transport.Config) (transport.Group, error) {
	switch kind {
	case "uring":
		return ringloop.New(cfg)
	case "epoll":
		return epollloop.New(cfg)
	}
	return netloop.New(cfg)
}

// link is what the server side of a connection does, for the test that holds the client side.
type link struct {
	mu      sync.Mutex
	offered int  // bytes of input that the session has seen
	ended   bool // the session does not look at input any more
	calls   []call
	changed chan struct{}
}

func (l *link) note(f func()) {
	l.mu.Lock()
	f()
	l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// await waits until the session has looked at n bytes of input, or has stopped looking.
func (l *link) await(n int) bool {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		l.mu.Lock()
		there := l.offered >= n || l.ended
		l.mu.Unlock()
		if there {
			return true
		}
		select {
		case <-l.changed:
		case <-timeout.C:
			return false
		}
	}
}

// all returns what the handler has seen of the connection.
func (l *link) all() []call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]call(nil), l.calls...)
}

// links brings the two ends of a connection together, by the client's address. An end is entered when the server
// accepts, so that a client never meets what an earlier one left behind on the same port.
type links struct {
	mu       sync.Mutex
	accepted map[netip.AddrPort]*link
	waiting  map[netip.AddrPort]chan *link
}

func newLinks() *links {
	return &links{accepted: map[netip.AddrPort]*link{}, waiting: map[netip.AddrPort]chan *link{}}
}

func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// enter makes the link of a new connection.
func (ls *links) enter(a netip.AddrPort) *link {
	a = plain(a)
	l := &link{changed: make(chan struct{}, 1)}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.accepted[a] = l
	if w := ls.waiting[a]; w != nil {
		w <- l
		delete(ls.waiting, a)
	}
	return l
}

// at returns the link of a connection that is served; one that nobody looks at when its client has left already.
func (ls *links) at(a netip.AddrPort) *link {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.accepted[plain(a)]; l != nil {
		return l
	}
	return &link{changed: make(chan struct{}, 1)}
}

// await waits until the server has accepted.
func (ls *links) await(a netip.AddrPort) (*link, error) {
	a = plain(a)
	ls.mu.Lock()
	l := ls.accepted[a]
	if l != nil {
		ls.mu.Unlock()
		return l, nil
	}
	w := make(chan *link, 1)
	ls.waiting[a] = w
	ls.mu.Unlock()
	select {
	case l = <-w:
		return l, nil
	case <-time.After(patience):
		return nil, errors.New("the server does not accept")
	}
}

func (ls *links) forget(a netip.AddrPort) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.accepted, plain(a))
}

// watched is a group whose sessions report what input they have seen: so a test knows that the server has looked at
// one piece before it sends the next.
type watched struct {
	transport.Group
	links *links
}

func (w watched) Listen(l transport.Listener, a transport.Acceptor) error {
	return w.Group.Listen(l, watchedAcceptor{a, w.links})
}

type watchedAcceptor struct {
	transport.Acceptor
	links *links
}

func (w watchedAcceptor) Accept(c transport.Conn) transport.Session {
	s := w.Acceptor.Accept(c)
	if s == nil {
		return nil
	}
	return &watchedSession{Session: s, link: w.links.enter(c.Remote())}
}

type watchedSession struct {
	transport.Session
	link     *link
	consumed int
}

func (w *watchedSession) Data(in []byte) int {
	seen := w.consumed + len(in)
	n := w.Session.Data(in)
	w.consumed += n
	w.link.note(func() { w.link.offered = max(w.link.offered, seen) })
	return n
}

func (w *watchedSession) EOF() {
	w.Session.EOF()
	w.link.note(func() { w.link.ended = true })
}

func (w *watchedSession) Closed(err error) {
	w.Session.Closed(err)
	w.link.note(func() { w.link.ended = true })
}

// server is an engine in this process.
type server struct {
	*engine.Server
	address string
	links   *links
	dialled atomic.Int64
}

// serve starts a server with one loop of a kind; its handler gets the links.
func serve(t testing.TB, kind string, cfg engine.Config, handler func(*links) message.Handler) *server {
	t.Helper()
	const slack = 4 << 10
	head, inline := cfg.Limits.Head, cfg.MaxInline
	if head == 0 {
		head = 32 << 10
	}
	if inline == 0 {
		inline = engine.DefaultMaxInline
	}
	group, err := newGroup(kind, transport.Config{Loops: 1, MaxInput: head + inline + slack})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	ls := newLinks()
	s := &server{Server: engine.Over(cfg, handler(ls), watched{group, ls}), links: ls}
	t.Cleanup(func() {
		if n := s.Stats().Bugs; n > 0 {
			t.Errorf("%s: the engine counts %d bugs of the handler", kind, n)
		}
		s.Close()
	})
	l, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	if err := s.Listen(l); err != nil {
		t.Fatal(err)
	}
	return s
}

// client is one connection to a server.
type client struct {
	*net.TCPConn
	s    *server
	addr netip.AddrPort
	link *link
	sent int
	over bool
}

func (s *server) dial() (*client, error) {
	// From ever new addresses: there are more connections than one address has ports, as long as some of them are
	// in TIME_WAIT.
	n := s.dialled.Add(1) / 4096
	from := net.IPv4(127, 0, 1+byte(n>>8)%250, 1+byte(n)%250)
	if runtime.GOOS != "linux" {
		from = net.IPv4(127, 0, 0, 1) // the only one elsewhere
	}
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: from}}
	conn, err := dialer.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	c := &client{TCPConn: conn.(*net.TCPConn), s: s}
	c.addr = c.LocalAddr().(*net.TCPAddr).AddrPort()
	if c.link, err = s.links.await(c.addr); err != nil {
		return nil, err
	}
	// A reset at the end keeps most connections out of TIME_WAIT.
	if err := c.SetLinger(0); err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// send writes a segment. An error is not one here: the server may have ended the connection.
func (c *client) send(p []byte) {
	n, _ := c.Write(p)
	c.sent += n
}

// end closes the connection; a second call does nothing: the port may already be another client's.
func (c *client) end() {
	if c.over {
		return
	}
	c.over = true
	c.s.links.forget(c.addr) // before the port is free
	c.Close()
}

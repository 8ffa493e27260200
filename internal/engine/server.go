package engine

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
)

// ErrClosed is returned by a Server that has been closed.
var ErrClosed = errors.New("engine: the server is closed")

// Server serves HTTP over a group of loops. All its methods are safe from any goroutine that is not a loop; Loops,
// Kind, Reason and Stats from any.
type Server struct {
	cfg    Config
	group  transport.Group
	reason string
	shards []*shard

	draining  atomic.Bool
	closed    chan struct{}
	closeOnce sync.Once
	closeErr  error
}

var _ transport.Acceptor = (*Server)(nil)

// New returns a Server whose loops run; it accepts nothing before Listen. Cfg.Transport picks the loops: see Config.
// An explicit kind that is not available here is an error that says why.
func New(cfg Config, h message.Handler) (*Server, error) {
	cfg = cfg.withDefaults()
	group, reason, err := pick(cfg.Transport, cfg.transportConfig())
	if err != nil {
		return nil, err
	}
	s := Over(cfg, h, group)
	s.reason = reason
	return s, nil
}

// Over returns a Server over loops that the caller has made; it takes their ownership. Their Config.MaxInput must
// have room for a head and a body of MaxInline.
func Over(cfg Config, h message.Handler, group transport.Group) *Server {
	var random [16]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	return over(cfg, h, group, random)
}

func over(cfg Config, h message.Handler, group transport.Group, random [16]byte) *Server {
	s := &Server{cfg: cfg.withDefaults(), group: group, closed: make(chan struct{})}
	for _, loop := range group.Loops() {
		s.shards = append(s.shards, newShard(&s.cfg, h, loop, random))
	}
	return s
}

// Loops returns the loops, by index. They run until Close.
func (s *Server) Loops() []transport.Loop { return s.group.Loops() }

// Kind is the kind of the loops: "uring", "epoll" or "net".
func (s *Server) Kind() string { return s.group.Kind() }

// Reason says why a better kind of loops was not picked; empty when there is none or Config names the kind.
func (s *Server) Reason() string { return s.reason }

// Listen starts accepting on l, which belongs to the server from then on.
func (s *Server) Listen(l transport.Listener) error {
	if s.draining.Load() {
		return errors.New("engine: listen: the server is draining")
	}
	return s.group.Listen(l, s)
}

// Draining reports whether Drain has been called.
func (s *Server) Draining() bool { return s.draining.Load() }

// Accept implements transport.Acceptor, on the connection's loop.
func (s *Server) Accept(c transport.Conn) transport.Session {
	sh := s.shards[c.Loop().Index()]
	ses := sh.accept(c)
	if sh.drain.active {
		sh.drain.hurry(ses)
	}
	return ses
}

// Close aborts every connection and stops the loops. It returns when they have stopped; a second call returns what
// the first did.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		s.draining.Store(true)
		s.closeErr = s.group.Close()
		close(s.closed)
	})
	return s.closeErr
}

// call runs a function on a loop.
type call struct {
	task mailbox.Task
	f    func()
}

// Run implements mailbox.Runner.
func (c *call) Run() { c.f() }

// on runs f on the loop of sh, later.
func (s *Server) on(sh *shard, f func()) {
	c := &call{f: f}
	c.task.Do = c
	sh.loop.Post(&c.task)
}

//go:build linux && (amd64 || arm64)

package ringloop

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/uring"
)

// Defaults of transport.Config.
const (
	defaultMaxInput      = 64<<10 + 16<<10
	defaultMaxConns      = 120_000
	defaultAcceptBackoff = 100 * time.Millisecond
)

// tuning is what tests vary.
type tuning struct {
	entries    int // submissions of a ring
	buffers    int // receive buffers of a loop
	bufferSize int // in bytes
	mode       uring.Mode
	zeroCopy   int // least output that is sent without copying, in bytes; 0: never
}

// The receive buffers of a loop are the 4 MiB that all its connections share: a buffer is taken only while its bytes
// are being handled. 8 KiB holds nearly every request, and bounds what a fast sender delivers before a cancellation of
// its receive takes effect: 32 buffers, the kernel's limit for one wake-up.
func defaultTuning() tuning { return tuning{entries: 1024, buffers: 512, bufferSize: 8 << 10} }

type group struct {
	cfg    transport.Config
	tuning tuning
	epoch  time.Time // what the loops' instants count from
	idBase uint64
	ids    atomic.Uint64
	conns  atomic.Int64 // open connections
	turns  atomic.Uint64
	loops  []*loop

	fetcher file.Fetcher // of files' parts that are not in memory

	mu     sync.Mutex
	open   []*listener
	opened int
	closed bool
	down   chan struct{} // closed when Close is done
	err    error         // what Close returned
}

var _ transport.Group = (*group)(nil)

// New starts a group of loops on io_uring. It fails, with a sentence that says what to do, where the kernel or a
// sandbox refuses what the loops need.
func New(cfg transport.Config) (transport.Group, error) {
	r := uring.Probe()
	if !r.Usable {
		return nil, fmt.Errorf("ringloop: io_uring is not usable: %s", r.Why)
	}
	t := defaultTuning()
	if r.ZeroCopy {
		t.zeroCopy = cfg.ZeroCopy
	}
	return newGroup(cfg, t)
}

func newGroup(cfg transport.Config, t tuning) (transport.Group, error) {
	if cfg.Loops <= 0 {
		cfg.Loops = 1
	}
	if cfg.MaxInput <= 0 {
		cfg.MaxInput = defaultMaxInput
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = defaultMaxConns
	}
	if cfg.AcceptBackoff <= 0 {
		cfg.AcceptBackoff = defaultAcceptBackoff
	}
	g := &group{cfg: cfg, tuning: t, epoch: time.Now(), down: make(chan struct{})}
	// Ids are unique in the process without a counter that groups share: 24 random bits and a count.
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("ringloop: %w", err)
	}
	g.idBase = binary.NativeEndian.Uint64(b[:]) << 40
	for i := range cfg.Loops {
		l := &loop{group: g, index: i, exited: make(chan struct{})}
		if err := l.start(); err != nil {
			_ = g.Close()
			return nil, fmt.Errorf("ringloop: loop %d: %w: %s", i, err, uring.Explain(err))
		}
		g.loops = append(g.loops, l)
	}
	return g, nil
}

// start runs the loop on a thread of its own and returns when it is ready or has failed.
func (l *loop) start() error {
	ready := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine. Its ring accepts no other.
		runtime.LockOSThread()
		defer close(l.exited)
		err := l.open()
		ready <- err
		if err == nil {
			l.run()
			l.shut()
		}
	}()
	return <-ready
}

// Kind implements transport.Group.
func (g *group) Kind() string { return "uring" }

// Loops implements transport.Group.
func (g *group) Loops() []transport.Loop {
	list := make([]transport.Loop, len(g.loops))
	for i, l := range g.loops {
		list[i] = l
	}
	return list
}

func (g *group) nextID() uint64 { return g.idBase | g.ids.Add(1)&(1<<40-1) }

// call is a function to run on a loop.
type call struct {
	task mailbox.Task
	do   func()
}

// Run implements mailbox.Runner.
func (c *call) Run() { c.do() }

func (l *loop) post(do func()) {
	c := &call{do: do}
	c.task.Do = c
	l.Post(&c.task)
}

var errClosed = errors.New("the group is closed")

// Listen implements transport.Group. It must not be called on a loop. The listener is closed when it fails.
func (g *group) Listen(ln transport.Listener, a transport.Acceptor) error {
	s, err := prepare(ln, a)
	if err == nil {
		err = g.start(s)
	}
	if err != nil {
		if s != nil {
			_ = s.file.Close()
		}
		_ = ln.L.Close()
		return fmt.Errorf("ringloop: listen: %w", err)
	}
	return nil
}

// prepare makes the socket of ln ready for a ring. The listener that it returns with an error has only its file.
func prepare(ln transport.Listener, a transport.Acceptor) (*listener, error) {
	f, err := ln.File()
	if err != nil {
		return nil, err
	}
	s := &listener{open: ln, file: f, fd: int(f.Fd()), acceptor: a, stopped: make(chan struct{})}
	_, s.unix = ln.L.(*net.UnixListener)
	// The ring's accept waits in blocking mode only.
	if err := unix.SetNonblock(s.fd, false); err != nil {
		return s, err
	}
	if !s.unix {
		// Accepted sockets inherit it. Answers are written once a turn: waiting for more bytes only delays them.
		if err := unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return s, fmt.Errorf("no delay: %w", err)
		}
	}
	return s, nil
}

// start gives s to a loop, in turns.
func (g *group) start(s *listener) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errClosed
	}
	s.l = g.loops[g.opened%len(g.loops)]
	g.opened++
	g.open = append(g.open, s)
	s.l.post(s.listen)
	return nil
}

// place gives a new connection to a loop, in turns. It is called on the loop that accepted it.
func (g *group) place(from *loop, fd int, s *listener) {
	if g.conns.Add(1) > int64(g.cfg.MaxConns) {
		g.conns.Add(-1)
		_ = unix.Close(fd)
		return
	}
	to := g.loops[g.turns.Add(1)%uint64(len(g.loops))]
	if to == from || to.broken.Load() {
		from.admit(fd, s.acceptor, s.unix)
		return
	}
	to.post(func() { to.admit(fd, s.acceptor, s.unix) })
}

// StopListening implements transport.Group. It must not be called on a loop.
func (g *group) StopListening() {
	g.mu.Lock()
	open := g.open
	g.open = nil
	g.mu.Unlock()
	for _, s := range open {
		s.l.post(s.stop)
	}
	for _, s := range open {
		select {
		case <-s.stopped:
		case <-s.l.exited: // the loop failed, and has closed it
		}
	}
}

// Close implements transport.Group. It must not be called on a loop.
func (g *group) Close() error {
	g.mu.Lock()
	first := !g.closed
	g.closed = true
	g.mu.Unlock()
	if !first {
		<-g.down
		return g.err
	}
	// First, so that no loop hands a connection to one that has ended.
	g.StopListening()
	for _, l := range g.loops {
		l.post(l.endAll)
	}
	var errs []error
	for _, l := range g.loops {
		<-l.exited
		errs = append(errs, l.err)
	}
	g.err = errors.Join(errs...)
	close(g.down)
	return g.err
}

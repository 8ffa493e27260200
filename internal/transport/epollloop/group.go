//go:build linux

// Package epollloop provides the transport of Linux systems that refuse io_uring: loops on epoll.
//
// Every loop has an epoll instance of its own. Sockets are registered once, edge-triggered, for reading and writing,
// so that pausing, resuming and waiting for room cost no system call. A connection that has nothing to say holds no
// buffer: the loop reads into memory that all of its connections share.
//
//	g, err := epollloop.New(transport.Config{Loops: 2})
package epollloop

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

const (
	defaultMaxInput      = 80 << 10
	defaultMaxConns      = 120_000
	defaultAcceptBackoff = 100 * time.Millisecond
)

// errClosed is returned by Listen after Close.
var errClosed = errors.New("epollloop: the group is closed")

// group implements transport.Group.
type group struct {
	cfg    transport.Config
	start  time.Time // instant 0
	loops  []*loop
	public []transport.Loop

	conns  atomic.Int64  // open connections, and those on their way from one loop to another
	nextID atomic.Uint64 // see connID

	fetcher file.Fetcher // of files' parts that are not in memory

	mu        sync.Mutex // guards closed and changes of listeners
	closed    bool
	listeners atomic.Pointer[[]*listener] // by index; replaced as a whole, never shortened

	closeOnce sync.Once
	closeErr  error
}

var _ transport.Group = (*group)(nil)

// New starts the loops. It fails where the system has no epoll, eventfd or descriptors left.
func New(cfg transport.Config) (transport.Group, error) {
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
	g := &group{cfg: cfg, start: time.Now()}
	g.listeners.Store(&[]*listener{})
	// Ids of several groups in one process must differ, and no counter is shared by them: each begins at a random
	// place of a space too large to meet in.
	var seed [8]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("epollloop: %w", err)
	}
	g.nextID.Store(binary.NativeEndian.Uint64(seed[:]))
	for i := range cfg.Loops {
		l, err := newLoop(g, i)
		if err != nil {
			for _, made := range g.loops {
				made.release()
			}
			return nil, err
		}
		g.loops = append(g.loops, l)
		g.public = append(g.public, l)
	}
	for _, l := range g.loops {
		go l.run()
	}
	return g, nil
}

// Kind implements transport.Group.
func (g *group) Kind() string { return "epoll" }

// Loops implements transport.Group.
func (g *group) Loops() []transport.Loop { return g.public }

func (g *group) now() clock.Instant { return clock.Instant(time.Since(g.start)) }

// Listen implements transport.Group.
func (g *group) Listen(l transport.Listener, a transport.Acceptor) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.Join(errClosed, l.L.Close())
	}
	old := *g.listeners.Load()
	ls, err := newListener(g, len(old), l, a)
	if err != nil {
		return errors.Join(err, l.L.Close())
	}
	list := append(append(make([]*listener, 0, len(old)+1), old...), ls)
	g.listeners.Store(&list) // before the first event can name its index
	for _, lp := range g.loops {
		if err := ls.register(lp); err != nil {
			ls.close(g)
			return err
		}
	}
	return nil
}

// StopListening implements transport.Group.
func (g *group) StopListening() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, ls := range *g.listeners.Load() {
		ls.close(g)
	}
}

// Close implements transport.Group. It must not be called on a loop.
func (g *group) Close() error {
	g.closeOnce.Do(func() {
		g.mu.Lock()
		g.closed = true
		g.mu.Unlock()
		g.StopListening()
		// A loop may have accepted a connection for another loop just before. After a task on every loop there is
		// none on its way, so that no connection is posted to a loop that has ended.
		g.everyLoop(func(*loop) {})
		g.everyLoop(func(l *loop) { l.stopped = true })
		for _, l := range g.loops {
			<-l.done
			if err := l.err; err != nil && g.closeErr == nil {
				g.closeErr = err
			}
		}
	})
	return g.closeErr
}

// everyLoop runs f on every loop and returns when all have.
func (g *group) everyLoop(f func(*loop)) {
	var wg sync.WaitGroup
	for _, l := range g.loops {
		wg.Add(1)
		l.Post(&mailbox.Task{Do: runFunc(func() { f(l); wg.Done() })})
	}
	wg.Wait()
}

type runFunc func()

// Run implements mailbox.Runner.
func (f runFunc) Run() { f() }

// pick chooses the loop of a connection that l accepted: the one with the fewest, and l among equals. The kernel wakes
// the same loop again and again while it keeps up, so without this one loop would get nearly everything.
func (g *group) pick(l *loop) *loop {
	if l == nil {
		l = g.loops[0]
	}
	best, least := l, l.count.Load()
	for _, o := range g.loops {
		if n := o.count.Load(); n < least {
			best, least = o, n
		}
	}
	return best
}

// wakeup is the descriptor that Post rings, and who may be about to ring it.
type wakeup struct {
	fd      int
	state   atomic.Uint32
	ringers atomic.Int32
}

const (
	awake = iota
	asleep
	ended
)

// one is what an eventfd is rung with: a count in the machine's byte order.
func one() (b [8]byte) {
	binary.NativeEndian.PutUint64(b[:], 1)
	return b
}

// wake rings if the loop sleeps. Only the one who changes the state rings, and the descriptor is not closed while
// somebody is between the two: it could be somebody else's by then.
func (w *wakeup) wake() {
	if w.state.Load() != asleep {
		return
	}
	w.ringers.Add(1)
	if w.state.CompareAndSwap(asleep, awake) {
		b := one()
		for {
			// EAGAIN cannot happen before 2⁶⁴ rings, and the descriptor would be readable then.
			if _, err := unix.Write(w.fd, b[:]); !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
	w.ringers.Add(-1)
}

// end makes every later wake do nothing and waits for those under way.
func (w *wakeup) end() {
	w.state.Store(ended)
	for w.ringers.Load() != 0 {
		runtime.Gosched()
	}
}

// Package netloop provides the transport of every system: loops on package net.
//
// A loop is a goroutine. Each connection has another that waits until its socket is readable, without a buffer where
// the system lets it, and says so; reading and writing themselves happen on the loop and never block. A goroutine
// that waits for room to write exists only while output is held up.
//
// It is not the fastest transport: every event crosses two goroutines. It is the one that works everywhere, and
// under the race detector.
//
//	g, err := netloop.New(transport.Config{Loops: 2})
package netloop

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

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
var errClosed = errors.New("netloop: the group is closed")

// group implements transport.Group.
type group struct {
	cfg     transport.Config
	newWire func(net.Conn) wire
	start   time.Time // instant 0
	loops   []*loop
	public  []transport.Loop

	conns  atomic.Int64   // open connections, and those on their way to their loop
	nextID atomic.Uint64  // begins at a random place: see New
	guests sync.WaitGroup // goroutines that wait for sockets and doorbells

	fetcher file.Fetcher // of files' parts that are not in memory

	mu        sync.Mutex // guards closed and listeners
	closed    bool
	listeners []*listener

	closeOnce sync.Once
	closeErr  error
}

var _ transport.Group = (*group)(nil)

// New starts the loops.
func New(cfg transport.Config) (transport.Group, error) { return newGroup(cfg, newWire) }

func newGroup(cfg transport.Config, newWire func(net.Conn) wire) (transport.Group, error) {
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
	g := &group{cfg: cfg, newWire: newWire, start: time.Now()}
	// Ids of several groups in one process must differ, and no counter is shared by them: each begins at a random
	// place of a space too large to meet in.
	var seed [8]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("netloop: %w", err)
	}
	g.nextID.Store(binary.NativeEndian.Uint64(seed[:]))
	for i := range cfg.Loops {
		l := newLoop(g, i)
		g.loops = append(g.loops, l)
		g.public = append(g.public, l)
	}
	for _, l := range g.loops {
		go l.run()
	}
	return g, nil
}

// Kind implements transport.Group.
func (g *group) Kind() string { return "net" }

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
	ls := &listener{g: g, l: l.L, acceptor: a, stop: make(chan struct{}), done: make(chan struct{})}
	g.listeners = append(g.listeners, ls)
	go ls.run()
	return nil
}

// StopListening implements transport.Group.
func (g *group) StopListening() {
	g.mu.Lock()
	list := g.listeners
	g.listeners = nil
	g.mu.Unlock()
	for _, ls := range list {
		ls.close()
	}
}

// Close implements transport.Group. It must not be called on a loop.
func (g *group) Close() error {
	g.closeOnce.Do(func() {
		g.mu.Lock()
		g.closed = true
		g.mu.Unlock()
		// When this returns, every accepted connection has been posted to its loop: before the task below.
		g.StopListening()
		for _, l := range g.loops {
			l.Post(&mailbox.Task{Do: runFunc(func() { l.stopped = true })})
		}
		for _, l := range g.loops {
			<-l.done
			if err := l.err; err != nil && g.closeErr == nil {
				g.closeErr = err
			}
		}
		g.guests.Wait()
	})
	return g.closeErr
}

type runFunc func()

// Run implements mailbox.Runner.
func (f runFunc) Run() { f() }

// admit gives a new connection to the loop with the fewest.
func (g *group) admit(nc net.Conn, a transport.Acceptor) {
	if g.conns.Add(1) > int64(g.cfg.MaxConns) {
		g.conns.Add(-1)
		_ = nc.Close()
		return
	}
	to := g.loops[0]
	for _, l := range g.loops[1:] {
		if l.count.Load() < to.count.Load() {
			to = l
		}
	}
	to.count.Add(1)
	c := newConn(to, a, nc, g.nextID.Add(1))
	to.Post(&c.adopt)
}

// listener is one listening socket and the goroutine that accepts on it.
type listener struct {
	g        *group
	l        net.Listener
	acceptor transport.Acceptor
	stop     chan struct{}
	done     chan struct{}
}

func (ls *listener) run() {
	defer close(ls.done)
	for {
		nc, err := ls.l.Accept()
		switch {
		case err == nil:
			ls.g.admit(nc, ls.acceptor)
		case errors.Is(err, net.ErrClosed):
			return
		case ls.stopping():
			ls.acceptLast()
			return
		default:
			// Out of descriptors or memory: the connection stays in the kernel's queue, and asking at once would only
			// spin.
			pause := time.NewTimer(ls.g.cfg.AcceptBackoff)
			select {
			case <-pause.C:
			case <-ls.stop:
				pause.Stop()
			}
		}
	}
}

func (ls *listener) stopping() bool {
	select {
	case <-ls.stop:
		return true
	default:
		return false
	}
}

// deadliner is a listener whose Accept can be ended without closing it.
type deadliner interface{ SetDeadline(time.Time) error }

// lastPatience bounds the wait for a connection that was announced as waiting.
const lastPatience = time.Second

// acceptLast accepts what waits: closing would reset it. A connection that comes after the last look is lost.
func (ls *listener) acceptLast() {
	d, ok := ls.l.(deadliner)
	for range transport.LastAccepts {
		// The deadline is for one that waited and is gone, taken by somebody who shares the socket.
		if !ok || !waiting(ls.l) || d.SetDeadline(time.Now().Add(lastPatience)) != nil {
			return
		}
		switch nc, err := ls.l.Accept(); {
		case err == nil:
			ls.g.admit(nc, ls.acceptor)
		case errors.Is(err, os.ErrDeadlineExceeded):
			// That one is gone; or it was the deadline that close sets.
		default:
			return
		}
	}
}

func (ls *listener) close() {
	close(ls.stop)
	if d, ok := ls.l.(deadliner); ok && d.SetDeadline(time.Unix(1, 0)) == nil {
		<-ls.done
	}
	// The error of closing a listening socket has no consequence that anybody could act on.
	_ = ls.l.Close()
	<-ls.done
}

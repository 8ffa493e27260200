package covet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// socket is a connection that has left HTTP, as a blocking net.Conn:
//
//	loop                                   goroutines
//	Data ──▶ queue, readable                 Read takes from the queue
//	  resume task ◀── the queue is low again
//	  out task    ◀── chunk                  Write waits until it is taken
//	  Drained     ──▶ writable               and, before the next, until there is room
//	  shut task   ◀──                        Close, CloseWrite
//	Closed ──▶ gone
type socket struct {
	exec          mailbox.Executor
	leave         func() // on the loop: the connection ends, or the server drains
	local, remote net.Addr

	resume, out, shut mailbox.Task

	// Loop only.
	tunnel message.Tunnel
	over   bool

	mu       sync.Mutex
	queue    []byte
	off      int
	eof      bool  // the peer has closed its side
	err      error // why the connection is gone; nil while it lives
	paused   bool  // the tunnel is paused, or resuming
	resuming bool
	full     bool // more output waits than should
	closed   bool // Close was called
	finished bool // CloseWrite was called

	readable, writable, taken chan struct{} // capacity 1
	closing, gone             chan struct{} // closed by Close and by the end of the connection

	reading, writing sync.Mutex // one Read and one Write at a time
	chunk            []byte     // of the Write that waits for taken
	readBy, writeBy  deadline
}

var (
	_ net.Conn        = (*socket)(nil)
	_ message.Session = (*socket)(nil)
	_ message.Leaver  = (*socket)(nil)
)

func newSocket(exec mailbox.Executor, leave func()) *socket {
	s := &socket{
		exec: exec, leave: leave,
		readable: make(chan struct{}, 1), writable: make(chan struct{}, 1), taken: make(chan struct{}, 1),
		closing: make(chan struct{}), gone: make(chan struct{}),
	}
	s.resume.Do, s.out.Do, s.shut.Do = (*resumeTask)(s), (*outTask)(s), (*shutTask)(s)
	return s
}

// open implements message.Takeover.
func (s *socket) open(t message.Tunnel, _ message.Loop) message.Session {
	s.tunnel = t
	s.local, s.remote = netAddr(t.Local()), netAddr(t.Remote())
	return s
}

func netAddr(a netip.AddrPort) net.Addr {
	if !a.IsValid() {
		return &net.UnixAddr{Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(a)
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// Data implements message.Session.
func (s *socket) Data(in []byte) int {
	s.mu.Lock()
	if s.off > 0 && len(s.queue)+len(in) > cap(s.queue) {
		s.queue, s.off = s.queue[:copy(s.queue, s.queue[s.off:])], 0 // what was read makes room
	}
	n := max(0, min(len(in), bodyHigh-(len(s.queue)-s.off)))
	s.queue = append(s.queue, in[:n]...)
	pause := !s.paused && len(s.queue)-s.off >= bodyHigh
	s.paused = s.paused || pause
	s.mu.Unlock()
	if pause {
		s.tunnel.Pause()
	}
	ring(s.readable)
	return n
}

// EOF implements message.Session.
func (s *socket) EOF() {
	s.mu.Lock()
	s.eof = true
	s.mu.Unlock()
	ring(s.readable)
}

// Drained implements message.Session.
func (s *socket) Drained() {
	s.mu.Lock()
	s.full = false
	s.mu.Unlock()
	ring(s.writable)
}

// Leave implements message.Leaver.
func (s *socket) Leave() { s.leave() }

// Closed implements message.Session.
func (s *socket) Closed(err error) {
	s.over = true
	s.mu.Lock()
	switch {
	case err != nil:
		s.err = fmt.Errorf("covet: the connection is lost: %w", err)
	case s.eof:
		s.err = io.EOF
	default:
		s.err = net.ErrClosed
	}
	s.mu.Unlock()
	close(s.gone)
	s.leave()
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		late := s.readBy.passed()
		select {
		case <-late:
			return 0, os.ErrDeadlineExceeded
		default:
		}
		n, err, known := s.take(p)
		if known {
			return n, err
		}
		select {
		case <-s.readable:
		case <-s.gone:
		case <-s.closing:
		case <-late:
		}
	}
}

// take takes what is queued; known is false when that is nothing and more may come.
func (s *socket) take(p []byte) (n int, err error, known bool) { //nolint:revive // the error is not the last: known says whether it counts
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed, true
	}
	n = copy(p, s.queue[s.off:])
	s.off += n
	if left := len(s.queue) - s.off; s.paused && !s.resuming && left <= bodyLow && s.err == nil {
		s.resuming = true
		s.exec.Post(&s.resume)
	}
	switch {
	case n > 0 || len(p) == 0:
		return n, nil, true
	case s.eof:
		return 0, io.EOF, true
	case s.err != nil:
		return 0, s.err, true
	}
	return 0, nil, false
}

// resumeTask is a socket whose queue has room again.
type resumeTask socket

// Run implements mailbox.Runner.
func (t *resumeTask) Run() {
	s := (*socket)(t)
	s.mu.Lock()
	s.paused, s.resuming = false, false
	s.mu.Unlock()
	s.tunnel.Resume()
}

// Write implements net.Conn.
func (s *socket) Write(p []byte) (n int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	for {
		if err := s.awaitRoom(); err != nil {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
		s.chunk = p[n:min(len(p), n+streamChunk)]
		s.exec.Post(&s.out)
		// The loop is about to read the chunk: neither a deadline nor Close may end the wait.
		select {
		case <-s.taken:
		case <-s.gone:
			return n, s.lost()
		}
		n += len(s.chunk)
	}
}

// awaitRoom waits until the client has taken enough of the output.
func (s *socket) awaitRoom() error {
	for {
		late := s.writeBy.passed()
		select {
		case <-late:
			return os.ErrDeadlineExceeded
		default:
		}
		s.mu.Lock()
		full, err := s.full, s.err
		if s.closed || s.finished {
			err = net.ErrClosed
		}
		s.mu.Unlock()
		if err != nil || !full {
			return err
		}
		select {
		case <-s.writable:
		case <-s.gone:
		case <-s.closing:
		case <-late:
		}
	}
}

func (s *socket) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// outTask is a socket with a chunk to send.
type outTask socket

// Run implements mailbox.Runner.
func (t *outTask) Run() {
	s := (*socket)(t)
	if s.over {
		return // Write has seen gone, and the chunk is its caller's again
	}
	s.tunnel.Write(s.chunk)
	s.mu.Lock()
	s.full = s.tunnel.Pending() > highWater
	s.mu.Unlock()
	ring(s.taken)
}

// Close implements net.Conn: output that was written still leaves.
func (s *socket) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	s.readBy.set(time.Time{})
	s.writeBy.set(time.Time{})
	s.exec.Post(&s.shut)
	return nil
}

// CloseWrite sends FIN after what was written; Read goes on. Package net's TCPConn has it, too.
func (s *socket) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || s.finished:
		return net.ErrClosed
	case s.err != nil:
		return s.err
	}
	s.finished = true
	t := &finTask{s: s}
	t.task.Do = t
	s.exec.Post(&t.task)
	return nil
}

// finTask is a socket that has written its last.
type finTask struct {
	task mailbox.Task
	s    *socket
}

// Run implements mailbox.Runner.
func (t *finTask) Run() {
	if !t.s.over {
		t.s.tunnel.CloseWrite()
	}
}

// shutTask is a socket that was closed.
type shutTask socket

// Run implements mailbox.Runner.
func (t *shutTask) Run() {
	if s := (*socket)(t); !s.over {
		s.tunnel.Close()
	}
}

// LocalAddr implements net.Conn.
func (s *socket) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return s.remote }

// SetDeadline implements net.Conn.
func (s *socket) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (s *socket) SetReadDeadline(t time.Time) error { return s.setDeadline(&s.readBy, t) }

// SetWriteDeadline implements net.Conn.
func (s *socket) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.writeBy, t) }

func (s *socket) setDeadline(d *deadline, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	d.set(t)
	// Who waits looks at the new deadline.
	ring(s.readable)
	ring(s.writable)
	return nil
}

// deadline is an instant that may be moved while somebody waits for it. Its zero value never comes.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	late  chan struct{}
}

// passed returns a channel that is closed when the deadline has passed; nil when there is none.
func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.late
}

// set moves the deadline; the zero time takes it away.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.late = nil, nil
	if t.IsZero() {
		return
	}
	late := make(chan struct{})
	d.late = late
	if left := time.Until(t); left > 0 {
		d.timer = time.AfterFunc(left, func() { close(late) })
	} else {
		close(late)
	}
}

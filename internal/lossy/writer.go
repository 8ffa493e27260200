// Package lossy provides a log writer that never waits: a reader that stays but does not read, a stopped terminal or a
// full pipe, must not stop the server that writes.
//
// Lines wait in memory, up to a bound, for one goroutine that writes them on. Those that find no room are dropped
// whole and counted, and the count is told in the log as soon as there is room again.
//
//	w := lossy.New(os.Stderr, lossy.Config{})
//	defer w.Close(time.Second)
//	log := slog.New(slog.NewTextHandler(w, nil))
package lossy

import (
	"io"
	"strconv"
	"sync"
	"time"
)

// Config tunes a Writer. The zero value works.
type Config struct {
	// Bound is how much may wait, in bytes; 0 means 1 MiB.
	Bound int
	// Notice renders the line, with its end, that tells how many lines were dropped; nil means a plain sentence.
	Notice func(lines uint64) []byte
}

const defaultBound = 1 << 20

// Writer is an io.Writer of whole lines. It is safe for use by several goroutines; a line is never torn.
type Writer struct {
	to     io.Writer
	bound  int
	notice func(uint64) []byte

	mu       sync.Mutex
	waiting  []byte
	spare    []byte // the buffer that is not waiting and not being written
	writing  int    // bytes that the goroutine has taken and not finished
	dropped  uint64
	closed   bool
	work     chan struct{} // of one: something waits, or Close was called
	finished chan struct{} // the goroutine has ended
}

// New starts a Writer on to. Errors of to are ignored: there is nowhere to tell them.
func New(to io.Writer, c Config) *Writer {
	if c.Bound == 0 {
		c.Bound = defaultBound
	}
	if c.Notice == nil {
		c.Notice = func(n uint64) []byte {
			return append(strconv.AppendUint(nil, n, 10), " log lines were dropped: whoever reads the log is too slow\n"...)
		}
	}
	w := &Writer{
		to: to, bound: c.Bound, notice: c.Notice,
		work: make(chan struct{}, 1), finished: make(chan struct{}),
	}
	go w.run()
	return w
}

// Write takes p, one or several whole lines, or drops it. It never waits and never fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	if w.closed || len(w.waiting)+w.writing+len(p) > w.bound {
		w.dropped++
		w.mu.Unlock()
		return len(p), nil
	}
	w.waiting = append(w.waiting, p...)
	w.mu.Unlock()
	w.wake()
	return len(p), nil
}

func (w *Writer) wake() {
	select {
	case w.work <- struct{}{}:
	default:
	}
}

// run writes on what waits, until Close.
func (w *Writer) run() {
	defer close(w.finished)
	for range w.work {
		for {
			p, last := w.take()
			if len(p) == 0 {
				if last {
					return
				}
				break
			}
			_, _ = w.to.Write(p)
		}
	}
}

// take returns everything that waits, and whether nothing will follow.
func (w *Writer) take() (p []byte, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dropped > 0 && len(w.waiting) == 0 {
		// Told when the reader has caught up, after what came before the gap.
		w.waiting = append(w.waiting, w.notice(w.dropped)...)
		w.dropped = 0
	}
	p, w.waiting, w.spare = w.waiting, w.spare[:0], w.waiting
	w.writing = len(p)
	return p, w.closed
}

// Close writes on what waits, for at most patience, and ends the Writer: later lines are dropped. A write that hangs
// in the receiver is left behind.
func (w *Writer) Close(patience time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-w.finished:
	case <-t.C:
	}
}

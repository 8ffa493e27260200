package covet

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

const (
	// streamChunk is how much a stream gathers before it goes to the loop: a hand-over costs some microseconds.
	streamChunk = 32 << 10
	// highWater bounds the output that may wait for a slow client: over it the writer waits.
	highWater = 128 << 10
	// bodyHigh bounds the request body that waits for the handler; bodyLow is where the client may go on.
	bodyHigh = 256 << 10
	bodyLow  = 64 << 10
)

// errOnLoop is returned by what waits, when it is called where nothing may wait.
var errOnLoop = errors.New("covet: streams and body readers need a handler that runs off the loop")

// Flusher is implemented by the writer of [Ctx.Stream].
type Flusher interface {
	// Flush sends what was written so far and waits until there is room for more.
	Flush() error
}

// Stream answers with status, and with what fn writes, as it is written: the head leaves with the first 32 KiB or the
// first Flush (see [Flusher]). A Write waits while the client is slower than the handler, and fails when the client
// is gone. A body that ends before that is sent whole, with its length.
//
// When fn fails before the head has left, Stream returns its error and the client gets an error response; later,
// the response is cut off.
func (c *Ctx) Stream(status int, fn func(w io.Writer) error) error {
	if !c.off {
		return errOnLoop
	}
	c.unsend()
	c.res.Status, c.res.Body = status, nil
	s := &streamWriter{w: c.away}
	if err := fn(s); err != nil {
		return err
	}
	return s.finish()
}

// streamWriter is the writer of a stream, on the handler's goroutine.
type streamWriter struct {
	w   *away
	buf []byte
}

var _ Flusher = (*streamWriter)(nil)

// Write implements io.Writer.
func (s *streamWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if s.buf == nil {
			s.buf = make([]byte, 0, streamChunk)
		}
		n := min(len(p), cap(s.buf)-len(s.buf))
		s.buf = append(s.buf, p[:n]...)
		p = p[n:]
		written += n
		if len(s.buf) == cap(s.buf) {
			if err := s.Flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// Flush implements Flusher.
func (s *streamWriter) Flush() error {
	w := s.w
	// First, because the write of a request that is over may still be in the mailbox, where it must not be put again.
	if e := w.gone.Load(); e != nil {
		return e
	}
	if len(s.buf) == 0 && w.c.started {
		return nil
	}
	w.chunk = s.buf
	w.acked.Store(false)
	w.c.exec.Post(&w.write)
	for !w.acked.Load() {
		if e := w.gone.Load(); e != nil {
			return e
		}
		<-w.wake
	}
	s.buf = s.buf[:0]
	if e := w.gone.Load(); e != nil {
		return e
	}
	return nil
}

// finish sends the rest; a body that has not begun to stream becomes a whole one.
func (s *streamWriter) finish() error {
	c := s.w.c
	if !c.started {
		c.res.Body, c.replied = s.buf, true
		return nil
	}
	return s.Flush()
}

// writeTask is an away that has a chunk to send and waits.
type writeTask away

// Run sends the chunk, on the loop.
func (t *writeTask) Run() {
	w := (*away)(t)
	if w.left {
		return // part has roused the goroutine
	}
	c := w.c
	x := c.x
	if !c.started {
		x.Response, w.res = w.res, x.Response
		w.res.DropTrailers() // those that were there before: the copy has them
		c.res = &x.Response
		streaming := c.Start()
		c.res = &w.res
		if !streaming {
			w.left = true
			x.App = nil
			w.gone.Store(&fault.Error{Code: fault.InternalError, Message: "the response was replaced"})
			w.rouse()
			return
		}
	}
	if x.Stream.Write(x, w.chunk) > highWater {
		w.blocked = true
		return
	}
	w.ack()
}

func (w *away) ack() {
	w.blocked = false
	w.acked.Store(true)
	w.rouse()
}

// Drained implements message.Receiver.
func (w *away) Drained(*message.Exchange) {
	if w.blocked && !w.left {
		w.ack()
	}
}

// bodyQueue is the part of a streamed request body that has arrived and was not read.
type bodyQueue struct {
	mu     sync.Mutex
	data   []byte
	off    int
	asked  bool // ReadBody has been called, or is about to be
	paused bool
	posted bool // the read task is on its way
	ended  bool
	closed bool // closeBody was called
	err    error
	trailer
}

func (q *bodyQueue) reset() {
	q.data, q.off = q.data[:0], 0
	if cap(q.data) > maxKept {
		q.data = nil
	}
	q.asked, q.paused, q.posted, q.ended, q.closed, q.err = false, false, false, false, false, nil
	q.trailer = trailer{}
}

// BodyChunk implements message.Receiver.
func (w *away) BodyChunk(x *message.Exchange, p []byte) {
	q := &w.body
	q.mu.Lock()
	if q.off > 0 && len(q.data)+len(p) > cap(q.data) {
		q.data, q.off = q.data[:copy(q.data, q.data[q.off:])], 0 // what was read makes room
	}
	q.data = append(q.data, p...)
	pause := !q.paused && len(q.data)-q.off >= bodyHigh
	q.paused = q.paused || pause
	q.mu.Unlock()
	if pause {
		x.Stream.PauseBody(x)
	}
	ring(w.readable)
}

// BodyEnd implements message.Receiver.
func (w *away) BodyEnd(x *message.Exchange, err error) {
	q := &w.body
	q.mu.Lock()
	q.ended, q.err = true, err
	if err == nil {
		q.trailer = copyTrailer(&x.Request)
	}
	q.mu.Unlock()
	ring(w.readable)
}

// closeBody ends the reading of the body, by whatever goroutine.
func (w *away) closeBody() {
	q := &w.body
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	ring(w.readable)
}

// readTask is an away that wants (more of) the body.
type readTask away

// Run asks the stream for the body, on the loop.
func (t *readTask) Run() {
	w := (*away)(t)
	if w.left {
		return
	}
	q := &w.body
	q.mu.Lock()
	resume := q.paused
	q.paused, q.posted = false, false
	q.mu.Unlock()
	x := w.c.x
	if resume {
		x.Stream.ResumeBody(x)
	} else {
		x.Stream.ReadBody(x)
	}
}

// Read implements io.Reader for the body, on the handler's goroutine: the reader of a Ctx whose body streams.
func (w *away) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	q := &w.body
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return 0, http.ErrBodyReadAfterClose
		}
		n := copy(p, q.data[q.off:])
		q.off += n
		ask := !q.posted && !q.ended && (!q.asked || q.paused && len(q.data)-q.off <= bodyLow)
		if ask {
			q.asked, q.posted = true, true
		}
		ended, err := q.ended, q.err
		q.mu.Unlock()
		if ask {
			w.c.exec.Post(&w.read)
		}
		switch {
		case n > 0:
			w.seen += int64(n)
			if w.limit > 0 && w.seen > w.limit {
				return 0, &fault.Error{Code: fault.ContentTooLarge}
			}
			return n, nil
		case ended && err == nil:
			return 0, io.EOF
		case ended:
			return 0, err
		}
		if e := w.gone.Load(); e != nil {
			return 0, e
		}
		<-w.readable
	}
}

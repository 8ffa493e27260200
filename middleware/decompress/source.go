package decompress

import (
	"errors"
	"io"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// source is the stream of an exchange whose body is decoded as it is read, on a goroutine, because decoders read when
// they want to and a loop cannot wait:
//
//	loop                                      goroutine
//	BodyChunk (coded) ──▶ feed, wake           Read of the decoder waits on wake
//	PauseBody when the feed is full
//	ResumeBody        ◀── more task            takes what is in the feed
//	BodyChunk above   ◀── piece task           a decoded piece is ready; waits
//	  ──▶ taken, wake
//
// At most one decoded piece is under way, and the feed is bounded, so a slow handler stops the client. A body that was
// there in the beginning is all in the feed; then the source is no receiver.
type source struct {
	message.Stream // below

	m      *decompressor
	coding coding
	exec   mailbox.Executor
	piece  mailbox.Task
	more   mailbox.Task

	// Loop only.
	x      *message.Exchange
	above  message.Receiver
	here   bool // the coded body is all in the feed
	asked  bool // ReadBody was called
	paused bool
	held   bool // a piece waits for ResumeBody
	dead   bool // the request is over

	feed feed

	// The goroutine's; the loop's from Post to taken.
	buf []byte
	n   int
	err error // io.EOF with the last piece, or what the handler is told
}

var _ message.Receiver = (*source)(nil)

const (
	// pieceSize is the most that is handed on at once, like the engine's pieces.
	pieceSize = 32 << 10
	// feedHigh is the coded body, in bytes, over which its client is stopped; it goes on when the decoder has taken it.
	feedHigh = 64 << 10
)

func newSource(m *decompressor, x *message.Exchange, k coding) *source {
	s := &source{Stream: x.Stream, m: m, coding: k, exec: x.Executor, x: x}
	s.piece.Do, s.more.Do = (*pieceTask)(s), (*moreTask)(s)
	s.feed.wake.L = &s.feed.mu
	if x.Request.BodyComplete {
		s.here = true
		s.feed.data = append(s.feed.data, x.Request.Body...) // the request's is a view
		s.feed.ended = true
	}
	return s
}

// kill ends the work, on the loop: the request is over.
func (s *source) kill() {
	if s.dead {
		return
	}
	s.dead = true
	s.m.open.Add(-1)
	f := &s.feed
	f.mu.Lock()
	f.quit = true
	f.mu.Unlock()
	f.wake.Broadcast()
	if s.asked {
		s.m.memory.rouse()
	}
}

// ReadBody implements message.Stream.
func (s *source) ReadBody(x *message.Exchange) {
	if s.asked || s.dead {
		return
	}
	s.asked = true
	s.above = x.Receiver
	go s.run()
	if !s.here {
		x.Receiver = s
		s.Stream.ReadBody(x)
	}
}

// PauseBody implements message.Stream.
func (s *source) PauseBody(*message.Exchange) { s.paused = true }

// ResumeBody implements message.Stream.
func (s *source) ResumeBody(*message.Exchange) {
	s.paused = false
	if s.held {
		s.held = false
		s.exec.Post(&s.piece) // never from inside ResumeBody
	}
}

// pieceTask is a source with a decoded piece.
type pieceTask source

// Run delivers it, on the loop.
func (t *pieceTask) Run() {
	s := (*source)(t)
	switch {
	case s.dead || s.above == nil:
		return
	case s.paused:
		s.held = true
		return
	}
	x := s.x
	if s.n > 0 {
		s.above.BodyChunk(x, s.buf[:s.n])
	}
	if s.dead {
		return // the handler has answered
	}
	switch err := s.err; {
	case err == nil:
		s.feed.take()
	case err == io.EOF: //nolint:errorlint // it is never wrapped
		s.above.BodyEnd(x, nil)
	default:
		s.above.BodyEnd(x, err)
	}
}

// moreTask is a source whose feed has room again.
type moreTask source

// Run lets the client go on, on the loop.
func (t *moreTask) Run() {
	s := (*source)(t)
	if s.dead {
		return
	}
	f := &s.feed
	f.mu.Lock()
	f.full = false
	f.mu.Unlock()
	s.Stream.ResumeBody(s.x)
}

// BodyChunk implements message.Receiver.
func (s *source) BodyChunk(x *message.Exchange, p []byte) {
	if s.dead {
		return
	}
	if s.feed.add(p) {
		s.Stream.PauseBody(x)
	}
}

// BodyEnd implements message.Receiver.
func (s *source) BodyEnd(_ *message.Exchange, err error) { s.feed.end(err) }

// Drained implements message.Receiver.
func (s *source) Drained(x *message.Exchange) {
	if s.above != nil {
		s.above.Drained(x)
	}
}

// Expired implements message.Receiver.
func (s *source) Expired(x *message.Exchange) {
	if s.above != nil {
		s.above.Expired(x)
	}
}

// Gone implements message.Receiver.
func (s *source) Gone(x *message.Exchange) {
	if s.above != nil {
		s.above.Gone(x)
	}
	s.kill()
}

// run decodes the body, on the goroutine.
func (s *source) run() {
	s.buf = make([]byte, pieceSize)
	if err := s.inflate(); err != errQuit { //nolint:errorlint // it is never wrapped
		s.give(0, err)
	}
}

// inflate returns io.EOF for a body that was decoded to its end, or what the handler is to be told.
func (s *source) inflate() (err error) {
	f := &s.feed
	f.post = func() { s.exec.Post(&s.more) }
	head, err := f.peek(windowHead)
	switch {
	case err != nil:
		return err
	case len(head) == 0:
		return io.EOF // no body after all
	}
	size, _ := window(s.coding, head, len(head) < windowHead)
	if !s.m.memory.take(size, f) {
		return errQuit
	}
	defer s.m.memory.give(size)
	defer func() {
		if p := recover(); p != nil { // a decoder's mistake costs the request, not the process
			err = &fault.Error{Code: fault.BadRequest, Message: damaged}
		}
	}()
	d := s.m.decoders[s.coding].Get().(decoder)
	if err := d.Reset(f); err != nil {
		return s.explain(cutOff(err))
	}
	for total, idle := int64(0), 0; ; {
		n, err := d.Read(s.buf)
		if total += int64(n); total > s.m.maxBody {
			return &fault.Error{Code: fault.ContentTooLarge}
		}
		if n > 0 && !s.give(n, nil) {
			return errQuit
		}
		switch {
		case err == io.EOF: //nolint:errorlint // as io.Reader has it
			rest, err := f.peek(1)
			if err == nil && len(rest) > 0 {
				err = errTrailing
			}
			if err != nil {
				return s.explain(err)
			}
			s.m.decoders[s.coding].Put(d)
			return io.EOF
		case err != nil:
			return s.explain(err)
		case n > 0:
			idle = 0
		default:
			if idle++; idle > maxIdleReads {
				return s.explain(io.ErrNoProgress)
			}
		}
	}
}

// explain returns what the handler is told of an error of the decoder: why the body ended, if that is why.
func (s *source) explain(err error) error {
	if e := s.feed.failed; e != nil {
		return e
	}
	return &fault.Error{Code: fault.BadRequest, Message: damaged, Cause: err}
}

// give hands n bytes of buf, or the end, to the loop and waits until they are taken. False means that nobody wants more.
func (s *source) give(n int, err error) bool {
	f := &s.feed
	f.mu.Lock()
	f.taken = false
	quit := f.quit
	f.mu.Unlock()
	if quit {
		return false
	}
	s.n, s.err = n, err
	s.exec.Post(&s.piece)
	if err != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.taken && !f.quit {
		f.wake.Wait()
	}
	return !f.quit
}

// errQuit ends the goroutine of a request that is over.
var errQuit = errors.New("decompress: the request is over")

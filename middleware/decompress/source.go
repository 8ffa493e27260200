package decompress

import (
	"errors"
	"io"
	"sync"

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

// feed is the coded body between loop and goroutine. It is the reader of the decoder.
type feed struct {
	mu    sync.Mutex // guards what follows
	wake  sync.Cond  // for the goroutine
	data  []byte
	full  bool // the client was stopped
	asked bool // and is about to go on
	ended bool
	err   error
	quit  bool
	taken bool // the loop has taken the decoded piece

	// The goroutine's.
	reader        // what was taken from data
	memory []byte // of reader
	failed error  // what Read failed with
	post   func() // posts the task that lets the client go on
}

// add appends a piece and reports whether the client is to be stopped.
func (f *feed) add(p []byte) (stop bool) {
	f.mu.Lock()
	f.data = append(f.data, p...)
	if len(f.data) >= feedHigh && !f.full {
		f.full, f.asked, stop = true, false, true
	}
	f.mu.Unlock()
	f.wake.Broadcast()
	return stop
}

func (f *feed) end(err error) {
	f.mu.Lock()
	f.ended, f.err = true, err
	f.mu.Unlock()
	f.wake.Broadcast()
}

// take tells the goroutine that its piece was taken.
func (f *feed) take() {
	f.mu.Lock()
	f.taken = true
	f.mu.Unlock()
	f.wake.Broadcast()
}

// fill waits until there is something to read. The engine's deadlines bound the wait: they end the body, or the request.
func (f *feed) fill() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.data) == 0 && !f.ended && !f.quit {
		f.wake.Wait()
	}
	switch {
	case f.quit:
		f.failed = errQuit
	case f.ended && f.err != nil:
		f.failed = f.err // what has come is of no use any more
	case len(f.data) > 0:
		f.data, f.memory = f.memory[:0], f.data
		f.b = f.memory
		if f.full && !f.asked {
			f.asked = true
			f.post()
		}
		return nil
	default:
		return io.EOF
	}
	return f.failed
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.b) == 0 {
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	return f.reader.Read(p)
}

// ReadByte implements io.ByteReader.
func (f *feed) ReadByte() (byte, error) {
	if len(f.b) == 0 {
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	return f.reader.ReadByte()
}

// peek returns the next n bytes, fewer at the end of the body, without taking them.
func (f *feed) peek(n int) ([]byte, error) {
	for len(f.b) < n {
		had := append([]byte(nil), f.b...)
		f.b = nil
		err := f.fill()
		if err == io.EOF { //nolint:errorlint // it is never wrapped
			f.b = had
			break
		}
		if err != nil {
			return nil, err
		}
		if len(had) > 0 {
			f.memory = append(had, f.b...)
			f.b = f.memory
		}
	}
	return f.b[:min(n, len(f.b))], nil
}

// budget is the memory that decoders may have together.
type budget struct {
	mu   sync.Mutex
	room int64
	more sync.Cond
}

func (b *budget) init(room int64) {
	b.room = room
	b.more.L = &b.mu
}

// take waits for n bytes; false when the request of f is over before that. A waiting body reads nothing, so the handler's
// deadline bounds the wait.
func (b *budget) take(n int64, f *feed) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.room < n {
		if f.over() {
			return false
		}
		b.more.Wait()
	}
	b.room -= n
	return true
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	b.room += n
	b.mu.Unlock()
	b.more.Broadcast()
}

// rouse lets the waiting look whether their requests are over.
func (b *budget) rouse() {
	b.mu.Lock()
	b.mu.Unlock() //nolint:staticcheck // whoever has looked waits by now
	b.more.Broadcast()
}

func (f *feed) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.quit
}

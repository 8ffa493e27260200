package compress

import (
	"time"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/message"
)

// state is where a stream stands.
type state uint8

const (
	waits  state = iota // neither Respond nor Start has been called
	passes              // started, not coded
	codes               // started, coded
	broken              // coded, and the rest of the body cannot be had
)

// stream stands between a handler and the protocol and codes what passes through. While it codes it is the exchange's
// receiver, too, because only the receiver learns that the client has left.
type stream struct {
	message.Stream // below

	m      *compressor
	choice choice
	state  state
	// flush: everything is sent at once. A response that declared its length is no live one.
	flush    bool
	encoder  liveEncoder
	out      sink
	receiver message.Receiver // above
}

var (
	_ message.Stream   = (*stream)(nil)
	_ message.Receiver = (*stream)(nil)
)

const (
	// maxPiece is the most that is coded at once, so that the output in memory stays bounded.
	maxPiece = 64 << 10
	// maxKept bounds what a buffer in a pool keeps, in bytes.
	maxKept = 256 << 10
)

// leave takes s out of x's way, unless something stands around it, and forgets it.
func (s *stream) leave(x *message.Exchange) {
	s.state = passes
	if x.Stream != message.Stream(s) {
		return // whoever embeds s goes on to call it
	}
	x.Stream = s.Stream
	s.Stream, s.receiver = nil, nil
	if cap(s.out.b) > maxKept {
		s.out.b = nil
	}
	s.m.streams.Put(s)
}

// free gives the encoder back. A body that was not ended leaves it as fit for the next Reset as any other.
func (s *stream) free() {
	if e := s.encoder; e != nil {
		s.encoder = nil
		s.m.encoders[s.choice.coding()].live.Put(e)
		s.m.open.Add(-1)
	}
}

// Respond implements message.Stream: the body is known.
func (s *stream) Respond(x *message.Exchange) {
	below, m, h := s.Stream, s.m, s.choice
	if s.state != waits {
		below.Respond(x)
		return
	}
	r := &x.Response
	f := look(r)
	body := r.Body
	head := x.Request.Method == message.MethodHead
	switch {
	case !m.suits(r, &f) || m.tooSmall(r, h):
	case head && (len(body) > 0 || r.Length > 0):
		// RFC 9110 section 9.3.2: the head that GET would get. Its length is known only when the work is done.
		dress(r, &f, h.coding())
		r.Body = nil
	case head:
		vary(r, &f)
	case len(body) == 0:
	case len(body) > m.inline:
		if j := m.crew.take(m, x, below, h.coding()); j != nil {
			s.leave(x)
			m.crew.submit(j)
			return
		}
		vary(r, &f) // overload: the response goes out as it is
	default:
		s.out.b = s.out.b[:0]
		if err := m.encoders[h.coding()].encode(&s.out, body); err != nil {
			vary(r, &f)
			break
		}
		dress(r, &f, h.coding())
		r.Body = s.out.b
		below.Respond(x) // copies the body
		s.retire()
		return
	}
	s.leave(x)
	below.Respond(x)
}

// retire gives s to the pool after the exchange has ended.
func (s *stream) retire() {
	s.Stream, s.receiver, s.state = nil, nil, passes
	if cap(s.out.b) > maxKept {
		s.out.b = nil
	}
	s.m.streams.Put(s)
}

// Start implements message.Stream: the body follows.
func (s *stream) Start(x *message.Exchange) {
	below, m, h := s.Stream, s.m, s.choice
	if s.state != waits {
		below.Start(x)
		return
	}
	r := &x.Response
	f := look(r)
	switch {
	case !m.suits(r, &f) || m.tooSmall(r, h):
	case x.Request.Method == message.MethodHead:
		dress(r, &f, h.coding())
	case m.open.Add(1) > m.maxStreams:
		m.open.Add(-1)
		vary(r, &f)
	default:
		s.flush = r.Length < 0
		s.state = codes
		dress(r, &f, h.coding())
		s.out.b = s.out.b[:0]
		s.encoder = m.encoders[h.coding()].live.Get().(liveEncoder)
		s.encoder.Reset(&s.out)
		s.receiver, x.Receiver = x.Receiver, s
		below.Start(x)
		return
	}
	s.leave(x)
	below.Start(x)
}

// Write implements message.Stream.
func (s *stream) Write(x *message.Exchange, p []byte) (pending int) {
	switch s.state {
	case codes:
	case broken:
		return 0
	default:
		return s.Stream.Write(x, p)
	}
	for len(p) > 0 {
		n := min(len(p), maxPiece)
		if err := piece(s.encoder, p[:n], s.flush && n == len(p)); err != nil {
			s.state, s.encoder = broken, nil // End cuts the body off; the encoder is not used again
			s.m.open.Add(-1)
			return 0
		}
		p = p[n:]
		pending = s.send(x, pending)
	}
	return pending
}

// send passes on what the encoder has made; without that, pending is what it was.
func (s *stream) send(x *message.Exchange, pending int) int {
	if len(s.out.b) > 0 {
		pending = s.Stream.Write(x, s.out.b)
		s.out.b = s.out.b[:0]
	}
	return pending
}

// SendFile implements message.Stream. Files are Opaque and never get here coded; one that does, because its handler did
// not say so, is read on the loop.
func (s *stream) SendFile(x *message.Exchange, f *file.File, off, n int64) (pending int) {
	switch s.state {
	case codes:
	case broken:
		return 0
	default:
		return s.Stream.SendFile(x, f, off, n)
	}
	piece := make([]byte, min(n, maxPiece))
	for n > 0 {
		got, err := f.ReadAt(piece[:min(n, maxPiece)], off)
		if got == 0 && err != nil {
			s.state = broken // shorter than was said
			return pending
		}
		pending = s.Write(x, piece[:got])
		off, n = off+int64(got), n-int64(got)
	}
	return pending
}

// End implements message.Stream.
func (s *stream) End(x *message.Exchange) {
	below := s.Stream
	switch s.state {
	case codes:
		if err := finish(s.encoder); err != nil {
			s.encoder = nil
			s.m.open.Add(-1)
			s.Abort(x)
			return
		}
		s.send(x, 0)
		s.free()
		below.End(x)
		s.retire()
	case broken:
		s.Abort(x)
	default:
		below.End(x)
	}
}

// Abort implements message.Stream.
func (s *stream) Abort(x *message.Exchange) {
	s.free()
	s.Stream.Abort(x)
	s.retire()
}

// Inform and SetDeadline are the protocol's; so is the request's body.
var _ interface {
	Inform(*message.Exchange, int)
	SetDeadline(*message.Exchange, time.Duration)
} = (*stream)(nil)

// BodyChunk implements message.Receiver.
func (s *stream) BodyChunk(x *message.Exchange, p []byte) {
	if s.receiver != nil {
		s.receiver.BodyChunk(x, p)
	}
}

// BodyEnd implements message.Receiver.
func (s *stream) BodyEnd(x *message.Exchange, err error) {
	if s.receiver != nil {
		s.receiver.BodyEnd(x, err)
	}
}

// Drained implements message.Receiver.
func (s *stream) Drained(x *message.Exchange) {
	if s.receiver != nil {
		s.receiver.Drained(x)
	}
}

// Expired implements message.Receiver. It does not come after Start.
func (s *stream) Expired(x *message.Exchange) {
	if s.receiver != nil {
		s.receiver.Expired(x)
	}
}

// Gone implements message.Receiver. S itself is left to the garbage collector: a late call may still find it.
func (s *stream) Gone(x *message.Exchange) {
	s.state = passes
	s.free()
	if s.receiver != nil {
		s.receiver.Gone(x)
	}
}

package engine

import (
	"time"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/message"
)

// This file is message.Stream as far as it concerns the response; body.go has the rest. Calls for an exchange that
// has ended, or in the wrong order, do nothing: a worker's answer may come at any time.

// Respond implements message.Stream.
func (s *session) Respond(x *message.Exchange) {
	if x != s.x || s.out.started {
		s.misused(x, "Respond")
		return
	}
	s.writeWhole(x)
	s.finish()
}

// Start implements message.Stream.
func (s *session) Start(x *message.Exchange) {
	if x != s.x || s.out.started {
		s.misused(x, "Start")
		return
	}
	s.writeStart(x)
}

// Write implements message.Stream.
func (s *session) Write(x *message.Exchange, p []byte) (pending int) {
	if x != s.x || !s.out.streaming {
		s.misused(x, "Write")
		return 0
	}
	s.writePiece(p)
	pending = s.conn.Pending()
	s.out.owed = s.out.owed || pending > 0
	return pending
}

// SendFile implements message.Stream.
func (s *session) SendFile(x *message.Exchange, f *file.File, off, n int64) (pending int) {
	if x != s.x || !s.out.streaming {
		s.misused(x, "SendFile")
		return 0
	}
	s.writeFile(f, off, n)
	pending = s.conn.Pending()
	s.out.owed = s.out.owed || pending > 0
	return pending
}

// End implements message.Stream.
func (s *session) End(x *message.Exchange) {
	if x != s.x || !s.out.streaming {
		s.misused(x, "End")
		return
	}
	if s.out.framed == byLength && s.out.left > 0 {
		// RFC 9112 section 8: less than was declared must be seen as incomplete.
		s.bug(x, "response body is shorter than its declared length")
		return
	}
	if s.out.framed == byChunks {
		s.writeLastChunk(&x.Response)
	}
	s.finish()
}

// Abort implements message.Stream.
func (s *session) Abort(x *message.Exchange) {
	if x != s.x {
		return
	}
	s.sh.count.aborted.Add(1)
	s.cut()
}

// cut ends the exchange in progress without the end of its response.
func (s *session) cut() {
	closed := s.out.streaming && s.out.framed == byClose
	s.endExchange()
	if closed {
		// Closing in order would make the body look complete (RFC 9112 section 8).
		s.abort()
		return
	}
	s.close()
}

// Inform implements message.Stream.
func (s *session) Inform(x *message.Exchange, status int) {
	if x != s.x || s.out.started || x.Request.Version < message.HTTP11 || status < 100 || status > 199 || status == 101 {
		return // RFC 9110 section 15.2: no 1xx for an HTTP/1.0 client
	}
	fields := x.Response.Fields()
	if s.out.informed += len(fields) + interimLine; s.out.informed > maxInterim {
		return // what is left out is no loss: clients may ignore interim responses (RFC 9110 section 15.2)
	}
	s.writeInterim(status, fields)
	if status == 100 {
		s.in.begun = true // ReadBody does not send it again
	}
}

// SetDeadline implements message.Stream.
func (s *session) SetDeadline(x *message.Exchange, d time.Duration) {
	if x != s.x || s.out.started {
		return
	}
	s.answerIn = d
	s.arm(byAnswer, d)
}

// misused counts a call of the handler side that breaks the contract. A call for an exchange that has ended is not
// one: the client may have left a moment ago.
func (s *session) misused(x *message.Exchange, call string) {
	if x == s.x {
		s.sh.count.bugs.Add(1)
		s.sh.cfg.Logger.Error("stream method called out of order", "method", call)
	}
}

// finish ends an exchange whose response is complete, and decides what becomes of the connection.
func (s *session) finish() {
	// A handler that began to answer while it read, and then stopped reading, has promised too much.
	keep := s.out.keep && !s.in.broken && !s.eof && !s.tooMuchLeft()
	s.endExchange()
	switch {
	case !keep:
		s.part(s.out.ours || !s.in.done || s.paused)
	case !s.in.done:
		s.enter(phaseDiscard)
		s.release()
	default:
		s.idle()
	}
}

// idle waits for the next request.
func (s *session) idle() {
	s.enter(phaseIdle)
	if s.sh.drain.active {
		s.sh.drain.hurry(s) // the response promised to go on before the drain began
	}
	s.release()
}

// endExchange gives the exchange in progress back.
func (s *session) endExchange() {
	x := s.x
	s.x = nil
	s.by[byAnswer] = 0
	s.out.streaming, s.out.owed = false, false
	s.sh.give(x)
}

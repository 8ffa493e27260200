package engine

import (
	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// inBody is the state of the request body of the exchange in progress.
type inBody struct {
	// served: Handler.Serve has been called.
	served bool
	// chunked: the body has the chunked coding; otherwise left bytes of it are to come.
	chunked bool
	left    int64
	// head is, in phaseBody, the length of the head at the start of the input; moved says that Request.Head is not
	// a view of that.
	head  int
	moved bool

	// asked: ReadBody was called. wanted: the receiver takes pieces now.
	asked, wanted bool
	// pace is how fast it comes; seen, in phaseBody, how much of it the input held at the last look.
	pace pace
	seen int
	// problem says, in phaseBody, in which form the client wants an error: the head may not be there any more.
	problem bool
	// begun: some of the body has come, so that 100 (Continue) needs not be sent any more.
	begun bool
	// done: nothing of the body is to come, or it is not looked at any more. broken: because it never will be
	// complete; then nothing can be read from the connection after it.
	done, broken bool
	// discarded bytes.
	discarded int
}

// beginChunked begins an exchange whose body is chunked: in[:n] is the head. Where the whole body is there, and
// small, the chunks are moved together in the input; otherwise it streams.
func (s *session) beginChunked(x *message.Exchange, in []byte, n int) (used int, more bool) {
	r := &x.Request
	s.in.chunked = true
	size, whole, err := s.measure(r, in[n:])
	if err != nil {
		s.refuse(err)
		return 0, true
	}
	s.chunks.Reset(&s.sh.cfg.Limits)
	r.Trailer, r.TrailerHead = r.Trailer[:0], nil
	if !whole {
		s.serve(x)
		return n, true
	}
	end, at := n, n
	for done := false; !done; {
		var data []byte
		var took int
		if data, took, done, err = s.chunks.Next(r, in[at:]); err != nil || took == 0 && !done {
			// The first pass has accepted these very bytes.
			s.refuse(fault.New(fault.BadRequest, ""))
			return 0, true
		}
		end += copy(in[end:], data) // to the left, over framing that has been read
		at += took
	}
	r.ContentLength = int64(size)
	return s.serveWhole(x, in[n:end], at)
}

// measure looks whether a chunked body that is small enough is whole in in, without changing in.
func (s *session) measure(r *message.Request, in []byte) (size int, whole bool, err *fault.Error) {
	s.chunks.Reset(&s.sh.cfg.Limits)
	for at := 0; ; {
		data, took, done, err := s.chunks.Next(r, in[at:])
		if err != nil {
			if err.Code == fault.ContentTooLarge {
				return 0, false, nil // for the handler to answer, as where the body arrives later
			}
			return 0, false, err
		}
		size += len(data)
		at += took
		if size > s.sh.cfg.MaxInline {
			return 0, false, nil
		}
		if done {
			return size, true, nil
		}
		if took == 0 {
			return 0, false, nil
		}
	}
}

// onStream delivers what has come of a streamed body, as long as the receiver wants it.
func (s *session) onStream(in []byte) (n int, more bool) {
	x := s.x
	if s.in.done || !s.in.wanted || len(in) == 0 {
		return 0, false
	}
	s.in.begun = true
	data, n, done, err := s.piece(&x.Request, in)
	if err != nil {
		s.failBody(err)
		return 0, true
	}
	if n == 0 && !done {
		return 0, false
	}
	if !done && s.tooSlow(n) {
		s.failBody(s.errTooSlow())
		return 0, true
	}
	s.arm(byInput, s.sh.patience[phaseExchange])
	if len(data) > 0 && x.Receiver != nil {
		x.Receiver.BodyChunk(x, data)
	}
	if s.x != x || !done {
		// The end of the exchange while a piece was delivered: what is left of the body is discarded, or this was all.
		if s.x != x && done {
			s.bodyOver()
		}
		return n, true
	}
	s.in.done = true
	s.by[byInput] = 0
	if x.Receiver != nil {
		x.Receiver.BodyEnd(x, nil)
	}
	return n, true
}

// piece takes the next piece of the body from in.
func (s *session) piece(r *message.Request, in []byte) (data []byte, n int, done bool, err *fault.Error) {
	if s.in.chunked {
		if len(in) > maxPiece {
			if data, n, done, err = s.chunks.Next(r, in[:maxPiece]); n > 0 || err != nil {
				return data, n, done, err
			}
			// The line or trailer section that it waits for is longer than a piece.
		}
		return s.chunks.Next(r, in)
	}
	n = min(len(in), maxPiece)
	if int64(n) >= s.in.left {
		n = int(s.in.left)
	}
	s.in.left -= int64(n)
	return in[:n], n, s.in.left == 0, nil
}

// failBody ends a body that never will be complete. The receiver still responds; the connection cannot be used
// again, because nobody knows where the next request would begin.
func (s *session) failBody(err *fault.Error) {
	s.in.done, s.in.broken = true, true
	s.by[byInput] = 0
	if x := s.x; x != nil && x.Receiver != nil {
		x.Receiver.BodyEnd(x, err)
	}
}

// onDiscard throws away the rest of a body that nobody wants, so that the next request can be read.
func (s *session) onDiscard(in []byte) (n int, more bool) {
	if len(in) == 0 {
		return 0, false
	}
	_, n, done, err := s.piece(&s.sh.unread, in)
	s.in.discarded += n
	s.sh.count.discarded.Add(uint64(n))
	switch {
	case err != nil || s.in.discarded > maxDiscard:
		s.part(true)
		return 0, true
	case done:
		s.bodyOver()
		return n, true
	}
	return n, n > 0
}

// bodyOver ends the discarding of a body: the next request may come.
func (s *session) bodyOver() {
	if s.phase == phaseDiscard {
		s.sh.unread.Reset()
		s.idle()
	}
}

// ReadBody implements message.Stream.
func (s *session) ReadBody(x *message.Exchange) {
	if x != s.x || s.in.asked || s.in.done {
		return
	}
	s.in.asked = true
	// RFC 9110 section 10.1.1: 100 (Continue) is not sent once the body is coming, nor after a final response.
	if x.Request.ExpectContinue && !s.in.begun && !s.out.started {
		s.writeInterim(100, nil)
	}
	s.ResumeBody(x)
}

// PauseBody implements message.Stream.
func (s *session) PauseBody(x *message.Exchange) {
	if x != s.x {
		return
	}
	s.in.wanted = false
	s.by[byInput] = 0
}

// ResumeBody implements message.Stream.
func (s *session) ResumeBody(x *message.Exchange) {
	if x != s.x || s.in.done || !s.in.asked || s.in.wanted {
		return
	}
	s.in.wanted = true
	s.in.pace.restart(s.loop.Now())
	s.arm(byInput, s.sh.patience[phaseExchange])
	if s.eof {
		s.wake() // what is missing never comes: told from the mailbox, not from in here
	}
	s.release()
}

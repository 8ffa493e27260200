package worker

import (
	"errors"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
)

// maxKept bounds the memory that a free slot keeps for bodies.
const maxKept = 32 << 10

// upload is the state of a request body on its way to the worker in BODY frames. It never holds more than what the
// protocol delivered before it obeyed PauseBody.
type upload struct {
	follows bool   // there is one
	reading bool   // Stream.ReadBody was called
	paused  bool   // Stream.PauseBody was called
	over    bool   // BodyEnd has come, or the body was complete at the beginning
	ended   bool   // BODYEND was sent
	reason  uint32 // of BODYEND
	want    uint64 // bytes that the worker has asked for and not got
	unsent  []byte // a view into kept, or into the detached request
	kept    []byte
}

func (u *upload) reset() {
	kept := u.kept[:0]
	if cap(kept) > maxKept {
		kept = nil
	}
	*u = upload{kept: kept}
}

// hold appends p, which the caller may overwrite, to what is unsent.
func (u *upload) hold(p []byte) {
	u.kept = append(append(u.kept[:0], u.unsent...), p...) // unsent is the end of kept, or empty
	u.unsent = u.kept
}

// BodyChunk sends a piece of the body on, as far as the worker has asked for it and the ring has room.
func (k *link) BodyChunk(x *message.Exchange, p []byte) {
	s := k.slots.of(x)
	if s == nil {
		return
	}
	u := &s.upload
	if len(u.unsent) == 0 {
		p = k.sendBody(s, p)
	}
	if len(p) > 0 {
		u.hold(p)
	}
	if (len(u.unsent) > 0 || u.want == 0) && !u.paused {
		u.paused = true
		x.Stream.PauseBody(x)
	}
}

// BodyEnd tells the worker that the body is complete, or never will be, after what is unsent.
func (k *link) BodyEnd(x *message.Exchange, err error) {
	s := k.slots.of(x)
	if s == nil {
		return
	}
	s.upload.over, s.upload.reason = true, bodyReason(err)
	if err != nil {
		s.upload.unsent = nil // it is of no use any more, and the worker may never ask for it
	}
	k.pump(s)
}

func bodyReason(err error) uint32 {
	var e *fault.Error
	switch {
	case err == nil:
		return frame.ReasonComplete
	case !errors.As(err, &e):
		return frame.ReasonInvalid
	}
	switch e.Code {
	case fault.ContentTooLarge:
		return frame.ReasonTooLarge
	case fault.RequestTimeout:
		return frame.ReasonTimeout
	case fault.ClientGone:
		return frame.ReasonGone
	}
	return frame.ReasonInvalid
}

// want takes a WANT.
func (k *link) want(s *slot, n uint32) {
	u := &s.upload
	if s.x == nil || !u.follows || u.ended {
		return // it crossed the end of the body or of the exchange
	}
	u.want += uint64(n)
	if !u.reading && !u.over {
		u.reading = true
		s.x.Stream.ReadBody(s.x)
		return
	}
	k.pump(s)
}

// pump sends what is unsent and the end, and lets the protocol go on when there is room for more.
func (k *link) pump(s *slot) {
	u := &s.upload
	if s.x == nil || !u.follows || u.ended {
		return
	}
	u.unsent = k.sendBody(s, u.unsent)
	if len(u.unsent) > 0 {
		return
	}
	if u.over {
		u.ended = k.bodyEnd(s)
		return
	}
	if u.paused && u.want > 0 {
		u.paused = false
		s.x.Stream.ResumeBody(s.x)
	}
}

// bodyEnd writes the BODYEND, with the trailer section if there is one.
func (k *link) bodyEnd(s *slot) bool {
	r := &s.x.Request
	if s.upload.reason != frame.ReasonComplete || len(r.Trailer) == 0 {
		return k.signal(s, frame.TypeBodyEnd, s.upload.reason)
	}
	size := frame.SizeBodyEnd(r)
	if size > frame.MaxFrame {
		// RFC 9110 section 6.5.1: a recipient may drop trailer fields; these are longer than any head.
		return k.signal(s, frame.TypeBodyEnd, s.upload.reason)
	}
	f := k.requests.Reserve(size)
	if f == nil {
		k.block(s)
		return false
	}
	frame.PutBodyEnd(f, k.head(s, frame.TypeBodyEnd), r)
	k.requests.Commit(size)
	return true
}

// sendBody writes BODY frames and returns what did not fit.
func (k *link) sendBody(s *slot, p []byte) []byte {
	u := &s.upload
	for len(p) > 0 && u.want > 0 {
		n := int(min(uint64(len(p)), frame.MaxChunk, u.want))
		size := frame.SizePiece(n)
		// A quarter of the ring stays free for requests: uploads must not hold them up.
		if k.requests.Free() < size+k.requests.Size()/4 {
			k.block(s)
			return p
		}
		frame.PutPiece(k.requests.Reserve(size), k.head(s, frame.TypeBody), p[:n])
		k.requests.Commit(size)
		u.want -= uint64(n)
		p = p[n:]
	}
	return p
}

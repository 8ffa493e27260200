package worker

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
)

const (
	// highWater is how much output of one client may be waiting for the kernel before its stream gets no more credit.
	highWater = 64 << 10
	// refillAt is how much must have been sent before credit is given back, so that a stream of small pieces does not
	// cost a CREDIT each.
	refillAt = frame.StreamWindow / 4

	// Bounds of the status that an application may answer with: interim responses are the engine's
	// (RFC 9110 section 15.2).
	minStatus = 200
	maxStatus = 999
)

// take handles one frame of the worker. An error means that the worker broke the rules.
func (k *link) take(f []byte) error {
	h := frame.ParseHead(f)
	switch h.Type {
	case frame.TypePad:
		return nil
	case frame.TypeResponse, frame.TypeStart, frame.TypeChunk, frame.TypeEnd, frame.TypeError, frame.TypeWant, frame.TypeCancelled,
		frame.TypeInform:
	default:
		return &frame.Error{Type: h.Type, What: "workers send no such frame"}
	}
	s := k.slots.find(h.Slot, h.Generation)
	if s == nil {
		k.lane.stale.Add(1)
		return nil
	}
	switch h.Type {
	case frame.TypeResponse:
		return k.response(s, f)
	case frame.TypeStart:
		return k.start(s, f)
	case frame.TypeChunk:
		return k.chunk(s, f)
	case frame.TypeEnd:
		return k.end(s, h, f)
	case frame.TypeInform:
		return k.inform(s, f)
	case frame.TypeError:
		return k.problem(s, f)
	case frame.TypeWant:
		n, err := frame.ParseSignal(f)
		if err == nil {
			k.want(s, n)
		}
		return err
	default: // TypeCancelled
		k.finishWith(s, k.lane.d.leaving)
		return nil
	}
}

// finishWith ends the slot's exchange with an error: answered, or cut off when the answer has started.
func (k *link) finishWith(s *slot, err *fault.Error) {
	started := s.phase == slotStarted
	x, done := k.disown(s)
	if x == nil {
		return
	}
	k.lane.finish()
	if started {
		done.Ended(x, err)
		x.Stream.Abort(x)
		return
	}
	done.Answered(x, err)
}

// response takes a whole answer.
func (k *link) response(s *slot, f []byte) error {
	r, err := frame.ParseResponse(f)
	if err != nil {
		return err
	}
	if s.phase != slotAsked {
		return &frame.Error{Type: frame.TypeResponse, What: "it comes after START"}
	}
	if s.x == nil {
		k.free(s)
		return nil
	}
	bad, err := k.fill(&s.x.Response, &r)
	if err != nil {
		return err
	}
	if bad != nil {
		k.finishWith(s, bad)
		return nil
	}
	x, done := k.disown(s)
	x.Response.Body = r.Body
	k.lane.finish()
	done.Answered(x, nil)
	return nil
}

// start takes the head of a streamed answer.
func (k *link) start(s *slot, f []byte) error {
	r, err := frame.ParseResponse(f)
	if err != nil {
		return err
	}
	if s.phase != slotAsked {
		return &frame.Error{Type: frame.TypeStart, What: "it comes twice"}
	}
	if s.x == nil {
		s.phase = slotStarted
		return nil
	}
	x, done := s.x, s.done
	bad, err := k.fill(&x.Response, &r)
	if err != nil {
		return err
	}
	s.phase = slotStarted
	s.stream = stream{window: frame.StreamWindow}
	if bad == nil {
		if done.Started(x) || s.x != x { // s.x differs when the client was found to be gone in Started
			return nil
		}
	} else {
		x.Receiver, x.Link = nil, message.Link{}
	}
	k.abandon(s, frame.ReasonGone)
	k.lane.finish()
	if bad != nil {
		done.Answered(x, bad)
	}
	return nil
}

// fill copies the head of r into the response. Bad is the answer instead when the application's head cannot be sent;
// err means that the frame is malformed. In both cases nothing of it is left there: the exchange gets another answer,
// maybe from another worker, and must not have this one's fields in it.
func (k *link) fill(dst *message.Response, r *frame.Response) (bad *fault.Error, err error) {
	if r.Status < minStatus || r.Status > maxStatus {
		return &fault.Error{Code: fault.InternalError, Cause: fmt.Errorf("the handler answered with the status %d", r.Status)}, nil
	}
	before := *dst // fields are only ever appended
	dst.Status, dst.Type, dst.Length = r.Status, r.Type, r.Length
	if r.Close {
		dst.Close = true
	}
	if bad, err = k.copyFields(r.Fields, (*message.Response).AddFieldBytes, dst); bad != nil || err != nil {
		*dst = before
	}
	return bad, err
}

// copyFields adds the fields of a frame to dst: see fill.
func (k *link) copyFields(from frame.Fields, add func(r *message.Response, name, value []byte) bool, dst *message.Response) (bad *fault.Error, err error) {
	if from.Count == 0 {
		return nil, nil
	}
	// The worker may change the bytes while they are checked, so the copy is what is checked and sent.
	k.lane.scratch = append(k.lane.scratch[:0], from.Block...)
	rest := k.lane.scratch
	for range from.Count {
		name, value, next, ok := frame.Next(rest)
		if !ok {
			return nil, &frame.Error{Type: frame.TypeResponse, What: "its fields are malformed"}
		}
		if !add(dst, name, value) {
			return &fault.Error{Code: fault.InternalError, Cause: fmt.Errorf("the handler's field %q: %q cannot be sent", name, value)}, nil
		}
		rest = next
	}
	if len(rest) > 0 {
		return nil, &frame.Error{Type: frame.TypeResponse, What: "more fields than it counts"}
	}
	return nil, nil
}

// chunk takes a piece of a streamed answer.
func (k *link) chunk(s *slot, f []byte) error {
	data, err := frame.ParsePiece(f)
	if err != nil {
		return err
	}
	if s.x == nil {
		return nil // it crossed the CANCEL
	}
	st := &s.stream
	if s.phase != slotStarted {
		return &frame.Error{Type: frame.TypeChunk, What: "it comes before START"}
	}
	if uint32(len(data)) > st.window {
		return &frame.Error{Type: frame.TypeChunk, What: "it is over the credit"}
	}
	st.window -= uint32(len(data))
	st.owed += uint32(len(data))
	x := s.x
	if pending := x.Stream.Write(x, data); pending > highWater {
		st.stalled = true
	}
	if s.x == x { // else the client was found to be gone
		k.refill(s)
	}
	return nil
}

// refill gives credit back for what the worker has sent, unless the client does not keep up.
func (k *link) refill(s *slot) {
	st := &s.stream
	if st.stalled || st.owed < refillAt {
		return
	}
	st.window += st.owed
	st.credit += st.owed
	st.owed = 0
	if k.signal(s, frame.TypeCredit, st.credit) {
		st.credit = 0
	}
}

// end takes the end of a streamed answer.
func (k *link) end(s *slot, h frame.Head, f []byte) error {
	fields, err := frame.ParseEnd(f)
	if err != nil {
		return err
	}
	if s.phase != slotStarted {
		if s.x == nil {
			k.free(s)
			return nil
		}
		return &frame.Error{Type: frame.TypeEnd, What: "it comes before START"}
	}
	if h.Flags&frame.FlagAborted != 0 {
		k.finishWith(s, &fault.Error{Code: fault.InternalError, Message: "the response was cut off"})
		return nil
	}
	if s.x != nil && fields.Count > 0 {
		if bad, err := k.copyFields(fields, (*message.Response).AddTrailerBytes, &s.x.Response); bad != nil || err != nil {
			if err == nil {
				k.finishWith(s, bad)
			}
			return err
		}
	}
	if x, done := k.disown(s); x != nil {
		k.lane.finish()
		done.Ended(x, nil)
		x.Stream.End(x)
	}
	return nil
}

// inform takes an interim response: early hints, while the handler goes on. What comes too late is dropped.
func (k *link) inform(s *slot, f []byte) error {
	r, err := frame.ParseResponse(f)
	if err != nil {
		return err
	}
	// RFC 9110 section 15.2: 100 and 101 are about the connection, which is the engine's.
	if r.Status <= http.StatusSwitchingProtocols || r.Status >= http.StatusOK {
		return &frame.Error{Type: frame.TypeInform, What: "its status is not that of an interim response"}
	}
	x := s.x
	if x == nil || s.phase != slotAsked {
		return nil
	}
	hint := &k.lane.hint
	hint.Reset()
	if bad, err := k.copyFields(r.Fields, (*message.Response).AddFieldBytes, hint); bad != nil || err != nil {
		return err // a hint that cannot be sent is not worth the answer
	}
	x.Response, *hint = *hint, x.Response
	x.Stream.Inform(x, r.Status)
	x.Response, *hint = *hint, x.Response
	return nil
}

// problem takes a structured error.
func (k *link) problem(s *slot, f []byte) error {
	p, err := frame.ParseError(f)
	if err != nil {
		return err
	}
	if s.x == nil {
		k.free(s)
		return nil
	}
	e, err := k.fault(&p)
	if err != nil {
		return err
	}
	k.finishWith(s, e)
	return nil
}

// fault copies an ERROR frame. Fields that cannot be sent are left out: an error must reach the client.
func (k *link) fault(p *frame.Problem) (*fault.Error, error) {
	if p.Status < 400 || p.Status > maxStatus {
		return &fault.Error{Code: fault.InternalError, Cause: fmt.Errorf("the handler failed with the status %d", p.Status)}, nil
	}
	e := &fault.Error{Code: fault.Code(p.Code), Status: p.Status, Message: string(p.Message)}
	if e.Code == "" {
		e.Code = fault.ForStatus(p.Status)
	}
	if details := append([]byte(nil), p.Details...); json.Valid(details) {
		e.Details = details
	}
	rest := append([]byte(nil), p.Fields.Block...)
	for range p.Fields.Count {
		name, value, next, ok := frame.Next(rest)
		if !ok {
			return nil, &frame.Error{Type: frame.TypeError, What: "its fields are malformed"}
		}
		e.Fields = append(e.Fields, [2]string{string(name), string(value)})
		rest = next
	}
	return e, nil
}

package engine

import (
	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/message"
)

// onHead takes a request head from the start of in and, when it is whole, begins the exchange.
func (s *session) onHead(in []byte) (n int, more bool) {
	x := s.sh.take()
	n, framing, err := s.parser.ParseHead(&s.sh.cfg.Limits, &x.Request, in)
	if n == 0 && err == nil {
		// A connection that sends its head slowly holds no exchange.
		s.sh.untake(x)
		if s.phase != phaseHead {
			s.enter(phaseHead)
		}
		return 0, false
	}
	s.own(x)
	if err != nil {
		s.refuse(err)
		return 0, true
	}
	s.served++
	s.sh.count.requests.Add(1)
	return s.begin(x, in, n, framing)
}

// own makes x the exchange in progress and fills in what does not come from the bytes of the request.
func (s *session) own(x *message.Exchange) {
	s.x = x
	s.in, s.out = inBody{}, outBody{}
	x.Stream = s
	x.Loop = s.loop.Index()
	x.Executor = s.loop
	s.sh.ids.put(&x.RequestID)
	x.Request.Remote, x.Request.Local = s.remote, s.local
}

// begin decides how the body of the request, whose head is in[:n], reaches the handler.
func (s *session) begin(x *message.Exchange, in []byte, n int, f h1.Framing) (used int, more bool) {
	r := &x.Request
	rest := in[n:]
	switch {
	case f == h1.Chunked:
		return s.beginChunked(x, in, n)
	case f == h1.NoBody || r.ContentLength == 0:
		r.BodyComplete = true
		s.in.done = true
		s.serve(x)
		return n, true
	}
	s.in.left = r.ContentLength
	switch {
	case r.ContentLength > int64(s.sh.cfg.MaxInline):
	case r.ContentLength <= int64(len(rest)):
		return s.serveWhole(x, rest[:r.ContentLength], n+int(r.ContentLength))
	case !r.ExpectContinue:
		// The spans of the head stay valid when it moves: see onSmallBody.
		s.in.head, s.in.seen = n, len(rest)
		s.in.pace.restart(s.loop.Now())
		s.in.problem = r.WantsProblem()
		s.in.moved = len(r.Head) == 0 || &r.Head[0] != &in[0]
		s.enter(phaseBody)
		return 0, false
	}
	// Too large, or the client waits for us to ask for it (RFC 9110 section 10.1.1).
	s.serve(x)
	return n, true
}

// serveWhole hands over a request with its whole body, a view of the input; used is the length of both there.
func (s *session) serveWhole(x *message.Exchange, body []byte, used int) (n int, more bool) {
	x.Request.Body, x.Request.BodyComplete = body, true
	s.in.done = true
	s.serve(x)
	return used, true
}

// onSmallBody waits until head and body are in the input. The transport keeps both together, but may move them.
func (s *session) onSmallBody(in []byte) (n int, more bool) {
	x := s.x
	r := &x.Request
	whole := s.in.head + int(s.in.left)
	if len(in) < whole {
		come := len(in) - s.in.head - s.in.seen
		s.in.seen += come
		if s.tooSlow(come) {
			s.refuse(s.errTooSlow())
			return 0, true
		}
		s.arm(byInput, s.sh.patience[phaseBody])
		return 0, false
	}
	if !s.in.moved {
		r.Head = in[:len(r.Head):len(r.Head)]
	}
	return s.serveWhole(x, in[s.in.head:whole], whole)
}

// errBodyCut says that the client closed its sending side before the end of the body (RFC 9112 section 8).
func errBodyCut() *fault.Error {
	return fault.New(fault.BadRequest, "the request body ended before its declared end")
}

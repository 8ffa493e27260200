package engine

import (
	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// maxKeptBody bounds the scratch memory for error bodies.
const maxKeptBody = 16 << 10

// refuse answers a request that the handler will not see, and ends the connection: where the next request would
// begin is not known.
func (s *session) refuse(e *fault.Error) {
	if s.x == nil { // a head that has not come to its end
		s.own(s.sh.take())
	}
	s.sh.count.refused.Add(1)
	s.fail(s.x, e)
}

// bug ends an exchange whose handler broke the contract: with 500 when the response has not been started.
func (s *session) bug(x *message.Exchange, what string) {
	s.sh.count.bugs.Add(1)
	s.sh.cfg.Logger.Error(what, "method", x.Request.Method.String(), "status", x.Response.Status)
	if s.out.started {
		s.cut()
		return
	}
	s.fail(x, fault.New(fault.InternalError, ""))
}

// fail responds with the structured body of e and closes the connection.
func (s *session) fail(x *message.Exchange, e *fault.Error) {
	r := &x.Response
	r.Reset()
	r.Status = e.HTTPStatus()
	r.Close = true
	for _, f := range e.Fields {
		r.AddField(f[0], f[1])
	}
	// In the form that the client asks for, as far as its head was understood; a HEAD gets none of it.
	problem := s.in.problem
	if s.phase != phaseBody {
		problem = x.Request.WantsProblem()
	}
	if problem {
		r.Type = message.ContentProblem
		s.sh.body = fault.AppendProblem(s.sh.body[:0], e, x.RequestID)
	} else {
		r.Type = message.ContentJSON
		s.sh.body = fault.AppendBody(s.sh.body[:0], e, x.RequestID, s.sh.cfg.Wall())
	}
	r.Body = s.sh.body
	s.writeWhole(x)
	s.finish()
	if cap(s.sh.body) > maxKeptBody {
		s.sh.body = nil
	}
}

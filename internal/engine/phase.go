package engine

import (
	"time"

	"github.com/covetpy/covet/fault"
)

// phase is what a connection waits for. The picture is in doc.go.
type phase uint8

const (
	// phaseFirst: accepted, no byte has come.
	phaseFirst phase = iota
	// phaseIdle: between two requests; no byte of the next has come.
	phaseIdle
	// phaseHead: a part of a head is there.
	phaseHead
	// phaseBody: the head and a part of a body that the handler gets whole.
	phaseBody
	// phaseExchange: the handler has the request; the rest of its body may be on its way.
	phaseExchange
	// phaseDiscard: the response has been sent, the rest of the request body is thrown away.
	phaseDiscard
	// phaseUpgraded: the connection has been handed over to another protocol: see upgrade.go.
	phaseUpgraded
	// phaseLinger: our last byte has been sent; input is thrown away so that the client can read it.
	phaseLinger
	// phaseClosing: the connection is closed, its output is still leaving.
	phaseClosing
	// phaseClosed: the transport has said Closed.
	phaseClosed

	phaseCount
)

// rule is one line of the table of deadlines for input.
type rule struct {
	// limit is how long the phase may last, or in body and exchange may go without a byte; 0 for ever.
	limit func(*Config) time.Duration
	// expire is what happens when that has passed.
	expire func(*session)
}

func none(*Config) time.Duration { return 0 }

// rules returns the table of deadlines for input, by phase. A phase without expire has none.
func rules() [phaseCount]rule {
	return [phaseCount]rule{
		phaseFirst: {func(c *Config) time.Duration { return c.HeadTimeout }, (*session).expireQuiet},
		phaseIdle:  {func(c *Config) time.Duration { return c.IdleTimeout }, (*session).expireQuiet},
		phaseHead:  {func(c *Config) time.Duration { return c.HeadTimeout }, (*session).expireRequest},
		phaseBody:  {func(c *Config) time.Duration { return c.BodyTimeout }, (*session).expireRequest},
		// Only while the receiver wants the body, or after the client has closed its sending side.
		phaseExchange: {func(c *Config) time.Duration { return c.BodyTimeout }, (*session).expireStream},
		phaseDiscard:  {func(c *Config) time.Duration { return c.LingerTimeout }, (*session).expireLinger},
		phaseUpgraded: {none, nil},
		// From the moment our output has left.
		phaseLinger:  {func(c *Config) time.Duration { return c.LingerTimeout }, (*session).expireLinger},
		phaseClosing: {none, nil},
		phaseClosed:  {none, nil},
	}
}

// expireQuiet ends a connection on which nothing has begun: there is nobody to answer.
func (s *session) expireQuiet() {
	if s.choked || s.conn.Pending() > 0 && !s.sh.drain.active {
		s.enter(s.phase) // it is not idle: it reads the last response slowly, which WriteTimeout bounds
		return
	}
	s.sh.count.idleTimeouts.Add(1)
	s.close()
}

// expireRequest answers 408 for a request that did not arrive in time (RFC 9110 section 15.5.9).
func (s *session) expireRequest() {
	s.sh.count.readTimeouts.Add(1)
	if s.phase == phaseHead {
		s.refuse(fault.New(fault.RequestTimeout, "the request head did not arrive within "+s.sh.cfg.HeadTimeout.String()))
		return
	}
	s.refuse(fault.New(fault.RequestTimeout, "nothing of the request body arrived within "+s.sh.cfg.BodyTimeout.String()))
}

// expireStream tells the receiver that the rest of the body will not come; it still responds. When the client has
// closed its sending side and the response has not begun, or has made no progress, it counts as gone.
func (s *session) expireStream() {
	if s.eof {
		if s.out.started && s.written != s.sentAtLook {
			// A download to a client that closed its side early: it goes on as long as there is something to send.
			s.sentAtLook = s.written
			s.arm(byInput, s.sh.cfg.HalfCloseTimeout)
			return
		}
		s.close()
		return
	}
	if s.in.wanted && !s.in.done {
		s.sh.count.readTimeouts.Add(1)
		s.failBody(fault.New(fault.RequestTimeout, "nothing of the request body arrived within "+s.sh.cfg.BodyTimeout.String()))
	}
}

// expireLinger ends a connection that was only kept for the client to read our last response.
func (s *session) expireLinger() { s.close() }

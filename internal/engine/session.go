package engine

import (
	"fmt"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
)

// session is one HTTP/1.1 connection. It is a transport.Session for the loop below, a message.Stream for the handler
// above and a clock.Firer for its timer. Everything happens on its loop.
//
// The concerns have their own files: head.go and body.go what is read, stream.go and answer.go what is written,
// linger.go the end, phase.go and timer.go the deadlines.
type session struct {
	sh   *shard
	conn transport.Conn
	loop transport.Loop

	timer clock.Timer
	by    [deadlineCount]clock.Instant

	phase phase
	// paused says that Conn.Pause was called: there may be unread input, and neither Data nor EOF will be called.
	paused bool
	// eof says that the client has closed its sending side.
	eof bool
	// choked says that no further request is begun until the client has taken the output there is.
	choked bool
	// yielded says that input waits for the next turn only because this one had enough of it.
	yielded bool
	// posted says that task is in the loop's mailbox.
	posted bool

	served int // requests on this connection

	// x is the exchange in progress: from the first byte of a head to the end of its response.
	x   *message.Exchange
	in  inBody
	out outBody

	// tunnel and next are the two sides of what took the connection over: see upgrade.go.
	tunnel *tunnel
	next   message.Session

	// answerIn is the time until the response must have started, counted from the end of Serve.
	answerIn time.Duration

	parser h1.Parser
	chunks h1.Chunks

	// Progress of output: see timer.go.
	written, reached uint64
	strikes          uint8
	based            bool // reached has been looked at

	// sentAtLook is written at the last look at the progress of a response to a client that has closed its side.
	sentAtLook uint64

	lingered int // bytes thrown away after the last response

	links         links
	task          mailbox.Task
	remote, local netip.AddrPort
}

var (
	_ transport.Session = (*session)(nil)
	_ message.Stream    = (*session)(nil)
	_ clock.Firer       = (*session)(nil)
)

// Data implements transport.Session.
func (s *session) Data(in []byte) (consumed int) {
	for left := maxBatch; ; left-- {
		rest := in[consumed:]
		n, more := 0, false
		switch s.phase {
		case phaseFirst, phaseIdle, phaseHead:
			if len(rest) == 0 {
				return consumed
			}
			if s.conn.Pending() > highWater {
				s.choked = true
				break
			}
			if left <= 0 {
				s.yielded = true
				s.wake()
				break
			}
			n, more = s.onHead(rest)
		case phaseBody:
			n, more = s.onSmallBody(rest)
		case phaseExchange:
			n, more = s.onStream(rest)
		case phaseDiscard:
			n, more = s.onDiscard(rest)
		case phaseUpgraded:
			// What is left unread waits for more of it, or for Resume: the transport stops reading at its own bound.
			return consumed + s.onUpgraded(rest)
		case phaseLinger:
			n = s.onLinger(rest)
		default:
			return len(in)
		}
		consumed += n
		if !more {
			break
		}
	}
	s.hold(len(in) - consumed)
	return consumed
}

// hold stops reading while unread bytes wait for something that more input would not bring on. Where nothing waits
// the transport goes on reading: stopping and starting for every request would cost more than the few bytes that it
// reads too early, and a client that resets the connection is noticed.
func (s *session) hold(unread int) {
	if unread == 0 || s.paused {
		return
	}
	switch s.phase {
	case phaseExchange:
		if s.in.wanted && !s.in.done {
			return // the rest of a chunk's head is awaited
		}
	case phaseLinger:
	case phaseFirst, phaseIdle, phaseHead:
		if !s.choked && !s.yielded {
			return
		}
	default:
		return
	}
	s.paused = true
	s.conn.Pause()
}

// release lets input come again.
func (s *session) release() {
	if s.paused && !s.choked && !s.yielded && (s.tunnel == nil || !s.tunnel.paused) {
		s.paused = false
		s.conn.Resume()
	}
}

// EOF implements transport.Session.
func (s *session) EOF() {
	s.eof = true
	switch s.phase {
	case phaseBody:
		// RFC 9112 section 8: an incomplete request may be answered before the connection is closed.
		s.refuse(errBodyCut())
	case phaseExchange:
		// The client may have closed its sending side only, and wait for the response; or it has left. Nothing tells
		// the two apart, so the response gets a little time: see Config.HalfCloseTimeout.
		if s.in.wanted && !s.in.done {
			s.failBody(errBodyCut())
		}
		if s.phase == phaseExchange {
			s.sentAtLook = s.written
			s.arm(byInput, s.sh.cfg.HalfCloseTimeout)
		}
	case phaseUpgraded:
		s.next.EOF()
	case phaseClosing, phaseClosed:
	default:
		s.close()
	}
}

// Drained implements transport.Session.
func (s *session) Drained() {
	s.by[byOutput] = 0
	if x := s.x; s.out.owed && s.phase == phaseExchange {
		s.out.owed = false
		if x.Receiver != nil {
			x.Receiver.Drained(x)
		}
	}
	if s.choked {
		s.choked = false
		s.release()
	}
	if s.phase == phaseUpgraded && s.next != nil {
		s.next.Drained()
		return
	}
	s.lingerFromNow()
}

// Closed implements transport.Session.
func (s *session) Closed(err error) {
	s.phase = phaseClosed
	s.loop.Unschedule(&s.timer)
	s.lose()
	s.closeTunnel(err)
	s.links.remove()
	s.sh.count.open.Add(-1)
	sh := s.sh
	if !s.posted {
		s.recycle()
	}
	sh.drain.closedOne()
}

// recycle makes s ready for the next connection and gives it to the pool.
func (s *session) recycle() {
	sh := s.sh
	s.parser.Reset()
	*s = session{sh: sh, parser: s.parser, timer: s.timer, task: s.task, links: s.links}
	sh.sessions.give(s)
}

// lose ends the exchange in progress, if any, because the client is gone.
func (s *session) lose() {
	x := s.x
	if x == nil {
		return
	}
	s.x = nil // from here on the methods of Stream do nothing for x
	if s.in.served && x.Receiver != nil {
		s.sh.count.gone.Add(1)
		x.Receiver.Gone(x)
		s.sh.drop(x)
		return
	}
	s.sh.give(x)
}

// wakeUp is the session as the task that it posts to its own loop.
type wakeUp session

// Run implements mailbox.Runner.
func (w *wakeUp) Run() {
	s := (*session)(w)
	s.posted = false
	if s.phase == phaseClosed {
		s.recycle()
		return
	}
	s.yielded = false
	// The end of the input may have come while nobody wanted the body.
	if s.phase == phaseExchange && s.eof && s.in.wanted && !s.in.done {
		s.failBody(errBodyCut())
	}
	if s.phase != phaseExchange || s.in.wanted {
		s.release()
	}
}

// wake posts the session to its loop, for what must not happen inside the present call.
func (s *session) wake() {
	if !s.posted {
		s.posted = true
		s.loop.Post(&s.task)
	}
}

// serve calls the handler, and sees to it that the exchange ends whatever the handler does.
func (s *session) serve(x *message.Exchange) {
	s.in.served = true
	s.phase = phaseExchange
	s.by[byInput] = 0
	s.answerIn = s.sh.cfg.HandlerTimeout
	s.call(x)
	if s.x != x {
		return // answered, as usual
	}
	if x.Receiver == nil {
		s.bug(x, "handler returned without a response and without a receiver")
		return
	}
	if !s.out.started {
		s.arm(byAnswer, s.answerIn)
	}
}

// call is Handler.Serve behind a recover: a panic on a loop would end every connection of the process.
func (s *session) call(x *message.Exchange) {
	defer func() {
		if p := recover(); p != nil {
			s.sh.cfg.Logger.Error("handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if s.x == x {
				x.Receiver = nil // answered as a bug by serve
			}
		}
	}()
	s.sh.handler.Serve(x)
}

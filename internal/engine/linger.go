package engine

import "github.com/covetpy/covet/internal/clock"

// This file is the end of a connection.

// part ends the connection after its last response. With linger the client may still be sending: closing at once
// would answer that with a reset, which can destroy the response before the client has read it. So our direction is
// closed and input is thrown away for a while (RFC 9112 section 9.6).
func (s *session) part(linger bool) {
	if !linger || s.eof || s.sh.cfg.LingerTimeout == 0 {
		s.close()
		return
	}
	s.phase = phaseLinger
	s.by[byInput] = 0
	s.lingered = 0
	s.choked, s.yielded = false, false
	s.conn.CloseWrite()
	if s.conn.Pending() == 0 {
		s.lingerFromNow()
	}
	s.release()
}

// lingerFromNow starts the time for lingering, when the output has left: until then WriteTimeout bounds it.
func (s *session) lingerFromNow() {
	if s.phase == phaseLinger && s.by[byInput] == 0 {
		s.enter(phaseLinger)
	}
}

// onLinger throws input away. After too much of it the client has to wait, until the time is over.
func (s *session) onLinger(in []byte) (n int) {
	if s.lingered >= maxLinger {
		return 0
	}
	s.lingered += len(in)
	return len(in)
}

// close closes the connection when its output has left; WriteTimeout bounds that.
func (s *session) close() {
	if s.phase >= phaseClosing {
		return
	}
	s.phase = phaseClosing
	s.by[byInput], s.by[byAnswer] = 0, 0
	s.lose()
	s.conn.Close()
}

// abort closes the connection now.
func (s *session) abort() {
	s.phase = phaseClosing
	s.by = [deadlineCount]clock.Instant{}
	s.lose()
	s.conn.Abort()
}

// kill aborts a connection whose client has to be given up.
func (s *session) kill() {
	if s.phase < phaseClosed {
		s.abort()
	}
}

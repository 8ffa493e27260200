package engine

import (
	"time"

	"github.com/covetpy/covet/internal/clock"
)

// deadline names what a session may wait for at the same time.
type deadline uint8

const (
	// byInput: the client sends: see the table in phase.go.
	byInput deadline = iota
	// byOutput: the next look at whether the client takes output.
	byOutput
	// byAnswer: the handler starts its response.
	byAnswer

	deadlineCount
)

// looks is how often within WriteTimeout the progress of output is looked at: the timeout is at most 2/looks late.
const looks = 4

// arm sets deadline k to d from now; d of 0 takes it away.
//
// The timer is only touched when the new deadline is earlier than what it is armed for. One that moved later, as the
// idle deadline does with each request, is found when the timer fires: so a busy connection costs a timer operation
// every few seconds, not every request.
func (s *session) arm(k deadline, d time.Duration) {
	if d <= 0 {
		s.by[k] = 0
		return
	}
	at := s.loop.Now().Add(d)
	s.by[k] = at
	if !s.timer.Armed() || at < s.timer.At() {
		s.loop.Schedule(&s.timer, at)
	}
}

// enter moves the session to phase p and starts its clock.
func (s *session) enter(p phase) {
	s.phase = p
	s.arm(byInput, s.sh.patience[p])
}

// Fire implements clock.Firer.
func (s *session) Fire() {
	now := s.loop.Now()
	for k := range deadlineCount {
		if at := s.by[k]; at == 0 || at > now {
			continue
		}
		s.by[k] = 0
		switch k {
		case byInput:
			if expire := s.sh.rules[s.phase].expire; expire != nil {
				expire(s)
			}
		case byOutput:
			s.lookAtOutput()
		case byAnswer:
			s.expireAnswer()
		}
		if s.phase == phaseClosed {
			return
		}
	}
	var next clock.Instant
	for _, at := range s.by {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if next != 0 {
		s.loop.Schedule(&s.timer, next)
	}
}

// watchOutput begins to look at the progress of output, if nobody does.
func (s *session) watchOutput() {
	if s.by[byOutput] == 0 {
		s.strikes, s.based = 0, false
		s.arm(byOutput, s.sh.cfg.WriteTimeout/looks)
	}
}

// lookAtOutput ends a connection whose client has taken nothing for WriteTimeout, or less than MinRate asks for: one
// that opens its window by a byte now and then must not hold a response for ever.
func (s *session) lookAtOutput() {
	pending := s.conn.Pending()
	if pending == 0 {
		s.lingerFromNow()
		return
	}
	// What counts has reached the client: the kernel takes megabytes ahead of it, and then for minutes nothing.
	reached := s.written - min(s.written, uint64(pending)+uint64(s.conn.Unacknowledged()))
	enough := max(1, atLeast(s.sh.cfg.MinRate, time.Duration(s.strikes+1)*s.sh.cfg.WriteTimeout/looks))
	if !s.based || reached >= s.reached+uint64(enough) {
		// The first look only says where the client stands: asking at each response would cost every one of them.
		s.reached, s.based, s.strikes = reached, true, 0
	} else if s.strikes++; s.strikes >= looks {
		s.sh.count.writeTimeouts.Add(1)
		s.kill()
		return
	}
	s.arm(byOutput, s.sh.cfg.WriteTimeout/looks)
}

// expireAnswer tells the receiver that it is late.
func (s *session) expireAnswer() {
	if x := s.x; s.phase == phaseExchange && x != nil && !s.out.started && x.Receiver != nil {
		s.sh.count.handlerTimeouts.Add(1)
		x.Receiver.Expired(x)
	}
}

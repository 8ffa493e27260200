package engine

import (
	"strconv"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/clock"
)

// paceWindow is the least time over which the rate of a client is averaged: a round trip lost here and there, or a
// request that is typed by hand, is no attack.
const paceWindow = 5 * time.Second

// pace measures how fast a request body arrives. Silence has its own bound, BodyTimeout, so looking at the rate when
// bytes arrive is enough: a client that sends one in every BodyTimeout is found by its second.
type pace struct {
	since clock.Instant
	got   int64
}

// restart begins a window: the body is wanted from now on.
func (p *pace) restart(now clock.Instant) { p.since, p.got = now, 0 }

// slow counts n bytes that have come, and reports whether they came more slowly than rate bytes a second. A window that
// was fast enough is followed by another: what came quickly at first buys nothing later.
func (p *pace) slow(n int, now clock.Instant, rate int64) bool {
	p.got += int64(n)
	elapsed := now.Sub(p.since)
	if rate <= 0 || elapsed < paceWindow {
		return false
	}
	if p.got < atLeast(rate, elapsed) {
		return true
	}
	p.restart(now)
	return false
}

// atLeast is how many bytes are expected in d at rate bytes a second.
func atLeast(rate int64, d time.Duration) int64 { return rate * d.Milliseconds() / 1000 }

// tooSlow reports whether the body of the exchange in progress arrives too slowly, with the n bytes that have just
// come. While the handler is already answering it may be talking with the client: then only silence counts.
func (s *session) tooSlow(n int) bool {
	return s.in.pace.slow(n, s.loop.Now(), s.sh.cfg.MinRate) && !s.out.started
}

// errTooSlow names the limit that the client has fallen below.
func (s *session) errTooSlow() *fault.Error {
	s.sh.count.readTimeouts.Add(1)
	return fault.New(fault.RequestTimeout, "the request body arrives more slowly than "+
		strconv.FormatInt(s.sh.cfg.MinRate, 10)+" bytes a second")
}

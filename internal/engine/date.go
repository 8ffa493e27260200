package engine

import (
	"time"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/h1"
)

// date caches the value of the Date field (RFC 9110 section 6.6.1), so that the wall clock is read and formatted
// once a second.
type date struct {
	wall  func() time.Time
	until clock.Instant // text is right before this instant
	text  []byte
}

// at returns the value for the instant now. It is valid until the next call.
func (d *date) at(now clock.Instant) []byte {
	if now >= d.until || d.text == nil {
		t := d.wall()
		d.text = h1.AppendDate(d.text[:0], t)
		d.until = now.Add(time.Second - time.Duration(t.Nanosecond()))
	}
	return d.text
}

// Package clock provides coarse time for loops: a monotonic instant that is read once a turn, and a timer wheel
// whose timers are fields of the things they time, so that arming one costs no allocation.
//
// A [Wheel] belongs to one loop and is used on its goroutine only.
package clock

import "time"

// Instant is a moment of the monotonic clock, in nanoseconds since an arbitrary start of the process.
type Instant int64

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

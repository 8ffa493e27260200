package worker

import "golang.org/x/sys/unix"

// monotonic is the clock of ring.RegionBusySince, in nanoseconds.
func monotonic() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0 // cannot fail with this clock
	}
	return ts.Nano()
}

package host

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Batch asks for the scheduling policy SCHED_BATCH for the calling thread, and for threads that it will start. A thread
// that wakes up under it does not interrupt the one that runs, so work arrives in larger batches. It needs no
// privilege. The caller is locked to its thread.
func Batch() error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("scheduling policy batch: %w", err)
	}
	return nil
}

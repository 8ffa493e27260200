package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// batchPasses bounds the looks for threads that were started during the look before: one is nearly always enough.
const batchPasses = 8

// Batch asks for the scheduling policy SCHED_BATCH for every thread of this process, and so for the threads and
// processes that they will start. A thread that wakes up under it does not interrupt the one that runs, so work
// arrives in larger batches. It needs no privilege.
//
// It is the whole process because a goroutine that is not locked to its thread, such as the loop of epoll, moves from
// one to another: see docs/internals/crossing.md.
func Batch() error {
	done := make(map[int]bool)
	for range batchPasses {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("scheduling policy batch: %w", err)
		}
		found := false
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || done[id] {
				continue
			}
			done[id], found = true, true
			attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH}
			if err := unix.SchedSetAttr(id, &attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("scheduling policy batch: %w", err)
			}
		}
		if !found {
			break // every thread that there is has the policy, and gives it to those that it starts
		}
	}
	return nil
}

package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// policyPasses bounds the looks for threads that were started during the look before: one is nearly always enough.
const policyPasses = 8

// Batch asks for the scheduling policy SCHED_BATCH for every thread of this process, and so for the threads and
// processes that they will start. A thread that wakes up under it does not interrupt the one that runs, so work
// arrives in larger batches. It needs no privilege.
//
// It is the whole process because a goroutine that is not locked to its thread, such as the loop of epoll, moves from
// one to another: see docs/internals/crossing.md.
func Batch() error { return setPolicy(unix.SCHED_BATCH) }

// Ordinary takes [Batch] back: the policy is SCHED_OTHER.
func Ordinary() error { return setPolicy(unix.SCHED_NORMAL) }

func setPolicy(policy uint32) error {
	done := make(map[int]bool)
	for range policyPasses {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("scheduling policy: %w", err)
		}
		found := false
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || done[id] {
				continue
			}
			done[id], found = true, true
			attr, err := unix.SchedGetAttr(id, 0)
			if err != nil {
				continue // the thread has ended
			}
			if attr.Policy != unix.SCHED_NORMAL && attr.Policy != unix.SCHED_BATCH {
				continue // somebody has given it another on purpose
			}
			attr.Policy = policy // its nice value stays
			if err := unix.SchedSetAttr(id, attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("scheduling policy: %w", err)
			}
		}
		if !found {
			break // every thread that there is has the policy, and gives it to those that it starts
		}
	}
	return nil
}

// processTime is the processor time that this process has used.
func processTime() (time.Duration, bool) {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}

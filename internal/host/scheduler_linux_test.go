package host

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// policies returns the scheduling policy of every thread of this process.
func policies(t *testing.T) map[int]uint32 {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[int]uint32)
	for _, e := range threads {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if err != nil {
			continue // the thread has ended
		}
		found[id] = attr.Policy
	}
	return found
}

// lockedThreads starts n goroutines, each with a thread of its own, and returns when they run.
func lockedThreads(n int, until <-chan struct{}) {
	running := make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
			running <- struct{}{}
			<-until
		}()
	}
	for range n {
		<-running
	}
}

func TestBatchHoldsForThreadsBeforeAndAfter(t *testing.T) {
	until := make(chan struct{})
	defer close(until)
	lockedThreads(4, until)
	if err := Batch(); err != nil {
		t.Fatal(err)
	}
	lockedThreads(4, until)
	found := policies(t)
	if len(found) < 8 {
		t.Fatalf("%d threads, want those of 8 locked goroutines at least", len(found))
	}
	for id, policy := range found {
		if policy != unix.SCHED_BATCH {
			t.Errorf("thread %d has policy %d, want %d", id, policy, unix.SCHED_BATCH)
		}
	}
	if err := Ordinary(); err != nil {
		t.Fatal(err)
	}
	for id, policy := range policies(t) {
		if policy != unix.SCHED_NORMAL {
			t.Errorf("thread %d has policy %d after Ordinary, want %d", id, policy, unix.SCHED_NORMAL)
		}
	}
}

func TestProcessTimeGrows(t *testing.T) {
	before, ok := processTime()
	for ok && before == now(t) { // until the clock of processor time has ticked
	}
	if !ok {
		t.Error("Linux does not tell")
	}
}

func now(t *testing.T) time.Duration {
	t.Helper()
	d, _ := processTime()
	return d
}

// Package mailbox provides the queue by which any goroutine hands work to the one goroutine that owns a loop.
//
// The queue is intrusive: a [Task] is a field of the thing that is to be worked on, so that posting allocates
// nothing. A Task belongs to the poster until Post and to the mailbox until its Run begins; posting it again
// before that is a bug of the caller.
package mailbox

import "sync/atomic"

// Runner is what a Task runs, on the goroutine that takes from the mailbox. Run must not block.
type Runner interface{ Run() }

// Task is one unit of posted work. The zero Task is not usable: set Do first.
type Task struct {
	// Do runs when the Task is taken. It may post the same Task again.
	Do   Runner
	next *Task
}

// Executor runs tasks on the goroutine it stands for. Every transport loop is one.
type Executor interface {
	// Post may be called from any goroutine; it never blocks and wakes the executor when it sleeps.
	Post(t *Task)
}

// Mailbox is an unbounded lock-free queue with many producers and one consumer. It is bounded in practice by the
// number of exchanges, because each of them holds one Task.
//
// The zero Mailbox is empty and ready for use.
type Mailbox struct {
	head atomic.Pointer[Task]
}

// Push adds t and reports whether the mailbox was empty before: only then does the consumer need to be woken.
func (m *Mailbox) Push(t *Task) (first bool) {
	for {
		old := m.head.Load()
		t.next = old
		if m.head.CompareAndSwap(old, t) {
			return old == nil
		}
	}
}

// Empty reports whether nothing is waiting. Only the consumer may rely on the answer "not empty".
func (m *Mailbox) Empty() bool { return m.head.Load() == nil }

// Drain takes everything that was pushed and runs it in the order of the pushes, on the calling goroutine.
// It returns how many tasks ran. What the tasks push themselves waits for the next Drain.
func (m *Mailbox) Drain() int {
	list := m.head.Swap(nil)
	var first *Task
	for list != nil {
		next := list.next
		list.next = first
		first, list = list, next
	}
	n := 0
	for first != nil {
		t := first
		first, t.next = t.next, nil
		t.Do.Run()
		n++
	}
	return n
}

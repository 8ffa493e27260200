package transporttest

import (
	"sync"
	"testing"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

func postOrder(t *testing.T, newGroup NewGroup) {
	const posters, each = 8, 3000
	h := start(t, newGroup, transport.Config{Loops: 2})
	for _, l := range h.group.Loops() {
		last := make([]int, posters) // the loop's: no lock, the race detector watches
		ran := 0
		done := make(chan struct{})
		var wg sync.WaitGroup
		for k := range posters {
			wg.Go(func() {
				for i := 1; i <= each; i++ {
					post(l, func() {
						if last[k] != i-1 {
							t.Errorf("poster %d: task %d ran after task %d", k, i, last[k])
						}
						last[k] = i
						if ran++; ran == posters*each {
							close(done)
						}
					})
				}
			})
		}
		wg.Wait()
		within(t, done, "every task runs")
	}
}

// rounds is how often a race between sleeping and waking is tried.
func rounds(n int) int {
	if testing.Short() || raceEnabled {
		return n / 10
	}
	return n
}

// ping is a task that tells when it ran.
type ping struct {
	task mailbox.Task
	ran  chan struct{}
}

// Run implements mailbox.Runner.
func (p *ping) Run() { p.ran <- struct{}{} }

func postWakes(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	p := &ping{ran: make(chan struct{}, 1)}
	p.task.Do = p
	for range rounds(50_000) {
		l.Post(&p.task)
		within(t, p.ran, "a task wakes the loop")
	}
}

func taskPostsItself(t *testing.T, newGroup NewGroup) {
	const times = 1000
	h := start(t, newGroup, transport.Config{})
	l := h.group.Loops()[0]
	other := dial(t, h.serve(echo(t)))
	done := make(chan struct{})
	n, inside := 0, false
	var task mailbox.Task
	task.Do = taskFunc(func() {
		if inside {
			t.Error("a task ran inside another")
		}
		inside = true
		defer func() { inside = false }()
		if n++; n == times {
			close(done)
			return
		}
		l.Post(&task)
	})
	l.Post(&task)
	settle(other) // sockets are served between the tasks
	within(t, done, "a task that posts itself runs again")
}

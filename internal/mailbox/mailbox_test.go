package mailbox

import (
	"sync"
	"testing"
)

type note struct {
	task   Task
	from   int
	number int
	taken  func(*note)
}

func (n *note) Run() { n.taken(n) }

func newNote(from, number int, taken func(*note)) *note {
	n := &note{from: from, number: number, taken: taken}
	n.task.Do = n
	return n
}

func TestOrderAndFirst(t *testing.T) {
	var m Mailbox
	var got []int
	for i := range 5 {
		first := m.Push(&newNote(0, i, func(n *note) { got = append(got, n.number) }).task)
		if first != (i == 0) {
			t.Errorf("push %d: first is %v", i, first)
		}
	}
	if m.Empty() || m.Drain() != 5 || !m.Empty() || m.Drain() != 0 {
		t.Error("drain did not take everything once")
	}
	for i, n := range got {
		if n != i {
			t.Fatalf("order %v", got)
		}
	}
}

// What a task posts, itself included, waits for the next drain: a drain always ends.
func TestPostFromTask(t *testing.T) {
	var m Mailbox
	runs := 0
	n := newNote(0, 0, nil)
	n.taken = func(n *note) {
		runs++
		m.Push(&n.task)
	}
	m.Push(&n.task)
	for i := 1; i <= 3; i++ {
		if m.Drain() != 1 || runs != i {
			t.Fatalf("round %d: %d runs", i, runs)
		}
	}
}

// Many producers: nothing is lost, and the order of each producer is kept.
func TestManyProducers(t *testing.T) {
	const producers, each = 8, 5000
	var m Mailbox
	wake := make(chan struct{}, 1)
	last := make([]int, producers)
	for i := range last {
		last[i] = -1
	}
	total := 0
	taken := func(n *note) {
		if n.number != last[n.from]+1 {
			t.Errorf("producer %d: %d after %d", n.from, n.number, last[n.from])
		}
		last[n.from] = n.number
		total++
	}
	var wg sync.WaitGroup
	for p := range producers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				if m.Push(&newNote(p, i, taken).task) {
					select {
					case wake <- struct{}{}:
					default:
					}
				}
			}
		}()
	}
	for total < producers*each {
		<-wake
		m.Drain()
	}
	wg.Wait()
}

package worker

import (
	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/message"
)

// pending is the exchanges of one loop that no worker could take yet, in their order. Its memory is kept, so that it
// allocates only while it grows beyond what it ever held.
type pending struct {
	entries    []waiting
	free       []uint32
	head, tail int32 // -1 for none
	count      int
}

// waiting is one exchange in the queue.
type waiting struct {
	job
	until      clock.Instant
	prev, next int32
}

// job is an exchange with what is needed to dispatch it.
type job struct {
	x       *message.Exchange
	done    Completion
	params  []message.Span
	route   uint16
	retried bool // it was with a worker that was lost
}

func (p *pending) init() { p.head, p.tail = -1, -1 }

// push appends j, whose params are copied, and returns its place.
func (p *pending) push(j job, until clock.Instant) uint32 {
	if len(p.free) == 0 {
		p.entries = append(p.entries, waiting{})
		p.free = append(p.free, uint32(len(p.entries)-1))
	}
	at := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	e := &p.entries[at]
	params := append(e.params[:0], j.params...)
	*e = waiting{job: j, until: until, prev: p.tail, next: -1}
	e.params = params
	if p.tail >= 0 {
		p.entries[p.tail].next = int32(at)
	} else {
		p.head = int32(at)
	}
	p.tail = int32(at)
	p.count++
	return at
}

// first is the exchange that has waited longest, nil if there is none.
func (p *pending) first() *waiting {
	if p.head < 0 {
		return nil
	}
	return &p.entries[p.head]
}

// holds reports whether x waits at that place.
func (p *pending) holds(at uint32, x *message.Exchange) bool {
	return at < uint32(len(p.entries)) && p.entries[at].x == x
}

// remove takes the entry at that place out; its params stay valid until the next push.
func (p *pending) remove(at uint32) job {
	e := &p.entries[at]
	j := e.job
	if e.prev >= 0 {
		p.entries[e.prev].next = e.next
	} else {
		p.head = e.next
	}
	if e.next >= 0 {
		p.entries[e.next].prev = e.prev
	} else {
		p.tail = e.prev
	}
	e.x, e.done = nil, nil
	p.free = append(p.free, at)
	p.count--
	return j
}

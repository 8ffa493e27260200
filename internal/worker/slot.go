package worker

import (
	"github.com/covetpy/covet/internal/message"
)

// phase is where a slot stands.
type phase uint8

const (
	slotFree    phase = iota
	slotAsked         // the request was sent
	slotStarted       // the head of a streamed answer has come
)

// slot is the place of one exchange on a link. It is taken from the REQUEST to the final answer, even when nobody
// waits for that any more: then x is nil. Slots are reused, with a new generation each time, and keep their memory.
type slot struct {
	x    *message.Exchange
	done Completion

	index, generation uint32
	route             uint16
	phase             phase
	retried           bool // it was with another worker before
	repeatable        bool
	blocked           bool // in link.blocked
	params            []message.Span

	// cancel is 1 + the reason of a CANCEL that did not fit into the ring yet.
	cancel uint32
	upload upload
	stream stream
}

// stream is the state of a streamed answer.
type stream struct {
	window  uint32 // bytes that the worker may still send
	owed    uint32 // bytes that it has sent and not been given back
	stalled bool   // the client does not keep up: nothing is given back until its output has drained
	credit  uint32 // bytes of a CREDIT that did not fit into the ring yet
}

// slots is the set of a link's slots.
type slots struct {
	all  []*slot
	free []uint32
}

// take returns a free slot with a new generation.
func (s *slots) take() *slot {
	if len(s.free) == 0 {
		s.all = append(s.all, &slot{index: uint32(len(s.all))})
		s.free = append(s.free, uint32(len(s.all)-1))
	}
	at := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	t := s.all[at]
	t.generation++
	t.phase = slotAsked
	return t
}

// put takes t back.
func (s *slots) put(t *slot) {
	t.x, t.done, t.phase, t.cancel, t.stream = nil, nil, slotFree, 0, stream{}
	t.upload.reset()
	s.free = append(s.free, t.index)
}

// find returns the slot that a worker's frame names, nil if it does not hold that exchange (any more).
func (s *slots) find(index, generation uint32) *slot {
	if uint64(index) >= uint64(len(s.all)) {
		return nil
	}
	t := s.all[index]
	if t.phase == slotFree || t.generation != generation {
		return nil
	}
	return t
}

// of returns the slot of x, nil if x is not in one.
func (s *slots) of(x *message.Exchange) *slot {
	if t := s.all[x.Link.Slot]; t.x == x {
		return t
	}
	return nil
}

package ring

import (
	"fmt"
	"sync/atomic"
)

const (
	// align of frames, and minFrame, the length of a frame's head. Package frame has the same numbers; a test there
	// compares them.
	align    = 8
	minFrame = 16
)

// BrokenError tells that the peer wrote something into the ring that cannot be. The link is dead: its other side is
// to be replaced.
type BrokenError struct {
	// What is the sentence for the log.
	What string
}

// Error returns What.
func (e *BrokenError) Error() string { return "ring: " + e.What }

func broken(format string, args ...any) *BrokenError {
	return &BrokenError{What: fmt.Sprintf(format, args...)}
}

// Producer is the writing end of a ring.
//
//	if b := p.Reserve(n); b != nil { fill b; p.Commit(n) }  …  p.Publish()
type Producer struct {
	data         []byte // the ring's memory, twice in a row
	size, max    uint64
	shared, peer *uint64 // our tail, their head

	tail, published uint64 // bytes written, and of them shown to the peer
	head            uint64 // the peer's head as last read and checked
	err             *BrokenError
}

// Reserve returns n bytes, rounded up to a multiple of 8, to write one frame into: all of them, the memory is not
// zeroed. Nil means that the ring is full (or broken, see Err): try again when the peer has consumed. N must be
// from 16 to the region's MaxFrame.
func (p *Producer) Reserve(n int) []byte {
	need := (uint64(n) + align - 1) &^ (align - 1)
	if need > p.max || n < minFrame {
		panic("ring: a frame of impossible length") // a bug of the caller, who sizes its frames
	}
	if p.err != nil || p.size-(p.tail-p.head) < need && p.Free() < int(need) {
		return nil
	}
	at := p.tail & (p.size - 1)
	return p.data[at : at+need : at+need]
}

// Commit takes the frame of n bytes that was written into what Reserve(n) returned. The peer sees it after Publish.
func (p *Producer) Commit(n int) { p.tail += (uint64(n) + align - 1) &^ (align - 1) }

// Dirty reports whether frames have been committed and not published.
func (p *Producer) Dirty() bool { return p.tail != p.published }

// Publish shows the peer all committed frames, with one store. Look at the peer's sleep flag afterwards.
func (p *Producer) Publish() {
	if p.tail != p.published {
		p.published = p.tail
		atomic.StoreUint64(p.shared, p.tail)
	}
}

// Free reads the peer's progress and returns how many bytes can be reserved; 0 when the ring is broken.
func (p *Producer) Free() int {
	if p.err != nil {
		return 0
	}
	head := atomic.LoadUint64(p.peer)
	// Checked by distances, which wrap around correctly: a head that moved backwards or past what was published is
	// farther ahead of the last one than all there was to consume.
	if head-p.head > p.published-p.head {
		p.err = broken("the consumer claims to be at %d, but %d to %d are there to consume", head, p.head, p.published)
		return 0
	}
	p.head = head
	return int(p.size - (p.tail - head))
}

// Written is the number of bytes ever committed, Consumed how many of them the peer has consumed, as last read by
// Free or by a Reserve that had to look.
func (p *Producer) Written() uint64 { return p.tail }

// Consumed is how many bytes the peer has consumed as far as this side has looked.
func (p *Producer) Consumed() uint64 { return p.head }

// Size is the ring's size in bytes.
func (p *Producer) Size() int { return int(p.size) }

// Err is a *BrokenError when the consumer broke the rules, else nil.
func (p *Producer) Err() error {
	if p.err == nil {
		return nil // not a nil *BrokenError inside an error
	}
	return p.err
}

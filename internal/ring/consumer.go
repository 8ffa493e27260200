package ring

import (
	"sync/atomic"
	"unsafe"
)

// Consumer is the reading end of a ring.
//
//	for { f, err := c.Next(); if f == nil { break }; use f }  …  c.Release()
type Consumer struct {
	data         []byte // the ring's memory, twice in a row
	size, max    uint64
	shared, peer *uint64 // our head, their tail

	head, released uint64 // bytes consumed, and of them given back to the peer
	tail           uint64 // the peer's tail as last read and checked
	err            *BrokenError
}

// Next returns the next frame, nil when there is none. The frame's length field has been read once and checked, and
// len of the slice is what counts: the peer may change the bytes, that field included, at any time. The slice is
// valid until Release. The error is a *BrokenError, and the same at every further call.
func (c *Consumer) Next() ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	if c.head == c.tail && !c.look() {
		if c.err != nil {
			return nil, c.err
		}
		return nil, nil
	}
	at := c.head & (c.size - 1)
	// Atomic, so that the compiler must read it exactly once.
	n := uint64(atomic.LoadUint32((*uint32)(unsafe.Pointer(&c.data[at]))))
	if n < minFrame || n%align != 0 || n > c.max || n > c.tail-c.head {
		c.err = broken("a frame at %d says that it is %d bytes long, with %d there and %d allowed", c.head, n, c.tail-c.head, c.max)
		return nil, c.err
	}
	c.head += n
	return c.data[at : at+n : at+n], nil
}

// look reads the peer's tail and reports whether there is more.
func (c *Consumer) look() bool {
	tail := atomic.LoadUint64(c.peer)
	if tail == c.tail {
		return false
	}
	// A tail that moved backwards is, by this unsigned distance, very far ahead.
	if tail-c.released > c.size || tail-c.released < c.tail-c.released || tail%align != 0 {
		c.err = broken("the producer claims to be at %d, with the consumer at %d, the last tail %d and a ring of %d bytes", tail, c.released, c.tail, c.size)
		return false
	}
	c.tail = tail
	return true
}

// Empty looks whether there is nothing to consume: what a side does after it has raised its sleep flag. A broken
// ring is not empty: Next tells.
func (c *Consumer) Empty() bool {
	return c.err == nil && c.head == c.tail && !c.look() && c.err == nil
}

// Unreleased is the number of bytes consumed and not given back.
func (c *Consumer) Unreleased() int { return int(c.head - c.released) }

// Release gives the memory of all frames that Next returned back to the peer. Look at its Starved flag afterwards.
func (c *Consumer) Release() {
	if c.head != c.released {
		c.released = c.head
		atomic.StoreUint64(c.shared, c.head)
	}
}

// Size is the ring's size in bytes.
func (c *Consumer) Size() int { return int(c.size) }

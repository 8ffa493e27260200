//go:build linux && (amd64 || arm64)

package uring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Buffers is a group of buffers that the kernel fills by itself: a receive takes one only when bytes are there, so
// idle connections hold none.
//
//	entry 0                                    entry 1
//	┌──────────────┬───────┬──────┬──────────┐┌─────────
//	│ address (8)  │ len   │ id   │ ring tail││ …          the tail replaces the first entry's padding
//	└──────────────┴───────┴──────┴──────────┘└─────────
type Buffers struct {
	group   uint16
	size    int
	mask    uint16
	tail    uint16
	entries []bufEntry
	ring    []byte
	mem     []byte
}

// NewBuffers registers count buffers of size bytes each as the group. Count is a power of two up to 32,768. The
// buffers live until Free.
func (r *Ring) NewBuffers(group uint16, count, size int) (*Buffers, error) {
	if count <= 0 || count > 1<<15 || count&(count-1) != 0 || size <= 0 {
		return nil, fmt.Errorf("uring: %d buffers of %d bytes: %w", count, size, unix.EINVAL)
	}
	b := &Buffers{group: group, size: size, mask: uint16(count - 1)}
	var err error
	if b.ring, err = mapAnon(count * int(unsafe.Sizeof(bufEntry{}))); err != nil {
		return nil, fmt.Errorf("uring: buffers: %w", err)
	}
	if b.mem, err = mapAnon(count * size); err != nil {
		_ = b.Free()
		return nil, fmt.Errorf("uring: buffers: %w", err)
	}
	b.entries = unsafe.Slice((*bufEntry)(unsafe.Pointer(&b.ring[0])), count)
	reg := bufReg{addr: uint64(uintptr(unsafe.Pointer(&b.ring[0]))), entries: uint32(count), group: group}
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), registerPbufRing, uintptr(unsafe.Pointer(&reg)), 1, 0, 0)
	if errno != 0 {
		_ = b.Free()
		return nil, fmt.Errorf("uring: register buffers: %w", errno)
	}
	for id := range count {
		b.Return(uint16(id))
	}
	b.Publish()
	return b, nil
}

// Group is the group's number, for Recv.
func (b *Buffers) Group() uint16 { return b.group }

// Bytes returns the first n bytes of buffer id. They are valid, and may be modified, until the buffer is returned.
func (b *Buffers) Bytes(id uint16, n int) []byte {
	at := int(id&b.mask) * b.size
	n = min(n, b.size)
	return b.mem[at : at+n : at+n]
}

// Return gives buffer id back to the kernel at the next Publish.
func (b *Buffers) Return(id uint16) {
	e := &b.entries[b.tail&b.mask]
	e.addr = uint64(uintptr(unsafe.Pointer(&b.mem[int(id)*b.size])))
	e.len, e.id = uint32(b.size), id // not e.tail: in the first entry it belongs to the ring
	b.tail++
}

// Publish makes the returned buffers available to the kernel.
func (b *Buffers) Publish() {
	// The tail needs a store with release order, and there is none for 16 bits: the word of the first entry's id and
	// of the tail is stored as one. The id is written as it is. Both architectures are little-endian.
	first := &b.entries[0]
	word := (*uint32)(unsafe.Pointer(&first.id))
	atomic.StoreUint32(word, uint32(first.id)|uint32(b.tail)<<16)
}

// Free unmaps the buffers. Call it after the ring was closed, with nothing in flight.
func (b *Buffers) Free() error {
	var errs []error
	for _, m := range []*[]byte{&b.ring, &b.mem} {
		if *m != nil {
			errs = append(errs, unix.Munmap(*m))
			*m = nil
		}
	}
	return errors.Join(errs...)
}

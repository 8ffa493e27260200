// Package buf provides the buffers of a loop: pooled blocks of memory, the output queue of a connection ([Out])
// and its unread input ([In]).
//
// Everything here belongs to one loop and is used on its goroutine only: there are no locks. The memory comes from
// anonymous mappings where the system has them, so the kernel may be given addresses that the garbage collector
// neither moves nor scans, and from the Go heap elsewhere.
//
//	pool := buf.NewPool(0)
//	defer pool.Close()
//	var out buf.Out
//	out.Init(pool)
//	out.Commit(len(append(out.Reserve(5), "hello"...)))
//	n, _ := fd.Write(out.Front())
//	out.Consume(n)
package buf

import (
	"errors"
	"fmt"
)

// The size classes of a pool, in bytes: the smallest holds the heads of nearly all messages, and each step is × 4, so
// that a queue that grows reaches its size in few steps. Larger blocks than the last class are mapped one by one.
const (
	MinBlock = 8 << 10
	MaxBlock = 2 << 20

	classCount = 5
	classShift = 2 // each class is 1<<classShift times the one before
)

// slabSize is the size of the mapping that blocks of a class are cut from: large enough that mapping is rare, small
// enough that a slab becomes free again after a burst.
func slabSize(class int) int { return min(MinBlock<<5<<class, MaxBlock) }

// DefaultKeep is how many bytes of wholly free slabs a pool keeps for the next burst instead of unmapping them.
const DefaultKeep = 8 << 20

// Block is a piece of pooled memory. The one who got it owns it until Put.
type Block struct {
	mem  []byte // all of it: len is the capacity
	r, w int    // what is used is mem[r:w], for In and Out
	next *Block // in a free list or an output queue
	slab *slab  // nil for a block that was mapped for itself, and for a range of a file
	file File   // a range of a file, its bytes from base+r to base+w; nil for memory
	base int64
	free bool // is in a free list: catches a second Put
}

// File is what an [Out] needs of a file whose bytes it queues: whoever sends them knows more about it.
type File interface {
	// Release gives one reference back.
	Release()
}

// maxRanges bounds the unused descriptions of file ranges that a pool keeps: as many as connections of a busy loop
// have files under way, at 100 bytes each.
const maxRanges = 1 << 10

// Bytes is the block's whole memory. It is valid until Put.
func (b *Block) Bytes() []byte { return b.mem }

// slab is one mapping cut into blocks of one class. Slabs with a free block are linked, in use first and wholly
// free ones last, so that the latter stay free and can be unmapped.
type slab struct {
	mem        []byte
	blocks     []Block
	free       *Block
	used       int
	class      int8
	linked     bool
	prev, next *slab
}

// Pool hands out blocks. The zero Pool is not usable: see NewPool.
type Pool struct {
	first, last [classCount]*slab // slabs with at least one free block
	idle        int               // bytes of wholly free slabs
	keep        int               // the most that idle may be
	mapped      int               // bytes of all mappings
	out         int               // blocks handed out
	ranges      *Block            // unused descriptions of file ranges
	rangeCount  int
}

// NewPool returns an empty pool that keeps at most keep bytes of wholly free slabs; 0 means DefaultKeep.
func NewPool(keep int) *Pool {
	if keep <= 0 {
		keep = DefaultKeep
	}
	return &Pool{keep: keep}
}

// Outstanding is the number of blocks handed out and not put back.
func (p *Pool) Outstanding() int { return p.out }

// Mapped is the number of bytes that the pool holds, handed out or not.
func (p *Pool) Mapped() int { return p.mapped }

func classSize(class int) int { return MinBlock << (classShift * class) }

// classOf returns the smallest class whose blocks hold n bytes; ok is false when none does.
func classOf(n int) (class int, ok bool) {
	for class = range classCount {
		if n <= classSize(class) {
			return class, true
		}
	}
	return 0, false
}

// Get returns an empty block of at least n bytes. Its content is arbitrary. It panics when the system has no
// memory left, as an allocation would.
func (p *Pool) Get(n int) *Block {
	p.out++
	class, ok := classOf(n)
	if !ok {
		const page = 64 << 10 // a multiple of every page size in use
		size := (n + page - 1) / page * page
		p.mapped += size
		return &Block{mem: mapSlab(size)}
	}
	s := p.first[class]
	if s == nil {
		s = p.grow(class)
	}
	b := s.free
	s.free, b.next, b.free = b.next, nil, false
	if s.used == 0 {
		p.idle -= len(s.mem)
	}
	s.used++
	if s.free == nil {
		p.unlink(s)
	}
	b.r, b.w = 0, 0
	return b
}

// Put gives b back. B and its bytes must not be used afterwards. A nil b is ignored.
func (p *Pool) Put(b *Block) {
	if b == nil {
		return
	}
	if b.free {
		panic("buf: a block was put back twice")
	}
	p.out--
	s := b.slab
	if b.file != nil {
		p.putRange(b)
		return
	}
	if s == nil {
		b.free = true
		p.mapped -= len(b.mem)
		unmapSlab(b.mem)
		b.mem = nil
		return
	}
	b.free, b.next = true, s.free
	s.free = b
	s.used--
	if !s.linked {
		p.pushFront(s)
	}
	if s.used > 0 {
		return
	}
	p.unlink(s)
	if p.idle+len(s.mem) > p.keep {
		p.drop(s)
		return
	}
	p.idle += len(s.mem)
	p.pushBack(s)
}

// getRange returns a block without memory, for a range of a file.
func (p *Pool) getRange() *Block {
	p.out++
	b := p.ranges
	if b == nil {
		return &Block{}
	}
	p.ranges, b.next, b.free = b.next, nil, false
	p.rangeCount--
	return b
}

// putRange gives the reference to the file of b back, and keeps b for the next one.
func (p *Pool) putRange(b *Block) {
	b.file.Release()
	b.file, b.free = nil, true
	if p.rangeCount < maxRanges {
		b.next, p.ranges = p.ranges, b
		p.rangeCount++
	}
}

// Trim unmaps every wholly free slab: for a loop that has become idle.
func (p *Pool) Trim() {
	for class := range p.last {
		for s := p.last[class]; s != nil && s.used == 0; s = p.last[class] {
			p.unlink(s)
			p.idle -= len(s.mem)
			p.drop(s)
		}
	}
}

// errLeak is the cause of Close's error.
var errLeak = errors.New("blocks are still handed out")

// Close frees the pool's memory. It is an error, and the memory of those blocks is kept, when blocks are still
// handed out.
func (p *Pool) Close() error {
	p.keep = 0
	p.Trim()
	if p.out != 0 {
		return fmt.Errorf("buf: close: %d %w", p.out, errLeak)
	}
	return nil
}

func (p *Pool) grow(class int) *slab {
	size := classSize(class)
	s := &slab{class: int8(class), mem: mapSlab(slabSize(class))}
	s.blocks = make([]Block, len(s.mem)/size)
	for i := len(s.blocks) - 1; i >= 0; i-- {
		b := &s.blocks[i]
		b.mem = s.mem[i*size : (i+1)*size : (i+1)*size]
		b.slab, b.free, b.next = s, true, s.free
		s.free = b
	}
	p.mapped += len(s.mem)
	p.idle += len(s.mem)
	p.pushFront(s)
	return s
}

// drop unmaps an unlinked slab that is wholly free and not counted in idle.
func (p *Pool) drop(s *slab) {
	p.mapped -= len(s.mem)
	unmapSlab(s.mem)
	s.mem, s.blocks, s.free = nil, nil, nil
}

func (p *Pool) pushFront(s *slab) {
	c := s.class
	s.linked, s.prev, s.next = true, nil, p.first[c]
	if s.next != nil {
		s.next.prev = s
	} else {
		p.last[c] = s
	}
	p.first[c] = s
}

func (p *Pool) pushBack(s *slab) {
	c := s.class
	s.linked, s.next, s.prev = true, nil, p.last[c]
	if s.prev != nil {
		s.prev.next = s
	} else {
		p.first[c] = s
	}
	p.last[c] = s
}

func (p *Pool) unlink(s *slab) {
	c := s.class
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		p.first[c] = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		p.last[c] = s.prev
	}
	s.linked, s.prev, s.next = false, nil, nil
}

package buf

// Out is the output queue of a connection: bytes appended at the end by Reserve and Commit or by Write, and taken
// from the front by the kernel. It is a chain of blocks, and of ranges of files between them:
//
//	head ──▶ [ consumed │ front bytes │ unused ] ──▶ [ range of a file ] ──▶ [ bytes │ unused ] ──▶ tail
//	         0          r             w                  0 ── r ── w
//
// Bytes never move while they are queued: what Front and Vectors returned stays valid, and may be read by the
// kernel, until Consume passes it or Release. An Out whose bytes have all been consumed holds no block.
//
// The zero Out is not usable: see Init.
type Out struct {
	pool       *Pool
	head, tail *Block
	n          int
}

// stepMax is the largest block that the length of the queue, not the size of a single piece, leads to: a block of
// this size already makes system calls rare.
const stepMax = 128 << 10

// Init makes o an empty queue whose blocks come from p.
func (o *Out) Init(p *Pool) { *o = Out{pool: p} }

// Pending is the number of queued bytes.
func (o *Out) Pending() int { return o.n }

// Reserve returns an empty slice of capacity ≥ n at the end of the queue, valid until the next call of any method
// but Pending, Front, FrontFile, Vectors and a Consume that leaves something.
func (o *Out) Reserve(n int) []byte {
	t := o.tail
	if t == nil || len(t.mem)-t.w < n {
		t = o.grow(n)
	}
	return t.mem[t.w:t.w:len(t.mem)]
}

// Commit appends the first n bytes of the slice that Reserve returned.
func (o *Out) Commit(n int) {
	t := o.tail
	if n < 0 || t == nil && n > 0 || n > 0 && n > len(t.mem)-t.w {
		panic("buf: commit of more than was reserved")
	}
	if n > 0 {
		t.w += n
		o.n += n
	} else if o.n == 0 {
		o.Release() // reserved, then thought better of it
	}
}

// Write copies p to the end of the queue.
func (o *Out) Write(p []byte) {
	o.n += len(p)
	for len(p) > 0 {
		t := o.tail
		if t == nil || t.w >= len(t.mem) { // more, for the range of a file
			t = o.grow(min(len(p), stepMax))
		}
		c := copy(t.mem[t.w:], p)
		t.w += c
		p = p[c:]
	}
}

// grow appends a block with at least n bytes. Blocks grow with the queue, so that a long one has few of them.
func (o *Out) grow(n int) *Block {
	b := o.pool.Get(max(n, min(o.n, stepMax)))
	o.push(b)
	return b
}

// push makes b the last block.
func (o *Out) push(b *Block) {
	switch t := o.tail; {
	case t == nil:
		o.head = b
	case t.r == t.w && t == o.head:
		o.pool.Put(t) // empty and too small
		o.head = b
	default:
		t.next = b
	}
	o.tail = b
}

// AppendFile puts n bytes of f, from the offset off, at the end of the queue. The queue takes over the reference to f
// that the caller has, and gives it back when those bytes have been consumed or released.
func (o *Out) AppendFile(f File, off int64, n int) {
	if n <= 0 {
		f.Release()
		return
	}
	b := o.pool.getRange()
	b.file, b.base, b.r, b.w = f, off, 0, n
	o.push(b)
	o.n += n
}

// Front returns the bytes of the first block, or nil when the queue is empty or begins with a file.
func (o *Out) Front() []byte {
	if o.n == 0 {
		return nil
	}
	o.skip()
	if o.head.file != nil {
		return nil
	}
	return o.head.mem[o.head.r:o.head.w]
}

// FrontFile returns the file that the queue begins with, and which n bytes of it are next: f is nil when the queue is
// empty or begins with memory. F is valid until those bytes are consumed.
func (o *Out) FrontFile() (f File, off int64, n int) {
	if o.n == 0 {
		return nil, 0, 0
	}
	o.skip()
	b := o.head
	return b.file, b.base + int64(b.r), b.w - b.r
}

// skip puts back the blocks at the front that have nothing to send.
func (o *Out) skip() {
	for o.head != o.tail && o.head.r == o.head.w {
		b := o.head
		o.head = b.next
		o.pool.Put(b)
	}
}

// Vectors appends to dst the pieces of memory that the queue begins with, in order, at most cap(dst) - len(dst) of
// them, and returns it. It never allocates: give it a dst with spare capacity.
func (o *Out) Vectors(dst [][]byte) [][]byte {
	for b := o.head; b != nil && b.file == nil && len(dst) < cap(dst); b = b.next {
		if b.r < b.w {
			dst = append(dst, b.mem[b.r:b.w])
		}
	}
	return dst
}

// Consume drops the first n bytes of the queue: the kernel has taken them.
func (o *Out) Consume(n int) {
	if n < 0 || n > o.n {
		panic("buf: consume of more than is queued")
	}
	o.n -= n
	if o.n == 0 {
		o.Release()
		return
	}
	for n > 0 {
		b := o.head
		c := min(n, b.w-b.r)
		b.r += c
		n -= c
		if b.r == b.w {
			o.head = b.next // not the tail: bytes are left behind it
			o.pool.Put(b)
		}
	}
}

// Release drops everything and puts all blocks back. The kernel must not be reading them any more.
func (o *Out) Release() {
	for b := o.head; b != nil; {
		next := b.next
		b.next = nil
		o.pool.Put(b)
		b = next
	}
	o.head, o.tail, o.n = nil, nil, 0
}

// Abandon gives the references to files back and leaves the memory to the kernel, which may be reading it for ever: the
// end of a queue whose Release never becomes safe.
func (o *Out) Abandon() {
	for b := o.head; b != nil; b = b.next {
		if b.file != nil {
			b.file.Release()
			b.file = nil
		}
	}
	o.head, o.tail, o.n = nil, nil, 0
}

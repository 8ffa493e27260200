package buf

// In is the unread input of a connection: the bytes that its session has not consumed yet, contiguous. It holds a
// block only while there are such bytes, so an idle connection costs no buffer.
//
// The zero In is not usable: see Init.
type In struct {
	pool *Pool
	b    *Block
}

// Init makes in empty, with blocks from p.
func (in *In) Init(p *Pool) { *in = In{pool: p} }

// Len is the number of unread bytes.
func (in *In) Len() int {
	if in.b == nil {
		return 0
	}
	return in.b.w - in.b.r
}

// Unread returns the unread bytes. They may be modified in place and are valid until the next call of another
// method than Len.
func (in *In) Unread() []byte {
	if in.b == nil {
		return nil
	}
	return in.b.mem[in.b.r:in.b.w:in.b.w]
}

// Append copies p to the end of the unread bytes.
func (in *In) Append(p []byte) {
	if len(p) == 0 {
		return
	}
	in.reserve(len(p))
	in.b.w += copy(in.b.mem[in.b.w:], p)
}

// Space returns a slice of length ≥ n behind the unread bytes, to receive into; Filled takes what was received. A
// caller that received nothing calls Filled(0), so that no block is held for nothing.
func (in *In) Space(n int) []byte {
	in.reserve(n)
	return in.b.mem[in.b.w:]
}

// Filled adds the first n bytes of the slice that Space returned.
func (in *In) Filled(n int) {
	if n < 0 || n > len(in.b.mem)-in.b.w {
		panic("buf: filled more than there was space")
	}
	in.b.w += n
	if in.b.r == in.b.w {
		in.Release()
	}
}

// reserve makes room for n bytes behind the unread ones, by moving those to the front of their block or to a
// larger block.
func (in *In) reserve(n int) {
	b := in.b
	if b == nil {
		in.b = in.pool.Get(n)
		return
	}
	if len(b.mem)-b.w >= n {
		return
	}
	unread := b.mem[b.r:b.w]
	need := len(unread) + n
	if need <= len(b.mem)/4*3 {
		// Room for a quarter of the block is won by each move, so a byte is moved about four times at most however
		// the input is cut.
		b.r, b.w = 0, copy(b.mem, unread)
		return
	}
	larger := in.pool.Get(max(need, len(b.mem)+len(b.mem)/2))
	larger.w = copy(larger.mem, unread)
	in.pool.Put(b)
	in.b = larger
}

// Consume drops the first n unread bytes.
func (in *In) Consume(n int) {
	if n < 0 || n > in.Len() {
		panic("buf: consume of more than is unread")
	}
	if n == 0 {
		return
	}
	in.b.r += n
	if in.b.r == in.b.w {
		in.Release()
	}
}

// Release drops all unread bytes and puts the block back.
func (in *In) Release() {
	in.pool.Put(in.b)
	in.b = nil
}

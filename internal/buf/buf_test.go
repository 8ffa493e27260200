package buf

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestClassOf(t *testing.T) {
	tests := []struct {
		n, size int
		ok      bool
	}{
		{0, 8 << 10, true}, {1, 8 << 10, true}, {8 << 10, 8 << 10, true}, {8<<10 + 1, 32 << 10, true},
		{32<<10 + 1, 128 << 10, true}, {256 << 10, 512 << 10, true}, {2 << 20, 2 << 20, true}, {2<<20 + 1, 0, false},
	}
	for _, tt := range tests {
		class, ok := classOf(tt.n)
		if ok != tt.ok || ok && classSize(class) != tt.size {
			t.Errorf("classOf(%d) = class %d, %v", tt.n, class, ok)
		}
	}
	if classSize(classCount-1) != MaxBlock {
		t.Errorf("the last class has %d bytes, MaxBlock is %d", classSize(classCount-1), MaxBlock)
	}
}

func TestPoolReusesAndTrims(t *testing.T) {
	p := NewPool(1 << 20)
	var held []*Block
	for i := range 200 {
		b := p.Get(1 + i*37%(600<<10))
		if len(b.Bytes()) < 1+i*37%(600<<10) {
			t.Fatalf("block of %d bytes is too small", len(b.Bytes()))
		}
		b.Bytes()[0], b.Bytes()[len(b.Bytes())-1] = byte(i), byte(i)
		held = append(held, b)
	}
	for i, b := range held {
		if m := b.Bytes(); m[0] != byte(i) || m[len(m)-1] != byte(i) {
			t.Fatalf("block %d overlaps another", i)
		}
	}
	if p.Outstanding() != len(held) {
		t.Fatalf("outstanding = %d, want %d", p.Outstanding(), len(held))
	}
	if err := p.Close(); err == nil {
		t.Fatal("Close did not report the blocks handed out")
	}
	p = NewPool(1 << 20)
	held = held[:0]
	for range 1000 {
		held = append(held, p.Get(MinBlock))
	}
	if p.Mapped() < 1000*MinBlock {
		t.Fatalf("mapped = %d", p.Mapped())
	}
	rand.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	for _, b := range held {
		p.Put(b)
	}
	if p.Mapped() > 1<<20 || p.Mapped() == 0 {
		t.Errorf("mapped after all were put back = %d, want at most keep and more than 0", p.Mapped())
	}
	if p.Mapped() != p.idle {
		t.Errorf("mapped %d, idle %d", p.Mapped(), p.idle)
	}
	if err := p.Close(); err != nil || p.Mapped() != 0 {
		t.Errorf("Close = %v, mapped %d", err, p.Mapped())
	}
}

func TestPoolHugeBlocks(t *testing.T) {
	p := NewPool(0)
	b := p.Get(MaxBlock + 1)
	b.Bytes()[MaxBlock] = 1
	p.Put(b)
	if p.Mapped() != 0 || p.Outstanding() != 0 {
		t.Errorf("mapped %d, outstanding %d after Put", p.Mapped(), p.Outstanding())
	}
}

func TestPutTwicePanics(t *testing.T) {
	p := NewPool(0)
	b := p.Get(1)
	p.Put(b)
	defer func() {
		if recover() == nil {
			t.Error("a second Put did not panic")
		}
	}()
	p.Put(b)
}

func TestOutAddressesAreStable(t *testing.T) {
	p := NewPool(0)
	var o Out
	o.Init(p)
	o.Write([]byte("first"))
	front := o.Front()
	for range 100 {
		o.Write(bytes.Repeat([]byte("x"), 10_000))
	}
	if &front[0] != &o.Front()[0] || string(front) != "first" {
		t.Error("queued bytes moved")
	}
	o.Release()
	if p.Outstanding() != 0 {
		t.Errorf("%d blocks leaked", p.Outstanding())
	}
}

func TestOutReserveWithoutCommit(t *testing.T) {
	p := NewPool(0)
	var o Out
	o.Init(p)
	o.Reserve(100)
	if r := o.Reserve(100 << 10); len(r) != 0 || cap(r) < 100<<10 {
		t.Fatalf("Reserve: len %d cap %d", len(r), cap(r))
	}
	if p.Outstanding() != 1 {
		t.Errorf("the block that was too small was kept: %d outstanding", p.Outstanding())
	}
	o.Commit(0)
	if p.Outstanding() != 0 || o.Front() != nil {
		t.Errorf("an empty queue holds %d blocks", p.Outstanding())
	}
	o.Write([]byte("a"))
	o.Reserve(MaxBlock) // an empty block behind a full one
	o.Consume(1)
	if p.Outstanding() != 0 {
		t.Errorf("a consumed queue holds %d blocks", p.Outstanding())
	}
}

func TestOutVectorsIsBounded(t *testing.T) {
	p := NewPool(0)
	var o Out
	o.Init(p)
	for range 10 {
		o.Commit(len(append(o.Reserve(MaxBlock), 'a', 'b')))
	}
	v := o.Vectors(make([][]byte, 0, 4))
	if len(v) != 4 || string(v[3]) != "ab" {
		t.Fatalf("Vectors = %q", v)
	}
	o.Consume(5)
	if v = o.Vectors(v[:0]); string(v[0]) != "b" {
		t.Errorf("after Consume: Vectors = %q", v)
	}
	o.Release()
}

// bytesFile is a file whose bytes from at on are content.
type bytesFile struct {
	refs    *int
	at      int64
	content []byte
}

func (f *bytesFile) Release() { *f.refs-- }

func (f *bytesFile) read(off int64, n int) []byte { return f.content[off-f.at:][:n] }

func TestOutOfFiles(t *testing.T) {
	p := NewPool(0)
	var o Out
	o.Init(p)
	refs := 3
	f := &bytesFile{refs: &refs, at: 1 << 40, content: []byte("0123456789")}
	o.AppendFile(f, 1<<40, 0)
	if refs != 2 || o.Pending() != 0 || p.Outstanding() != 0 {
		t.Fatalf("nothing of a file: %d references, %d pending, %d blocks", refs, o.Pending(), p.Outstanding())
	}
	o.Reserve(10) // and thought better of it
	o.AppendFile(f, 1<<40+2, 8)
	o.Write([]byte("after"))
	if v := o.Vectors(make([][]byte, 0, 8)); len(v) != 0 || o.Front() != nil {
		t.Errorf("memory behind a file comes before it: %q", v)
	}
	o.Consume(3)
	got, off, n := o.FrontFile()
	if got != File(f) || off != 1<<40+5 || n != 5 || refs != 2 {
		t.Errorf("front file: %v from %d, %d bytes, %d references", got, off, n, refs)
	}
	o.Consume(5 + 2) // over the border
	if refs != 1 || string(o.Front()) != "ter" {
		t.Errorf("after the file: %q, %d references", o.Front(), refs)
	}
	o.AppendFile(f, 1<<40, 1)
	o.Release()
	if refs != 0 || p.Outstanding() != 0 {
		t.Errorf("after Release: %d references, %d blocks", refs, p.Outstanding())
	}
	refs = 2
	o.Write([]byte("head"))
	o.AppendFile(f, 1<<40, 1)
	o.AppendFile(f, 1<<40, 2)
	o.Abandon()
	if refs != 0 || o.Pending() != 0 || p.Outstanding() != 3 {
		t.Errorf("after Abandon: %d references, %d blocks", refs, p.Outstanding())
	}
}

// FuzzOut compares Out with bytes.Buffer under random operations.
func FuzzOut(f *testing.F) {
	f.Add([]byte{0, 10, 1, 20, 2, 5, 3, 200, 2, 255})
	f.Add([]byte{1, 255, 1, 255, 4, 0, 2, 255, 2, 1, 5, 0, 0, 9})
	f.Add([]byte{1, 9, 6, 20, 0, 7, 6, 1, 6, 0, 2, 90, 3, 0, 1, 40})
	f.Add([]byte{6, 20, 4, 255, 6, 3, 2, 9, 3, 0, 2, 9, 2, 9, 3, 0, 5, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		p := NewPool(256 << 10)
		var o Out
		o.Init(p)
		var model bytes.Buffer
		refs := 0
		seq := byte(0)
		fill := func(b []byte, n int) []byte {
			for range n {
				b = append(b, seq)
				seq++
			}
			return b
		}
		for i := 0; i+1 < len(ops); i += 2 {
			n := int(ops[i+1])
			switch ops[i] % 7 {
			case 6:
				n *= 50
				f := &bytesFile{refs: &refs, at: int64(n)}
				f.content = fill(nil, n)
				model.Write(f.content)
				refs++
				o.AppendFile(f, f.at, n)
			case 0: // reserve more than is committed
				b := fill(o.Reserve(n*40), n)
				model.Write(b)
				o.Commit(len(b))
			case 1:
				b := fill(nil, n*97)
				model.Write(b)
				o.Write(b)
			case 2:
				n = min(n*113, o.Pending())
				model.Next(n)
				o.Consume(n)
			case 3:
				if f, off, n := o.FrontFile(); f != nil {
					if o.Front() != nil || !bytes.HasPrefix(model.Bytes(), f.(*bytesFile).read(off, n)) || n == 0 {
						t.Fatalf("front file differs")
					}
				} else if !bytes.HasPrefix(model.Bytes(), o.Front()) || (o.Front() == nil) != (model.Len() == 0) {
					t.Fatalf("front differs")
				}
			case 4:
				o.Reserve(n << 8)
			case 5:
				o.Commit(0)
			}
			if o.Pending() != model.Len() {
				t.Fatalf("pending = %d, want %d", o.Pending(), model.Len())
			}
		}
		for o.Pending() > 0 && len(ops)/2%2 == 0 { // else Release drops what is queued
			var got []byte
			if f, off, n := o.FrontFile(); f != nil {
				got = f.(*bytesFile).read(off, min(n, 999))
			} else {
				got = bytes.Join(o.Vectors(make([][]byte, 0, 4096)), nil)
			}
			if len(got) == 0 || !bytes.Equal(got, model.Next(len(got))) {
				t.Fatalf("content differs in the %d bytes before the last %d", len(got), model.Len())
			}
			o.Consume(len(got))
		}
		o.Release()
		if refs != 0 {
			t.Fatalf("%d references to files are held by an empty queue", refs)
		}
		if err := p.Close(); err != nil || p.Mapped() != 0 {
			t.Fatalf("close: %v, mapped %d", err, p.Mapped())
		}
	})
}

// FuzzIn compares In with bytes.Buffer under random operations.
func FuzzIn(f *testing.F) {
	f.Add([]byte{0, 10, 1, 20, 2, 5, 0, 200, 2, 255})
	f.Fuzz(func(t *testing.T, ops []byte) {
		p := NewPool(256 << 10)
		var in In
		in.Init(p)
		var model bytes.Buffer
		seq := byte(0)
		for i := 0; i+1 < len(ops); i += 2 {
			n := int(ops[i+1]) * 61
			switch ops[i] % 4 {
			case 0, 1:
				b := make([]byte, n)
				for j := range b {
					b[j] = seq
					seq++
				}
				model.Write(b)
				if ops[i]%4 == 0 {
					in.Append(b)
				} else if s := in.Space(max(n, 1)); len(s) < n {
					t.Fatalf("space of %d, want %d", len(s), n)
				} else {
					in.Filled(copy(s, b))
				}
			case 2:
				n = min(n, in.Len())
				model.Next(n)
				in.Consume(n)
			case 3:
				in.Space(n)
				in.Filled(0)
			}
			if !bytes.Equal(in.Unread(), model.Bytes()) || in.Len() != model.Len() {
				t.Fatalf("unread %d bytes differ from the model's %d", in.Len(), model.Len())
			}
			if in.Len() == 0 && p.Outstanding() != 0 {
				t.Fatal("an empty input holds a block")
			}
		}
		in.Release()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	p := NewPool(0)
	var o Out
	var in In
	o.Init(p)
	in.Init(p)
	msg := bytes.Repeat([]byte("m"), 300)
	vecs := make([][]byte, 0, 8)
	var refs int
	f := &bytesFile{refs: &refs}
	allocs := testing.AllocsPerRun(1000, func() {
		for range 200 {
			o.Commit(copy(o.Reserve(len(msg))[:len(msg)], msg))
			in.Append(msg)
		}
		vecs = o.Vectors(vecs[:0])
		o.AppendFile(f, 0, 5)
		o.AppendFile(f, 5, 5)
		for o.Pending() > 0 {
			_, _, n := o.FrontFile()
			o.Consume(max(len(o.Front()), n))
		}
		in.Consume(100)
		in.Consume(in.Len())
	})
	if allocs != 0 {
		t.Errorf("%v allocations a round, want 0", allocs)
	}
}

func BenchmarkOut(b *testing.B) {
	p := NewPool(0)
	var o Out
	o.Init(p)
	msg := bytes.Repeat([]byte("m"), 150)
	b.ReportAllocs()
	for b.Loop() {
		o.Commit(copy(o.Reserve(256)[:150], msg))
		o.Consume(len(o.Front()))
	}
}

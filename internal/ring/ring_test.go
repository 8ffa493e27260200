package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
)

const testFrame = 1 << 12

func newRegion(t testing.TB, loops, size int) *Region {
	t.Helper()
	r, err := NewRegion(Config{Loops: loops, RequestBytes: size, AnswerBytes: 2 * size, MaxFrame: testFrame})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

func put(p *Producer, n int, seed byte) bool {
	b := p.Reserve(n)
	if b == nil {
		return false
	}
	for i := range b {
		b[i] = seed + byte(i)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	p.Commit(n)
	return true
}

func TestHeader(t *testing.T) {
	r := newRegion(t, 3, 8192)
	b := r.control.Bytes()
	for _, f := range []struct {
		at   int
		want uint32
	}{
		{RegionVersion, Version},
		{RegionLoops, 3},
		{RegionRequestBytes, 8192},
		{RegionAnswerBytes, 16384},
		{RegionDataStart, uint32(RoundToPage(ControlStart + 3*ControlSize))},
		{RegionCredit, 0},
	} {
		if got := binary.LittleEndian.Uint32(b[f.at:]); got != f.want {
			t.Errorf("at %d: %d, want %d", f.at, got, f.want)
		}
	}
	if string(b[:8]) != "COVETSHM" {
		t.Errorf("magic %q", b[:8])
	}
}

func TestBadConfigsAreRefused(t *testing.T) {
	good := Config{Loops: 1, RequestBytes: 8192, AnswerBytes: 8192, MaxFrame: 4096}
	for name, change := range map[string]func(*Config){
		"no loops":         func(c *Config) { c.Loops = 0 },
		"too many loops":   func(c *Config) { c.Loops = maxLoops + 1 },
		"no power of two":  func(c *Config) { c.RequestBytes = 12288 },
		"smaller than one": func(c *Config) { c.AnswerBytes = 4096; c.MaxFrame = 8192 },
		"odd frame":        func(c *Config) { c.MaxFrame = 4097 },
		"huge":             func(c *Config) { c.AnswerBytes = 2 * maxRing },
	} {
		cfg := good
		change(&cfg)
		if r, err := NewRegion(cfg); err == nil {
			t.Errorf("%s: accepted", name)
			_ = r.Close()
		}
	}
}

func TestFramesArriveInOrderOverManyRounds(t *testing.T) {
	r := newRegion(t, 2, 8192)
	p, c := r.Requests(1)
	rng := rand.New(rand.NewPCG(1, 2))
	var sizes []int
	sent, got := byte(0), byte(0)
	for range 20_000 {
		n := minFrame + rng.IntN(testFrame-minFrame+1)
		if put(p, n, sent) {
			sent++
			sizes = append(sizes, (n+7)&^7)
			if rng.IntN(3) > 0 {
				continue
			}
		}
		p.Publish()
		for {
			f, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if f == nil {
				break
			}
			if len(f) != sizes[0] {
				t.Fatalf("frame of %d bytes, want %d", len(f), sizes[0])
			}
			for i := 4; i < len(f); i++ {
				if f[i] != got+byte(i) {
					t.Fatalf("byte %d of frame %d is wrong", i, got)
				}
			}
			sizes, got = sizes[1:], got+1
		}
		c.Release()
		if c.Unreleased() != 0 || p.Free() != p.Size() {
			t.Fatalf("free %d of %d after everything was consumed", p.Free(), p.Size())
		}
	}
	if len(sizes) != 0 && sent == got {
		t.Error("frames were lost")
	}
}

func TestNothingIsSeenBeforePublishAndNoSpaceBeforeRelease(t *testing.T) {
	r := newRegion(t, 1, 4096)
	p, c := r.Answers(0) // 8192 bytes
	if !put(p, testFrame, 0) || !put(p, testFrame, 1) {
		t.Fatal("an empty ring is full")
	}
	if put(p, minFrame, 2) {
		t.Fatal("a full ring took a frame")
	}
	if f, _ := c.Next(); f != nil || !c.Empty() || !p.Dirty() {
		t.Fatal("a frame was seen before Publish")
	}
	p.Publish()
	if c.Empty() || p.Dirty() {
		t.Fatal("nothing was published")
	}
	if f, err := c.Next(); len(f) != testFrame || err != nil {
		t.Fatal(len(f), err)
	}
	if put(p, minFrame, 2) {
		t.Fatal("memory of a frame in use was given away")
	}
	c.Release()
	if !put(p, testFrame, 2) {
		t.Fatal("released memory cannot be used")
	}
}

func TestHostileProducer(t *testing.T) {
	for name, attack := range map[string]func(p *Producer, frame []byte){
		"length 0":            func(p *Producer, f []byte) { binary.LittleEndian.PutUint32(f, 0) },
		"length 8":            func(p *Producer, f []byte) { binary.LittleEndian.PutUint32(f, 8) },
		"unaligned":           func(p *Producer, f []byte) { binary.LittleEndian.PutUint32(f, 20) },
		"longer than written": func(p *Producer, f []byte) { binary.LittleEndian.PutUint32(f, 72) },
		"longer than allowed": func(p *Producer, f []byte) {
			binary.LittleEndian.PutUint32(f, testFrame+8)
			p.tail += testFrame
		},
		"longest":         func(p *Producer, f []byte) { binary.LittleEndian.PutUint32(f, 0xfffffff8) },
		"tail too far":    func(p *Producer, f []byte) { p.tail += p.size },
		"tail backwards":  func(p *Producer, f []byte) { p.tail -= 4096 },
		"tail unaligned":  func(p *Producer, f []byte) { p.tail += 4 },
		"tail at the end": func(p *Producer, f []byte) { p.tail = ^uint64(0) &^ 7 },
	} {
		r := newRegion(t, 1, 8192)
		p, c := r.Requests(0)
		put(p, 64, 0)
		p.Publish()
		if f, err := c.Next(); f == nil || err != nil {
			t.Fatal(err)
		}
		c.Release()
		at := p.tail & (p.size - 1)
		put(p, 64, 0)
		attack(p, p.data[at:])
		p.Publish()
		empty := c.Empty()
		f, err := c.Next()
		var b *BrokenError
		if f != nil || !errors.As(err, &b) || empty {
			t.Errorf("%s: %d bytes, error %v, empty %v", name, len(f), err, empty)
		}
		if _, again := c.Next(); again != err {
			t.Errorf("%s: the ring recovered", name)
		}
	}
}

func TestHostileConsumer(t *testing.T) {
	for name, head := range map[string]uint64{"ahead": 72, "behind": ^uint64(0) - 7, "far": 1 << 40} {
		r := newRegion(t, 1, 8192)
		p, c := r.Requests(0)
		put(p, 64, 0)
		p.Publish()
		atomic.StoreUint64(c.shared, head)
		if p.Free() != 0 || p.Err() == nil || p.Reserve(testFrame) != nil {
			t.Errorf("%s: not found: %v", name, p.Err())
		}
	}
	r := newRegion(t, 1, 8192)
	p, _ := r.Requests(0)
	if p.Free() != 8192 || p.Err() != nil {
		t.Error(p.Err())
	}
}

func TestFlag(t *testing.T) {
	r := newRegion(t, 2, 8192)
	flags := []Flag{r.WorkerAsleep(), r.LoopAsleep(0), r.LoopAsleep(1), r.Starved(0), r.Starved(1)}
	for i, f := range flags {
		f.Raise()
		for j, o := range flags {
			if o.Raised() != (i == j) {
				t.Errorf("raising %d shows at %d", i, j)
			}
		}
		if !f.Take() || f.Take() || f.Raised() {
			t.Errorf("flag %d was not taken exactly once", i)
		}
		f.Raise()
		f.Lower()
		if f.Take() {
			t.Errorf("flag %d was not lowered", i)
		}
	}
	want := Liveness{Progress: 1, BusySince: 2, BusySlot: 3, BusyLoop: 4, Handled: 5}
	r.SetLiveness(want)
	r.SetCredit(77)
	if r.Liveness() != want || r.Credit() != 77 {
		t.Errorf("liveness %+v, credit %d", r.Liveness(), r.Credit())
	}
}

// TestNoWakeUpIsLost runs the protocol of sleeping between two goroutines: if a wake-up were lost, the consumer would
// wait for ever.
func TestNoWakeUpIsLost(t *testing.T) {
	r := newRegion(t, 1, 8192)
	p, _ := r.Requests(0)
	_, c := r.Requests(0)
	asleep := r.WorkerAsleep()
	bell := make(chan struct{}, 1)
	const total = 20_000
	done := make(chan error, 1)
	go func() {
		seen := 0
		for seen < total {
			f, err := c.Next()
			if err != nil {
				done <- err
				return
			}
			if f != nil {
				if f[4] != byte(seen) {
					done <- errors.New("out of order")
					return
				}
				seen++
				continue
			}
			c.Release()
			asleep.Raise()
			if c.Empty() {
				<-bell
			}
			asleep.Lower()
			select {
			case <-bell:
			default:
			}
		}
		c.Release()
		done <- nil
	}()
	for i := 0; i < total; {
		b := p.Reserve(32)
		if b == nil {
			runtime.Gosched()
		} else {
			binary.LittleEndian.PutUint32(b, 32)
			b[4] = byte(i)
			p.Commit(32)
			i++
		}
		if b == nil || i%7 == 0 || i == total {
			p.Publish()
			if asleep.Take() {
				select {
				case bell <- struct{}{}:
				default:
				}
			}
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	r := newRegion(t, 1, 8192)
	p, c := r.Requests(0)
	asleep := r.WorkerAsleep()
	if n := testing.AllocsPerRun(1000, func() {
		put(p, 300, 1)
		p.Publish()
		asleep.Take()
		f, _ := c.Next()
		if len(f) != 304 {
			t.Fatal(len(f))
		}
		c.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzConsumer gives a consumer any memory and any tails: it may refuse, but never reach outside of the ring.
func FuzzConsumer(f *testing.F) {
	f.Add([]byte{16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint64(16), uint64(32))
	f.Add(bytes.Repeat([]byte{0x20, 0, 0, 0}, 64), uint64(8192), uint64(16384))
	f.Fuzz(func(t *testing.T, data []byte, tail1, tail2 uint64) {
		r := newRegion(t, 1, 8192)
		_, c := r.Requests(0)
		copy(c.data[:c.size], data)
		for _, tail := range []uint64{tail1, tail2} {
			atomic.StoreUint64(c.peer, tail)
			total := 0
			for {
				f, err := c.Next()
				if f == nil || err != nil {
					break
				}
				total += len(f)
				if len(f) < minFrame || len(f) > testFrame || len(f)%align != 0 || total > int(c.size) {
					t.Fatalf("a frame of %d bytes, %d in all", len(f), total)
				}
			}
			c.Release()
		}
	})
}

func BenchmarkRing(b *testing.B) {
	r := newRegion(b, 1, 1<<16)
	p, c := r.Requests(0)
	b.ReportAllocs()
	for b.Loop() {
		f := p.Reserve(512)
		binary.LittleEndian.PutUint32(f, 512)
		p.Commit(512)
		p.Publish()
		if f, err := c.Next(); f == nil || err != nil {
			b.Fatal(err)
		}
		c.Release()
	}
}

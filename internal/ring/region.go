package ring

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/covetpy/covet/internal/shm"
)

// maxLoops bounds the control blocks of a region, so that a broken header cannot ask for any amount of memory.
const maxLoops = 1024

// maxRing bounds a ring, so that every size fits into the header's 32 bits with room to spare.
const maxRing = 1 << 28

// Config describes a region.
type Config struct {
	// Loops is the number of I/O loops, at least 1.
	Loops int
	// RequestBytes and AnswerBytes are the sizes of each request and answer ring: powers of two, at least MaxFrame.
	// They are rounded up to the system's page size.
	RequestBytes, AnswerBytes int
	// MaxFrame is the longest frame that may be written or read, a multiple of 8.
	MaxFrame int
}

// Region is the shared memory of the engine and one worker.
type Region struct {
	cfg     Config
	memory  *shm.MemoryFile
	control *shm.Mapping
	data    []*shm.Mapping // loop 0 requests, loop 0 answers, loop 1 requests, …
}

// RoundToPage rounds n up to a multiple of the system's page size.
func RoundToPage(n int) int {
	page := os.Getpagesize()
	return (n + page - 1) / page * page
}

// NewRegion makes the memory of one worker and writes its header. The caller closes it.
func NewRegion(cfg Config) (*Region, error) {
	cfg.RequestBytes, cfg.AnswerBytes = RoundToPage(cfg.RequestBytes), RoundToPage(cfg.AnswerBytes)
	switch {
	case cfg.Loops < 1 || cfg.Loops > maxLoops:
		return nil, fmt.Errorf("ring: %d loops, want 1 to %d", cfg.Loops, maxLoops)
	case cfg.MaxFrame < minFrame || cfg.MaxFrame%align != 0:
		return nil, fmt.Errorf("ring: frames of at most %d bytes", cfg.MaxFrame)
	}
	for _, n := range []int{cfg.RequestBytes, cfg.AnswerBytes} {
		if n < cfg.MaxFrame || n > maxRing || bits.OnesCount(uint(n)) != 1 {
			return nil, fmt.Errorf("ring: %d bytes are not a power of two from %d to %d", n, cfg.MaxFrame, maxRing)
		}
	}
	start := RoundToPage(ControlStart + cfg.Loops*ControlSize)
	size := int64(start) + int64(cfg.Loops)*int64(cfg.RequestBytes+cfg.AnswerBytes)
	r := &Region{cfg: cfg}
	var err error
	if r.memory, err = shm.NewMemoryFile("covet-worker", size); err != nil {
		return nil, err
	}
	if err := r.mapAll(int64(start)); err != nil {
		_ = r.Close() // the first error is the one to report
		return nil, err
	}
	b := r.control.Bytes()
	*(*uint32)(unsafe.Pointer(&b[RegionVersion])) = Version
	*(*uint32)(unsafe.Pointer(&b[RegionLoops])) = uint32(cfg.Loops)
	*(*uint32)(unsafe.Pointer(&b[RegionRequestBytes])) = uint32(cfg.RequestBytes)
	*(*uint32)(unsafe.Pointer(&b[RegionAnswerBytes])) = uint32(cfg.AnswerBytes)
	*(*uint32)(unsafe.Pointer(&b[RegionDataStart])) = uint32(start)
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&b[RegionMagic])), Magic)
	return r, nil
}

// OpenRegion is the worker's NewRegion: the memory behind the file that it was handed, for frames of at most maxFrame
// bytes. The file is the Region's from here on, unless there is an error. The caller closes the Region.
func OpenRegion(file *os.File, maxFrame int) (*Region, error) {
	memory, err := shm.OpenMemoryFile(file)
	if err != nil {
		return nil, err
	}
	header, err := memory.Map(0, int64(RoundToPage(ControlStart)))
	if err != nil {
		return nil, err
	}
	b := header.Bytes()
	magic := atomic.LoadUint64((*uint64)(unsafe.Pointer(&b[RegionMagic])))
	word := func(at int) int { return int(*(*uint32)(unsafe.Pointer(&b[at]))) }
	version, start := word(RegionVersion), word(RegionDataStart)
	r := &Region{memory: memory, cfg: Config{
		Loops: word(RegionLoops), RequestBytes: word(RegionRequestBytes), AnswerBytes: word(RegionAnswerBytes), MaxFrame: maxFrame,
	}}
	if err := header.Close(); err != nil {
		return nil, err
	}
	switch {
	case magic != Magic || version != Version:
		return nil, fmt.Errorf("ring: the memory has version %d of the layout, want %d", version, Version)
	case r.cfg.Loops < 1 || r.cfg.Loops > maxLoops || start < ControlStart+r.cfg.Loops*ControlSize:
		return nil, fmt.Errorf("ring: a header with %d loops whose data begins at %d", r.cfg.Loops, start)
	}
	if err := r.mapAll(int64(start)); err != nil {
		_ = r.unmap() // the first error is the one to report
		return nil, err
	}
	return r, nil
}

func (r *Region) mapAll(start int64) (err error) {
	if r.control, err = r.memory.Map(0, start); err != nil {
		return err
	}
	for range r.cfg.Loops {
		for _, n := range []int{r.cfg.RequestBytes, r.cfg.AnswerBytes} {
			m, err := r.memory.MapTwice(start, int64(n))
			if err != nil {
				return err
			}
			r.data = append(r.data, m)
			start += int64(n)
		}
	}
	return nil
}

// File is the memory's file, for the worker process. It stays the Region's.
func (r *Region) File() *os.File { return r.memory.File() }

// Loops is the number of I/O loops.
func (r *Region) Loops() int { return r.cfg.Loops }

// Close unmaps everything; a second Close does nothing. No view of the region may be used afterwards.
func (r *Region) Close() error { return errors.Join(r.unmap(), r.memory.Close()) }

func (r *Region) unmap() error {
	var errs []error
	for _, m := range r.data {
		errs = append(errs, m.Close())
	}
	if r.control != nil {
		errs = append(errs, r.control.Close())
	}
	return errors.Join(errs...)
}

func (r *Region) word32(at int) *uint32 { return (*uint32)(unsafe.Pointer(&r.control.Bytes()[at])) }
func (r *Region) word64(at int) *uint64 { return (*uint64)(unsafe.Pointer(&r.control.Bytes()[at])) }

func controlAt(loop, field int) int { return ControlStart + loop*ControlSize + field }

// Requests returns the ends of a loop's request ring: the engine produces, the worker consumes. In one process only
// one of the two is used, save in tests. Each call returns ends that begin at the ring's present counters.
func (r *Region) Requests(loop int) (*Producer, *Consumer) {
	return r.ends(r.data[2*loop], controlAt(loop, ControlRequestTail), controlAt(loop, ControlRequestHead))
}

// Answers returns the ends of a loop's answer ring: the worker produces, the engine consumes.
func (r *Region) Answers(loop int) (*Producer, *Consumer) {
	return r.ends(r.data[2*loop+1], controlAt(loop, ControlAnswerTail), controlAt(loop, ControlAnswerHead))
}

func (r *Region) ends(m *shm.Mapping, tailAt, headAt int) (*Producer, *Consumer) {
	data, tail, head := m.Bytes(), r.word64(tailAt), r.word64(headAt)
	size := uint64(len(data) / 2)
	t, h := atomic.LoadUint64(tail), atomic.LoadUint64(head)
	return &Producer{data: data, size: size, max: uint64(r.cfg.MaxFrame), shared: tail, peer: head, tail: t, published: t, head: h},
		&Consumer{data: data, size: size, max: uint64(r.cfg.MaxFrame), shared: head, peer: tail, tail: t, head: h, released: h}
}

// WorkerAsleep is raised by the worker before it blocks; whoever takes it rings the worker's doorbell.
func (r *Region) WorkerAsleep() Flag { return Flag{r.word32(RegionAsleep)} }

// LoopAsleep is raised by a loop before it blocks; the worker takes it after publishing answers.
func (r *Region) LoopAsleep(loop int) Flag { return Flag{r.word32(controlAt(loop, ControlAsleep))} }

// Starved is raised by the worker when the loop's answer ring is full; the loop takes it after it has consumed.
func (r *Region) Starved(loop int) Flag { return Flag{r.word32(controlAt(loop, ControlStarved))} }

// Credit is how many exchanges the worker takes at once, 0 before it has said so. The worker may write anything here.
func (r *Region) Credit() uint32 { return atomic.LoadUint32(r.word32(RegionCredit)) }

// SetCredit is the worker's side of Credit.
func (r *Region) SetCredit(n uint32) { atomic.StoreUint32(r.word32(RegionCredit), n) }

// Liveness is what a worker tells of its event loop.
type Liveness struct {
	// Progress grows whenever the event loop comes round or a handler step ends.
	Progress uint64
	// BusySince is when the running handler step began, in nanoseconds of CLOCK_MONOTONIC; 0 between steps.
	BusySince int64
	// BusySlot and BusyLoop name the exchange of that step.
	BusySlot, BusyLoop uint32
	// Handled counts the exchanges answered since the start.
	Handled uint64
}

// Liveness reads the worker's liveness; from any goroutine. The values are the worker's word only.
func (r *Region) Liveness() Liveness {
	return Liveness{
		Progress:  atomic.LoadUint64(r.word64(RegionProgress)),
		BusySince: int64(atomic.LoadUint64(r.word64(RegionBusySince))),
		BusySlot:  atomic.LoadUint32(r.word32(RegionBusySlot)),
		BusyLoop:  atomic.LoadUint32(r.word32(RegionBusyLoop)),
		Handled:   atomic.LoadUint64(r.word64(RegionHandled)),
	}
}

// SetLiveness is the worker's side of Liveness.
func (r *Region) SetLiveness(l Liveness) {
	atomic.StoreUint64(r.word64(RegionProgress), l.Progress)
	atomic.StoreUint64(r.word64(RegionBusySince), uint64(l.BusySince))
	atomic.StoreUint32(r.word32(RegionBusySlot), l.BusySlot)
	atomic.StoreUint32(r.word32(RegionBusyLoop), l.BusyLoop)
	atomic.StoreUint64(r.word64(RegionHandled), l.Handled)
}

// Flag is a word that one side raises and the other takes. All operations are sequentially consistent, which the
// protocol of sleeping needs: the sleeper raises the flag, then looks for work once more; the waker publishes work,
// then looks at the flag. At least one of them sees the other.
type Flag struct{ word *uint32 }

// Raise sets the flag.
func (f Flag) Raise() { atomic.StoreUint32(f.word, 1) }

// Lower clears the flag.
func (f Flag) Lower() { atomic.StoreUint32(f.word, 0) }

// Raised reports whether the flag is set. It is a hint: only Take decides.
func (f Flag) Raised() bool { return atomic.LoadUint32(f.word) != 0 }

// Take clears the flag and reports whether it was set: then the caller, and nobody else, wakes the other side.
func (f Flag) Take() bool {
	// The load first keeps the cache line shared while nobody sleeps, which is nearly always.
	return atomic.LoadUint32(f.word) != 0 && atomic.SwapUint32(f.word, 0) != 0
}

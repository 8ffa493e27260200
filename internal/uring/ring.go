//go:build linux && (amd64 || arm64)

package uring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mode says who runs the kernel's share of completing an operation, and when.
type Mode uint8

const (
	// ModeAuto takes the best mode that the kernel grants, in the order of the following ones.
	ModeAuto Mode = iota
	// ModeDefer runs it only when the ring's thread asks for completions: SINGLE_ISSUER with DEFER_TASKRUN, Linux 6.1.
	ModeDefer
	// ModeCoop runs it when the ring's thread enters the kernel for any reason: COOP_TASKRUN, Linux 5.19.
	ModeCoop
	// ModePlain interrupts the ring's thread for it.
	ModePlain
)

// String is the mode as the report shows it.
func (m Mode) String() string {
	switch m {
	case ModeDefer:
		return "SINGLE_ISSUER|DEFER_TASKRUN"
	case ModeCoop:
		return "COOP_TASKRUN"
	case ModePlain:
		return "no task-run flag"
	}
	return "auto"
}

func (m Mode) flags() uint32 {
	switch m {
	case ModeDefer:
		return setupSingleIssuer | setupDeferTaskrun
	case ModeCoop:
		return setupCoopTaskrun
	}
	return 0
}

// Options tunes a Ring. The zero value works.
type Options struct {
	// Entries is the size of the submission queue; 0 means 1,024. The kernel rounds it up to a power of two.
	Entries int
	// Completions is the size of the completion queue; 0 means 4 × Entries: one submission completes many times.
	Completions int
	// Mode forces a mode; 0 means ModeAuto.
	Mode Mode
}

// vecMax is how many pieces one SendVec takes.
const vecMax = 8

// vecSlot is the memory of one SendVec: a msghdr and its iovecs. There is one beside each submission queue entry, so
// it lives as long as the entry: until the kernel has read it, which it does during the call (FEAT_SUBMIT_STABLE).
//
// Addresses are numbers here: a pointer stored in memory that the garbage collector does not own would outlive what
// it points to, and the write barrier would trip over it.
type vecSlot struct {
	hdr msghdr
	iov [vecMax]iovec
}

// scratch is the memory of the arguments of a wait.
type scratch struct {
	arg eventsArg
	ts  timespec
}

// Ring is an io_uring. It must be made, used and closed by one locked thread.
type Ring struct {
	fd       int
	mode     Mode
	features uint32

	sqHead, sqTail *uint32 // shared with the kernel, which moves the head
	cqHead, cqTail *uint32 // shared with the kernel, which moves the tail
	sqMask, cqMask uint32
	tail           uint32 // the next free submission entry; published by enter
	sqes           []sqe
	cqes           []CQE
	vecs           []vecSlot
	scratch        *scratch

	rings, sqeMem, ownMem []byte // the mappings
}

// errMissing is the cause of New's error on a kernel whose io_uring is too old.
var errMissing = errors.New("this kernel's io_uring lacks features that exist since Linux 5.11")

// New sets a ring up. The error wraps the kernel's errno: see Explain.
func New(o Options) (*Ring, error) {
	if o.Entries <= 0 {
		o.Entries = 1024
	}
	if o.Completions <= 0 {
		o.Completions = 4 * o.Entries
	}
	modes := []Mode{ModeDefer, ModeCoop, ModePlain}
	if o.Mode != ModeAuto {
		modes = []Mode{o.Mode}
	}
	var err error
	for _, m := range modes {
		var r *Ring
		if r, err = setup(o, m); err == nil {
			return r, nil
		}
		if !errors.Is(err, unix.EINVAL) { // an unknown flag; everything else fails for the next mode, too
			break
		}
	}
	return nil, err
}

func setup(o Options, m Mode) (*Ring, error) {
	p := params{flags: m.flags() | setupCQSize | setupClamp | setupSubmitAll, cqEntries: uint32(o.Completions)}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(o.Entries), uintptr(unsafe.Pointer(&p)), 0)
	if errno == unix.EINVAL {
		// Before Linux 5.18 there was no SUBMIT_ALL: a submission that fails then ends its batch, and enter goes on.
		p = params{flags: p.flags &^ setupSubmitAll, cqEntries: uint32(o.Completions)}
		fd, _, errno = unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(o.Entries), uintptr(unsafe.Pointer(&p)), 0)
	}
	if errno != 0 {
		return nil, fmt.Errorf("uring: setup: %w", errno)
	}
	r := &Ring{fd: int(fd), mode: m, features: p.features}
	unix.CloseOnExec(r.fd)
	if p.features&needed != needed {
		_ = r.Close()
		return nil, fmt.Errorf("uring: setup: %w", errMissing)
	}
	if err := r.mapAll(&p); err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("uring: map: %w", err)
	}
	return r, nil
}

func (r *Ring) mapAll(p *params) (err error) {
	const prot, shared = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(CQE{})))
	if r.rings, err = unix.Mmap(r.fd, offSQRing, int(size), prot, shared); err != nil {
		return err
	}
	if r.sqeMem, err = unix.Mmap(r.fd, offSQEs, int(p.sqEntries)*int(unsafe.Sizeof(sqe{})), prot, shared); err != nil {
		return err
	}
	vecBytes := int(p.sqEntries) * int(unsafe.Sizeof(vecSlot{}))
	if r.ownMem, err = mapAnon(vecBytes + int(unsafe.Sizeof(scratch{}))); err != nil {
		return err
	}
	at := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.rings[off])) }
	r.sqHead, r.sqTail, r.sqMask = at(p.sq.head), at(p.sq.tail), *at(p.sq.ringMask)
	r.cqHead, r.cqTail, r.cqMask = at(p.cq.head), at(p.cq.tail), *at(p.cq.ringMask)
	r.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&r.sqeMem[0])), p.sqEntries)
	r.cqes = unsafe.Slice((*CQE)(unsafe.Pointer(&r.rings[p.cq.cqes])), p.cqEntries)
	r.vecs = unsafe.Slice((*vecSlot)(unsafe.Pointer(&r.ownMem[0])), p.sqEntries)
	r.scratch = (*scratch)(unsafe.Pointer(&r.ownMem[vecBytes]))
	r.tail = atomic.LoadUint32(r.sqTail)
	// The indirection array is never used: entry i is always submission i.
	array := unsafe.Slice(at(p.sq.array), p.sqEntries)
	for i := range array {
		array[i] = uint32(i)
	}
	return nil
}

func mapAnon(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

// Mode is the mode in use, never ModeAuto.
func (r *Ring) Mode() Mode { return r.mode }

// Entries is the size of the submission queue.
func (r *Ring) Entries() int { return len(r.sqes) }

// Close closes the ring. The kernel cancels what is in flight, but not before Close returns: cancel it and wait for
// the completions first, or the memory of those submissions must never be used again.
func (r *Ring) Close() error {
	var errs []error
	for _, m := range []*[]byte{&r.rings, &r.sqeMem, &r.ownMem} {
		if *m != nil {
			errs = append(errs, unix.Munmap(*m))
			*m = nil
		}
	}
	if r.fd >= 0 {
		errs = append(errs, unix.Close(r.fd))
		r.fd = -1
	}
	return errors.Join(errs...)
}

// next returns the next free submission entry, zeroed, or nil when the queue is full and the kernel takes nothing:
// it does not while its backlog of completions is full.
func (r *Ring) next() *sqe {
	if r.tail-atomic.LoadUint32(r.sqHead) >= uint32(len(r.sqes)) {
		_, _ = r.enter(0, 0)
		if r.tail-atomic.LoadUint32(r.sqHead) >= uint32(len(r.sqes)) {
			return nil
		}
	}
	e := &r.sqes[r.tail&r.sqMask]
	*e = sqe{}
	return e
}

// push makes the entry that next returned part of the next submission.
func (r *Ring) push() { r.tail++ }

// Queued is the number of submissions that the kernel has not taken.
func (r *Ring) Queued() int { return int(r.tail - atomic.LoadUint32(r.sqHead)) }

// enter submits without blocking. RawSyscall keeps the scheduler out: the call takes as long as the submitted
// operations do inline, and never waits.
func (r *Ring) enter(wait uint32, flags uintptr) (int, error) {
	atomic.StoreUint32(r.sqTail, r.tail)
	n, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(r.Queued()), uintptr(wait), flags, 0, 0)
	return int(n), enterError(errno)
}

// enterError drops the errors that mean "go on": a signal, the timeout, and a backlog that taking completions ends.
func enterError(errno unix.Errno) error {
	switch errno {
	case 0, unix.EINTR, unix.ETIME, unix.EAGAIN, unix.EBUSY:
		return nil
	}
	return fmt.Errorf("uring: enter: %w", errno)
}

// Submit gives what was prepared to the kernel and lets it post completions. It does not block.
func (r *Ring) Submit() error {
	// GETEVENTS also without waiting: with DEFER_TASKRUN nothing completes otherwise, and it moves a backlog of
	// completions into the queue.
	for {
		n, err := r.enter(0, enterGetEvents)
		if err != nil || n <= 0 || r.Queued() == 0 {
			return err
		}
	}
}

// Wait submits what was prepared and blocks until there is a completion or the timeout has passed; a negative
// timeout means for ever. A signal may end the wait early.
func (r *Ring) Wait(timeout time.Duration) error {
	if r.Ready() {
		return r.Submit()
	}
	atomic.StoreUint32(r.sqTail, r.tail)
	r.scratch.arg = eventsArg{}
	if timeout >= 0 {
		r.scratch.ts = timespec{sec: int64(timeout / time.Second), nsec: int64(timeout % time.Second)}
		r.scratch.arg.ts = uint64(uintptr(unsafe.Pointer(&r.scratch.ts)))
	}
	// Syscall6, not RawSyscall6: it releases the processor, and a collection need not wait for this thread.
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(r.Queued()), 1,
		enterGetEvents|enterExtArg, uintptr(unsafe.Pointer(&r.scratch.arg)), unsafe.Sizeof(eventsArg{}))
	return enterError(errno)
}

// Ready reports whether a completion waits to be taken.
func (r *Ring) Ready() bool { return *r.cqHead != atomic.LoadUint32(r.cqTail) }

// Completions moves waiting completions to dst, as many as fit, and returns their number.
func (r *Ring) Completions(dst []CQE) int {
	head := *r.cqHead // only this thread writes it
	n := min(int(atomic.LoadUint32(r.cqTail)-head), len(dst))
	for i := range n {
		dst[i] = r.cqes[(head+uint32(i))&r.cqMask]
	}
	if n > 0 {
		atomic.StoreUint32(r.cqHead, head+uint32(n))
	}
	return n
}

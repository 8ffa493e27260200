//go:build unix

package shm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Doorbell wakes whoever waits for its descriptor to become readable: an eventfd on Linux, a pipe elsewhere. Ringing
// it many times before it is answered is the same as ringing it once.
//
// Both ends are non-blocking and close-on-exec. They are kept away from the runtime's poller on purpose: it would be
// woken by every ring.
type Doorbell struct {
	wait, ring *os.File // the same file for an eventfd
	waitFD     int
	ringFD     atomic.Int32 // -1 when closed
}

// NewDoorbell returns a doorbell that has not been rung.
func NewDoorbell() (*Doorbell, error) {
	waitFD, ringFD, err := openDoorbell()
	if err != nil {
		return nil, fmt.Errorf("shm: doorbell: %w", err)
	}
	d := &Doorbell{waitFD: waitFD}
	d.ringFD.Store(int32(ringFD))
	// os.NewFile puts a descriptor that is non-blocking under the runtime's poller, so that is set afterwards.
	d.wait = os.NewFile(uintptr(waitFD), "doorbell")
	d.ring = d.wait
	if ringFD != waitFD {
		d.ring = os.NewFile(uintptr(ringFD), "doorbell")
	}
	for _, fd := range []int{waitFD, ringFD} {
		if err := unix.SetNonblock(fd, true); err != nil {
			_ = d.Close() // the first error is the one to report
			return nil, fmt.Errorf("shm: doorbell: %w", err)
		}
	}
	return d, nil
}

// OpenDoorbell is the other process's NewDoorbell: the one end that it was handed, to wait on or to ring. The
// file is the Doorbell's from here on.
func OpenDoorbell(end *os.File) (*Doorbell, error) {
	fd := int(end.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("shm: doorbell: %w", err)
	}
	d := &Doorbell{wait: end, ring: end, waitFD: fd}
	d.ringFD.Store(int32(fd))
	return d, nil
}

// FD is the descriptor to wait on for readability.
func (d *Doorbell) FD() int { return d.waitFD }

// WaitEnd is the end to hand to a process that waits, RingEnd to one that rings. They stay the Doorbell's.
func (d *Doorbell) WaitEnd() *os.File { return d.wait }

// RingEnd is the end to hand to a process that rings.
func (d *Doorbell) RingEnd() *os.File { return d.ring }

// Ring makes the descriptor readable. It never blocks and may be called from any goroutine; after Close it does
// nothing. A full pipe or counter means that it has been rung already.
func (d *Doorbell) Ring() {
	if fd := d.ringFD.Load(); fd >= 0 {
		ring(int(fd))
	}
}

// Answer makes the descriptor unreadable again and reports whether it had been rung.
func (d *Doorbell) Answer() bool {
	var b [64]byte
	rung := false
	for {
		n, err := unix.Read(d.waitFD, b[:])
		if n > 0 {
			rung = true
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n < len(b) {
			return rung
		}
	}
}

// Close closes both ends. Nobody may be inside Ring: the owner takes the doorbell away from those who ring it first.
func (d *Doorbell) Close() error {
	if d.ringFD.Swap(-1) < 0 {
		return nil
	}
	err := d.wait.Close()
	if d.ring != d.wait {
		if e := d.ring.Close(); err == nil {
			err = e
		}
	}
	return err
}

// Duplicate returns another descriptor of the same file, for a child process; the caller closes it. It must be called
// before anybody rings or waits: the file is blocking for a moment, lest the runtime's poller takes the duplicate.
func Duplicate(f *os.File) (*os.File, error) {
	fd := int(f.Fd())
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, fmt.Errorf("shm: duplicate: %w", err)
	}
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("shm: duplicate: %w", err)
	}
	if flags&unix.O_NONBLOCK == 0 {
		return os.NewFile(uintptr(copied), f.Name()), nil
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		_ = unix.Close(copied) // the first error is the one to report
		return nil, fmt.Errorf("shm: duplicate: %w", err)
	}
	duplicate := os.NewFile(uintptr(copied), f.Name())
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = duplicate.Close()
		return nil, fmt.Errorf("shm: duplicate: %w", err)
	}
	return duplicate, nil
}

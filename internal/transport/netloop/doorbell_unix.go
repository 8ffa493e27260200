//go:build unix

package netloop

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/transport"
)

// doorbell is the readable descriptor of a source, in a duplicate of its own: closing it ends the wait, whatever
// the caller does with the original.
type doorbell struct {
	s transport.Source
	f *os.File
}

func openDoorbell(fd int) (*doorbell, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("netloop: duplicate doorbell: %w", err)
	}
	// Only a non-blocking descriptor is waited for by the poller instead of by a thread.
	if err := unix.SetNonblock(dup, true); err != nil {
		_ = unix.Close(dup)
		return nil, fmt.Errorf("netloop: doorbell: %w", err)
	}
	return &doorbell{f: os.NewFile(uintptr(dup), "doorbell")}, nil
}

// listen takes rings and wakes the loop for each, until close or the other side's end.
func (d *doorbell) listen(l *loop) {
	var rings [512]byte // the count of an eventfd, or the bytes of a pipe
	for {
		if _, err := d.f.Read(rings[:]); err != nil {
			return
		}
		l.rung.Store(true)
		l.wakeUp()
	}
}

func (d *doorbell) close() { _ = d.f.Close() }

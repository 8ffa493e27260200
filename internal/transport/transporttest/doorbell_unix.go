//go:build unix

package transporttest

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func newPipe(t *testing.T) *doorbell {
	t.Helper()
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatalf("pipe: %v", err)
	}
	for _, fd := range p {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatalf("set non-blocking: %v", err)
		}
	}
	b := &doorbell{t: t, read: p[0], write: p[1], one: []byte{1}}
	t.Cleanup(b.close)
	return b
}

// ring makes the descriptor readable. A full pipe is readable already.
func (b *doorbell) ring() {
	for {
		_, err := unix.Write(b.write, b.one)
		switch {
		case err == nil, errors.Is(err, unix.EAGAIN):
			return
		case !errors.Is(err, unix.EINTR):
			b.t.Errorf("ring: %v", err)
			return
		}
	}
}

func (b *doorbell) close() {
	if b.closed {
		return
	}
	b.closed = true
	_ = unix.Close(b.read)
	if b.write != b.read {
		_ = unix.Close(b.write)
	}
}

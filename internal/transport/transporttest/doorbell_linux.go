package transporttest

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func doorbells(t *testing.T) []doorbellKind {
	t.Helper()
	return []doorbellKind{{"eventfd", newEventfd}, {"pipe", newPipe}}
}

func newEventfd(t *testing.T) *doorbell {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatalf("eventfd: %v", err)
	}
	b := &doorbell{t: t, read: fd, write: fd, one: binary.NativeEndian.AppendUint64(nil, 1)}
	t.Cleanup(b.close)
	return b
}

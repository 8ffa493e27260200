package transporttest

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/transport"
)

// openFiles is the number of descriptors of the process.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatalf("count descriptors: %v", err)
	}
	return len(list) - 1 // the one that the reading itself had
}

// smallWindow dials with a receive buffer so small that megabytes cannot hide in the kernel.
func smallWindow() *net.Dialer {
	return &net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10)
		}); e != nil {
			return e
		}
		return err
	}}
}

// outOfDescriptors lowers the limit of the process to what is open, connects, and expects the connection to be
// accepted when the limit is back.
func outOfDescriptors(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	addr := h.serve(echo(t)).(*net.TCPAddr)
	other := dial(t, addr)
	other.roundTrip()
	l := h.group.Loops()[0]
	var sleeps atomic.Int64
	s := &source{t: t, prepare: func() bool { sleeps.Add(1); return true }}
	h.attach(l, s, newDoorbell(t))

	// A client that needs no further descriptor of the process.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	patient := unix.NsecToTimeval(int64(patience))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patient); err != nil {
		t.Fatal(err)
	}
	// The lowest free number, as a limit, is a table without a free place.
	free, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(free)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = uint64(free)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	restored := false
	restore := func() {
		if !restored {
			restored = true
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
				t.Errorf("restore the limit: %v", err)
			}
		}
	}
	defer restore()
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	settle(other) // open connections are served meanwhile
	before := sleeps.Load()
	eventually(t, "a loop that cannot accept sleeps instead of trying again and again", func() bool {
		other.roundTrip() // wakes it, so that it has a reason to fall asleep again
		return sleeps.Load() > before
	})
	restore()
	if _, err := unix.Write(fd, []byte("?")); err != nil {
		t.Fatalf("write: %v", err)
	}
	var one [1]byte
	for {
		n, err := unix.Read(fd, one[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n != 1 || err != nil || one[0] != '?' {
			t.Fatalf("read %q, %v: the connection was not accepted after the shortage", one[:n], err)
		}
		h.detach(l, s)
		return
	}
}

// evict takes a file out of the system's memory, if the file system has another place for it.
func evict(t *testing.T, f *os.File) {
	t.Helper()
	// What is not written yet stays. A file that is open for reading may be written back, too.
	if err := unix.Fsync(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}

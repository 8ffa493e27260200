//go:build unix

package netloop

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// raw is a wire on the descriptor itself: it waits with the runtime's poller and holds nothing while it does.
//
// The functions given to syscall.RawConn are made once, and get their arguments by fields, so that no call
// allocates. Those of one direction never run at the same time.
type raw struct {
	rc syscall.RawConn

	peek, read func(fd uintptr) bool
	in         []byte
	inN        int
	inErr      error

	room, write func(fd uintptr) bool
	out         []byte
	outN        int
	outErr      error
}

var _ wire = (*raw)(nil)

// newWire returns the best wire for nc.
func newWire(nc net.Conn) wire {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return newPortable(nc)
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return newPortable(nc)
	}
	w := &raw{rc: rc}
	w.peek = func(fd uintptr) bool {
		// One byte looked at and left there. The poller tells edges only, and an edge from before the wait began is
		// forgotten: without this look it could be waited for for ever.
		var one [1]byte
		for {
			_, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK)
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			default:
				w.inErr = err // the kernel tells an error once: keep it for the loop
				return true
			}
		}
	}
	w.read = func(fd uintptr) bool {
		for {
			if w.inN, w.inErr = unix.Read(int(fd), w.in); !errors.Is(w.inErr, unix.EINTR) {
				return true
			}
		}
	}
	w.room = func(fd uintptr) bool {
		p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(p[:], 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	}
	w.write = func(fd uintptr) bool {
		for {
			if w.outN, w.outErr = unix.Write(int(fd), w.out); !errors.Is(w.outErr, unix.EINTR) {
				return true
			}
		}
	}
	return w
}

func (w *raw) await() error {
	w.inErr = nil
	if err := w.rc.Read(w.peek); err != nil {
		return err
	}
	return os.NewSyscallError("recv", w.inErr)
}

func (w *raw) take(p []byte) (int, error) {
	w.in = p
	err := w.rc.Read(w.read)
	w.in = nil
	switch {
	case err != nil:
		return 0, err
	case w.inErr == nil && w.inN == 0:
		return 0, io.EOF
	case w.inErr == nil:
		return w.inN, nil
	case errors.Is(w.inErr, unix.EAGAIN):
		return 0, errAgain
	}
	return 0, os.NewSyscallError("read", w.inErr)
}

func (w *raw) awaitPut() error { return w.rc.Write(w.room) }

func (w *raw) put(p []byte) (int, error) {
	w.out = p
	err := w.rc.Write(w.write)
	w.out = nil
	switch {
	case err != nil:
		return 0, err
	case w.outErr == nil:
		return w.outN, nil
	case errors.Is(w.outErr, unix.EAGAIN):
		return 0, errAgain
	}
	return 0, os.NewSyscallError("write", w.outErr)
}

//go:build unix

package netloop

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/transport"
)

// raw is a wire on the descriptor itself: it waits with the runtime's poller and holds nothing while it does.
//
// The functions given to syscall.RawConn are made once, and get their arguments by fields, so that no call
// allocates. Those of one direction never run at the same time.
type raw struct {
	rc syscall.RawConn

	input, read func(fd uintptr) bool
	failed      func(fd uintptr)
	inPoll      [1]unix.PollFd
	in          []byte
	inN         int
	inErr       error

	room, write func(fd uintptr) bool
	send        func(fd uintptr) bool
	outPoll     [1]unix.PollFd
	out         []byte
	file        int // the descriptor of a file to send, from fileAt on, fileN bytes
	fileAt      int64
	fileN       int
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
	// A look before the wait: the poller tells edges only, and an edge from before the wait began is forgotten.
	w.input = func(fd uintptr) bool { return ready(&w.inPoll, fd, unix.POLLIN) }
	w.room = func(fd uintptr) bool { return ready(&w.outPoll, fd, unix.POLLOUT) }
	w.read = func(fd uintptr) bool {
		for {
			if w.inN, w.inErr = unix.Read(int(fd), w.in); !errors.Is(w.inErr, unix.EINTR) {
				return true
			}
		}
	}
	w.write = func(fd uintptr) bool {
		for {
			if w.outN, w.outErr = unix.Write(int(fd), w.out); !errors.Is(w.outErr, unix.EINTR) {
				return true
			}
		}
	}
	w.send = func(fd uintptr) bool {
		for {
			at := w.fileAt
			w.outN, w.outErr = unix.Sendfile(int(fd), w.file, &w.fileAt, w.fileN)
			w.fileAt = at // some systems move it, some do not; and outN may count what came before an EAGAIN
			if w.outN > 0 {
				w.outErr = nil
			}
			if !errors.Is(w.outErr, unix.EINTR) {
				return true
			}
		}
	}
	w.failed = func(fd uintptr) {
		n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if w.inErr = err; err == nil && n != 0 {
			w.inErr = unix.Errno(n)
		}
	}
	return w
}

// ready reports whether the descriptor is, for events or because of an error.
func ready(p *[1]unix.PollFd, fd uintptr, events int16) bool {
	p[0] = unix.PollFd{Fd: int32(fd), Events: events}
	for {
		n, err := unix.Poll(p[:], 0)
		if !errors.Is(err, unix.EINTR) {
			return n > 0 || err != nil // what is wrong is told by the attempt that follows
		}
	}
}

// waiting reports whether a connection waits to be accepted.
func waiting(l net.Listener) (yes bool) {
	sc, ok := l.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var p [1]unix.PollFd
	err = rc.Control(func(fd uintptr) { yes = ready(&p, fd, unix.POLLIN) })
	return yes && err == nil
}

func (w *raw) await() error { return w.rc.Read(w.input) }

func (w *raw) broken() error {
	if err := w.rc.Control(w.failed); err != nil || w.inErr == nil {
		return err
	}
	return os.NewSyscallError("socket", w.inErr)
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
	if err != nil {
		return 0, err
	}
	return w.written("write")
}

// written is what became of the attempt of the system call to write.
func (w *raw) written(call string) (int, error) {
	switch {
	case w.outErr == nil:
		return w.outN, nil
	case errors.Is(w.outErr, unix.EAGAIN):
		return 0, errAgain
	}
	return 0, os.NewSyscallError(call, w.outErr)
}

func (w *raw) putFile(f *file.File, off int64, n int) (int, error) {
	w.file, w.fileAt, w.fileN = f.Fd(), off, n
	if err := w.rc.Write(w.send); err != nil {
		return 0, err
	}
	if w.outN == 0 && w.outErr == nil {
		return 0, transport.ErrShortFile
	}
	return w.written("sendfile")
}

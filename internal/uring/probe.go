//go:build linux && (amd64 || arm64)

package uring

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Explain says in one sentence what an error of this package means and what to do about it.
func Explain(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return "io_uring is forbidden here, by a seccomp profile (Docker's default one does) or by the sysctl " +
			"kernel.io_uring_disabled: allow io_uring_setup, io_uring_enter and io_uring_register, or set the sysctl to 0"
	case errors.Is(err, unix.ENOSYS):
		return "the kernel has no io_uring, or a sandbox hides it: Linux 6.0 or later built with CONFIG_IO_URING is needed"
	case errors.Is(err, unix.ENOMEM):
		return "the limit of locked memory is too low for the ring: raise RLIMIT_MEMLOCK (ulimit -l, or LimitMEMLOCK= of systemd)"
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return "no file descriptor was left for the ring: raise RLIMIT_NOFILE (ulimit -n)"
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, errMissing), errors.Is(err, errUnsupported):
		return "the kernel's io_uring is too old for this: Linux 6.0 or later is needed, 6.1 for the best mode"
	case errors.Is(err, errSilent):
		return "the operation was accepted but never completed: this kernel's io_uring is broken for it, update the kernel"
	}
	return "it failed unexpectedly: " + err.Error()
}

var (
	errUnsupported = errors.New("uring: operation not supported")
	errSilent      = errors.New("uring: no completion")
)

// probeWait bounds the wait for each completion of the self-test. All of them are due at once.
const probeWait = 2 * time.Second

// Probe tries what a server needs on a ring of its own, by really doing it over socket pairs, and reports what
// works. It takes a few milliseconds.
func Probe() Report {
	done := make(chan Report, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- probe(Options{Entries: 64})
	}()
	return <-done
}

func probe(o Options) Report {
	r, err := New(o)
	if err != nil {
		return Report{Why: Explain(err)}
	}
	rep := Report{Usable: true, Mode: r.Mode().String()}
	add := func(name string, needed bool, err error) {
		rep.Features = append(rep.Features, Feature{Name: name, On: err == nil, Needed: needed, Why: Explain(err)})
		if err != nil && needed && rep.Usable {
			rep.Usable, rep.Why = false, name+": "+Explain(err)
		}
	}
	for _, m := range []Mode{ModeDefer, ModeCoop} {
		add(m.String(), false, tryMode(r, m))
	}
	add("operations", true, r.checkOps())
	bufs, err := r.NewBuffers(0, 8, 4096)
	add("provided buffer rings", true, err)
	if err == nil {
		add("multishot recv and send", true, r.trySockets(bufs))
		add("waiting on non-blocking sockets", true, r.tryNonBlocking(bufs))
	}
	add("multishot accept", true, r.tryAccept())
	add("multishot poll", true, r.tryPoll())
	add("wait with timeout", true, r.tryTimeout())
	err = r.tryZeroCopy()
	rep.ZeroCopy = err == nil
	add("zero-copy send", false, err)
	closed := r.Close()
	// A test that failed may have left a receive in flight: then the buffers stay mapped, a few pages once.
	if bufs != nil && rep.Usable && closed == nil {
		_ = bufs.Free()
	}
	return rep
}

func tryMode(r *Ring, m Mode) error {
	if r.mode == m {
		return nil
	}
	other, err := New(Options{Entries: 2, Mode: m})
	if err != nil {
		return err
	}
	return other.Close()
}

// checkOps asks the kernel which operations it knows.
func (r *Ring) checkOps() error {
	const ops = 64
	type op struct {
		op, _ uint8
		flags uint16
		_     uint32
	}
	var p struct {
		lastOp, opsLen uint8
		_              uint16
		_              [3]uint32
		ops            [ops]op
	}
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), registerProbe, uintptr(unsafe.Pointer(&p)), ops, 0, 0)
	if errno != 0 {
		return fmt.Errorf("uring: probe: %w", errno)
	}
	for _, need := range []int{opPollAdd, opSendMsg, opAccept, opAsyncCancel, opClose, opSend, opRecv} {
		if p.ops[need].flags&1 == 0 { // IO_URING_OP_SUPPORTED
			return fmt.Errorf("operation %d: %w", need, errUnsupported)
		}
	}
	return nil
}

// one waits for one completion.
func (r *Ring) one() (CQE, error) {
	var c [1]CQE
	for deadline := time.Now().Add(probeWait); ; {
		if err := r.Submit(); err != nil {
			return CQE{}, err
		}
		if r.Completions(c[:]) == 1 {
			return c[0], nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return CQE{}, errSilent
		}
		if err := r.Wait(left); err != nil {
			return CQE{}, err
		}
	}
}

// want waits for one completion of userData with a result that is not negative, and, for a multishot submission
// that must stay armed, with More.
func (r *Ring) want(userData uint64, more bool) (CQE, error) {
	c, err := r.one()
	switch {
	case err != nil:
		return c, err
	case c.UserData != userData:
		return c, fmt.Errorf("completion of %d instead of %d", c.UserData, userData)
	case c.Res < 0:
		return c, unix.Errno(-c.Res)
	case more && !c.More():
		return c, fmt.Errorf("multishot ended at once: %w", errUnsupported)
	}
	return c, nil
}

func (r *Ring) cancelAndReap(userData uint64) error {
	r.Cancel(userData, userData+100)
	for {
		c, err := r.one()
		if err != nil {
			return err
		}
		if c.UserData == userData && !c.More() {
			if c.Res != -int32(unix.ECANCELED) {
				return fmt.Errorf("cancelled submission ended with %d", c.Res)
			}
			return nil
		}
	}
}

func (r *Ring) tryAccept() error {
	l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(l)
	// An empty name lets the kernel choose one in the abstract namespace: no file appears.
	if err := unix.Bind(l, &unix.SockaddrUnix{}); err != nil {
		return err
	}
	if err := unix.Listen(l, 4); err != nil {
		return err
	}
	name, err := unix.Getsockname(l)
	if err != nil {
		return err
	}
	r.Accept(l, unix.SOCK_CLOEXEC, 3)
	for range 2 {
		if err := r.Submit(); err != nil {
			return err
		}
		c, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = unix.Connect(c, name)
		if err == nil {
			var done CQE
			if done, err = r.want(3, true); err == nil {
				_ = unix.Close(int(done.Res))
			}
		}
		_ = unix.Close(c)
		if err != nil {
			return err
		}
	}
	return r.cancelAndReap(3)
}

func (r *Ring) tryPoll() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r.Poll(fd, 4)
	if err := r.Submit(); err != nil {
		return err
	}
	for range 3 { // never read in between
		if _, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			return err
		}
		if _, err := r.want(4, true); err != nil {
			return err
		}
	}
	return r.cancelAndReap(4)
}

func (r *Ring) tryTimeout() error {
	if err := r.Wait(time.Millisecond); err != nil {
		return err
	}
	if r.Ready() {
		return errors.New("a completion came out of nowhere")
	}
	return nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

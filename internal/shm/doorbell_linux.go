package shm

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func openDoorbell() (waitFD, ringFD int, err error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	return fd, fd, err
}

// ring adds one to the counter. The call is short and never blocks, so the scheduler of the runtime is not told about
// it: that would cost more than the call.
func ring(fd int) {
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

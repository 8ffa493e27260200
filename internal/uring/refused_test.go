//go:build linux && (amd64 || arm64)

package uring

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refuse makes io_uring_setup fail with errno on the calling thread from now on, as a seccomp profile does.
func refuse(errno unix.Errno) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_IO_URING_SETUP, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}

func TestProbeWhereIOUringIsRefused(t *testing.T) {
	tests := []struct {
		errno unix.Errno
		want  string
	}{
		{unix.EPERM, "seccomp"},
		{unix.ENOSYS, "no io_uring"},
		{unix.ENOMEM, "RLIMIT_MEMLOCK"},
	}
	for _, tt := range tests {
		t.Run(tt.errno.Error(), func(t *testing.T) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				runtime.LockOSThread() // never unlocked: the thread ends here, and the filter with it
				if err := refuse(tt.errno); err != nil {
					t.Errorf("seccomp: %v", err)
					return
				}
				if r, err := New(Options{}); !errors.Is(err, tt.errno) {
					t.Errorf("New = %v, %v; want %v", r, err, tt.errno)
				}
				rep := probe(Options{})
				if rep.Usable || !strings.Contains(rep.Why, tt.want) {
					t.Errorf("report: usable %v, %q", rep.Usable, rep.Why)
				}
			}()
			<-done
		})
	}
}

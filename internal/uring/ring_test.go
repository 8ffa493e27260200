//go:build linux && (amd64 || arm64)

package uring

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The layouts are the kernel's: sizes and offsets that differ corrupt memory.
func TestLayouts(t *testing.T) {
	tests := []struct {
		name      string
		got, want uintptr
	}{
		{"sqe", unsafe.Sizeof(sqe{}), 64},
		{"sqe.user_data", unsafe.Offsetof(sqe{}.userData), 32},
		{"sqe.buf_group", unsafe.Offsetof(sqe{}.bufGroup), 40},
		{"cqe", unsafe.Sizeof(CQE{}), 16},
		{"params", unsafe.Sizeof(params{}), 120},
		{"params.sq_off", unsafe.Offsetof(params{}.sq), 40},
		{"params.cq_off", unsafe.Offsetof(params{}.cq), 80},
		{"getevents_arg", unsafe.Sizeof(eventsArg{}), 24},
		{"buf_reg", unsafe.Sizeof(bufReg{}), 40},
		{"buf", unsafe.Sizeof(bufEntry{}), 16},
		{"buf.tail", unsafe.Offsetof(bufEntry{}.tail), 14},
		{"msghdr", unsafe.Sizeof(msghdr{}), unsafe.Sizeof(unix.Msghdr{})},
		{"msghdr.iov", unsafe.Offsetof(msghdr{}.iov), unsafe.Offsetof(unix.Msghdr{}.Iov)},
		{"iovec", unsafe.Sizeof(iovec{}), unsafe.Sizeof(unix.Iovec{})},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s = %d, want %d", tt.name, tt.got, tt.want)
		}
	}
}

// newRing returns a ring on the test's thread, or skips where the kernel refuses io_uring altogether.
func newRing(t testing.TB, o Options) *Ring {
	t.Helper()
	runtime.LockOSThread()
	r, err := New(o)
	if err != nil {
		runtime.UnlockOSThread()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
			t.Skipf("no io_uring in this mode here: %s", Explain(err))
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
	})
	return r
}

func pair(t testing.TB) [2]int {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(p[:]) })
	return p
}

func TestProbeEveryMode(t *testing.T) {
	for _, m := range []Mode{ModeAuto, ModeDefer, ModeCoop, ModePlain} {
		t.Run(m.String(), func(t *testing.T) {
			newRing(t, Options{Entries: 2, Mode: m})
			rep := probe(Options{Entries: 64, Mode: m})
			if !rep.Usable {
				t.Errorf("not usable: %s", rep.Why)
			}
			for _, f := range rep.Features {
				t.Logf("%-28s on=%v needed=%v %s", f.Name, f.On, f.Needed, f.Why)
				if f.On != (f.Why == "") {
					t.Errorf("%s: on=%v, why=%q", f.Name, f.On, f.Why)
				}
			}
		})
	}
}

func TestExplain(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{unix.EPERM, "seccomp"}, {unix.ENOSYS, "CONFIG_IO_URING"}, {unix.ENOMEM, "RLIMIT_MEMLOCK"},
		{unix.EMFILE, "RLIMIT_NOFILE"}, {unix.EINVAL, "6.0"}, {errMissing, "6.0"}, {errSilent, "never completed"},
		{unix.EIO, "unexpectedly"},
	}
	for _, tt := range tests {
		if got := Explain(fmt.Errorf("wrapped: %w", tt.err)); !strings.Contains(got, tt.want) {
			t.Errorf("Explain(%v) = %q", tt.err, got)
		}
	}
	if Explain(nil) != "" {
		t.Error("Explain(nil) is not empty")
	}
}

func TestSendVec(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	p := pair(t)
	for pieces := 1; pieces <= vecMax; pieces++ {
		var v [][]byte
		for i := range pieces {
			v = append(v, bytes.Repeat([]byte{byte('a' + i)}, 10+i))
		}
		want := bytes.Join(v, nil)
		if !r.SendVec(p[0], v, false, 7) {
			t.Fatal("queue full")
		}
		if c, err := r.want(7, false); err != nil || int(c.Res) != len(want) {
			t.Fatalf("%d pieces: sent %d of %d: %v", pieces, c.Res, len(want), err)
		}
		got := make([]byte, 4096)
		n, err := unix.Read(p[1], got)
		if err != nil || !bytes.Equal(got[:n], want) {
			t.Fatalf("%d pieces: received %q, %v; want %q", pieces, got[:n], err, want)
		}
	}
}

// A full submission queue is submitted to make room, and nothing is lost.
func TestFullSubmissionQueue(t *testing.T) {
	r := newRing(t, Options{Entries: 4, Completions: 256})
	p := pair(t)
	const sends = 100
	for i := range sends {
		if !r.Send(p[0], []byte{byte(i)}, false, uint64(i)) {
			t.Fatalf("send %d refused", i)
		}
	}
	for i := range sends {
		if _, err := r.want(uint64(i), false); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, sends+1)
	if n, err := unix.Read(p[1], got); err != nil || n != sends || got[sends-1] != sends-1 {
		t.Fatalf("read %d, %v", n, err)
	}
}

// More completions than the queue holds are kept by the kernel and come later.
func TestCompletionOverflow(t *testing.T) {
	r := newRing(t, Options{Entries: 4, Completions: 8})
	p := pair(t)
	const sends = 64
	sent, reaped := 0, 0
	var dst [3]CQE
	for sent < sends {
		if r.Send(p[0], []byte{1}, false, 1) {
			sent++
		} else {
			reaped += r.Completions(dst[:])
		}
	}
	for deadline := time.Now().Add(probeWait); reaped < sends && time.Now().Before(deadline); {
		if err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		reaped += r.Completions(dst[:])
	}
	if reaped != sends {
		t.Errorf("%d completions of %d", reaped, sends)
	}
}

func TestBuffersRunOut(t *testing.T) {
	r := newRing(t, Options{Entries: 8})
	bufs, err := r.NewBuffers(3, 4, 16)
	if err != nil {
		t.Fatal(err)
	}
	p := pair(t)
	if _, err := unix.Write(p[1], bytes.Repeat([]byte("x"), 100)); err != nil {
		t.Fatal(err)
	}
	r.Recv(p[0], bufs.Group(), 1)
	var ids []uint16
	for {
		c, err := r.one()
		if err != nil {
			t.Fatal(err)
		}
		if c.Res < 0 {
			if c.Res != -int32(unix.ENOBUFS) || c.More() {
				t.Fatalf("res %d, more %v", c.Res, c.More())
			}
			break
		}
		id, ok := c.Buffer()
		if !ok || c.Res != 16 {
			t.Fatalf("res %d without a full buffer", c.Res)
		}
		ids = append(ids, id)
	}
	if len(ids) != 4 {
		t.Fatalf("%d buffers were filled, want 4", len(ids))
	}
	for _, id := range ids {
		bufs.Return(id)
	}
	bufs.Publish()
	r.Recv(p[0], bufs.Group(), 1)
	if c, err := r.want(1, false); err != nil || c.Res != 16 {
		t.Fatalf("after the buffers came back: res %d, %v", c.Res, err)
	}
	r.CancelFD(p[0], 9)
	if err := r.Submit(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseFD(t *testing.T) {
	r := newRing(t, Options{Entries: 8})
	p := pair(t)
	dup, err := unix.Dup(p[0])
	if err != nil {
		t.Fatal(err)
	}
	r.CloseFD(dup, 1)
	r.CloseFD(1<<20, 2) // the failure is the only one that completes
	if c, err := r.one(); err != nil || c.UserData != 2 || c.Res != -int32(unix.EBADF) {
		t.Fatalf("completion %+v, %v", c, err)
	}
	if _, err := unix.FcntlInt(uintptr(dup), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the descriptor is still open: %v", err)
	}
}

func BenchmarkSendRecv(b *testing.B) {
	r := newRing(b, Options{})
	bufs, err := r.NewBuffers(0, 8, 4096)
	if err != nil {
		b.Fatal(err)
	}
	p := pair(b)
	r.Recv(p[1], 0, 1)
	msg := bytes.Repeat([]byte("m"), 100)
	var done [8]CQE
	b.ReportAllocs()
	for b.Loop() {
		r.Send(p[0], msg, false, 2)
		for left := 2; left > 0; {
			if err := r.Submit(); err != nil {
				b.Fatal(err)
			}
			n := r.Completions(done[:])
			left -= n
			for _, c := range done[:n] {
				if id, ok := c.Buffer(); ok {
					bufs.Return(id)
					bufs.Publish()
				}
			}
		}
	}
}

//go:build unix

package shm

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func newFile(t *testing.T, pages int) (*MemoryFile, int64) {
	t.Helper()
	size := int64(pages * os.Getpagesize())
	m, err := NewMemoryFile("covet-test", size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, size
}

func TestMapTwiceShowsTheSameMemoryBehindItsEnd(t *testing.T) {
	m, _ := newFile(t, 3)
	page := int64(os.Getpagesize())
	twice, err := m.MapTwice(page, 2*page)
	if err != nil {
		t.Fatal(err)
	}
	once, err := m.Map(0, 3*page)
	if err != nil {
		t.Fatal(err)
	}
	b := twice.Bytes()
	if int64(len(b)) != 4*page {
		t.Fatalf("%d bytes mapped, want %d", len(b), 4*page)
	}
	copy(b[2*page-2:], "abcd") // over the end of the first copy
	if got := string(b[:2]); got != "cd" {
		t.Errorf("the first copy begins with %q, want cd", got)
	}
	if got := string(once.Bytes()[3*page-2:]) + string(once.Bytes()[page:page+2]); got != "abcd" {
		t.Errorf("another mapping sees %q, want abcd", got)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	b[0] = 'x' // mappings outlive the file
	for range 2 {
		if err := twice.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if once.Bytes()[page] != 'x' {
		t.Error("the other mapping does not see the write")
	}
	if err := once.Close(); err != nil {
		t.Error(err)
	}
}

func TestBadRangesAreRefused(t *testing.T) {
	page := int64(os.Getpagesize())
	for _, size := range []int64{0, -page, page + 1} {
		if _, err := NewMemoryFile("covet-test", size); err == nil {
			t.Errorf("a file of %d bytes was made", size)
		}
	}
	m, size := newFile(t, 2)
	for _, r := range [][2]int64{{1, page}, {0, page + 1}, {page, 2 * page}, {size, page}, {-page, page}, {0, 0}, {page, 1<<62 + page}} {
		if _, err := m.MapTwice(r[0], r[1]); err == nil {
			t.Errorf("%d bytes at %d of %d were mapped", r[1], r[0], size)
		}
	}
}

func TestNobodyCanChangeTheSize(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // other systems have no seals: documented at NewMemoryFile
	}
	m, size := newFile(t, 2)
	for _, n := range []int64{0, size / 2, size * 2} {
		if err := m.File().Truncate(n); err == nil {
			t.Errorf("the file was truncated to %d bytes", n)
		}
	}
}

func TestDoorbell(t *testing.T) {
	d, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	readable := func() bool {
		fds := []unix.PollFd{{Fd: int32(d.FD()), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	}
	if readable() || d.Answer() {
		t.Error("a new doorbell has been rung")
	}
	for range 100_000 { // more than a pipe holds: never blocks
		d.Ring()
	}
	if !readable() || !d.Answer() || readable() || d.Answer() {
		t.Error("ringing and answering do not match")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d.Ring() // harmless
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestRingDoesNotAllocate(t *testing.T) {
	d, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if n := testing.AllocsPerRun(100, func() { d.Ring(); d.Answer() }); n != 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}

func TestDuplicateRingsTheSameDoorbell(t *testing.T) {
	d, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	f, err := Duplicate(d.RingEnd())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if !d.Answer() {
		t.Error("the duplicate did not ring")
	}
	_ = f.Fd() // exec asks for it
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if d.Answer() { // would block for ever if the file had become blocking
		t.Error("rung again")
	}
}

package ring

import (
	"os"
	"testing"
	"unsafe"

	"github.com/covetpy/covet/internal/shm"
)

// handed is what another process gets: a descriptor of its own.
func handed(t *testing.T, r *Region) *os.File {
	t.Helper()
	f, err := shm.Duplicate(r.File())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // closed already where a Region took it
	return f
}

func TestOpenRegionSeesTheSameRings(t *testing.T) {
	r := newRegion(t, 2, 4096)
	other, err := OpenRegion(handed(t, r), testFrame)
	if err != nil {
		t.Fatal(err)
	}
	if other.Loops() != 2 {
		t.Errorf("%d loops", other.Loops())
	}
	p, _ := r.Requests(1)
	_, c := other.Requests(1)
	if !put(p, 64, 7) {
		t.Fatal("no room")
	}
	p.Publish()
	if f, err := c.Next(); err != nil || len(f) != 64 {
		t.Errorf("%d bytes, %v", len(f), err)
	}
	other.SetLiveness(Liveness{Handled: 9})
	if got := r.Liveness().Handled; got != 9 {
		t.Errorf("handled %d", got)
	}
	for range 2 {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRegionRefusesBadHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		at    int
		value uint32
	}{
		"magic":           {RegionMagic, 1},
		"version":         {RegionVersion, Version + 1},
		"no loops":        {RegionLoops, 0},
		"too many loops":  {RegionLoops, maxLoops + 1},
		"early data":      {RegionDataStart, 8},
		"late data":       {RegionDataStart, 1 << 30},
		"crooked data":    {RegionDataStart, uint32(RoundToPage(ControlStart+ControlSize)) + 8},
		"endless request": {RegionRequestBytes, 1 << 31},
		"no answers":      {RegionAnswerBytes, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, 1, 4096)
			*(*uint32)(unsafe.Pointer(&r.control.Bytes()[c.at])) = c.value
			if other, err := OpenRegion(handed(t, r), testFrame); err == nil {
				_ = other.Close()
				t.Error("it was taken")
			}
		})
	}
}

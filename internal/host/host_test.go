//go:build unix

package host

import "testing"

// TestThisMachine sees that the real files and calls are understood.
func TestThisMachine(t *testing.T) {
	if n := CPUs(); n < 1 {
		t.Errorf("CPUs() = %d", n)
	}
	if b, ok := Memory(); !ok || b < 1<<20 {
		t.Errorf("Memory() = %d, %v", b, ok)
	}
	if v, err := Kernel(); err != nil || v.Major < 3 {
		t.Errorf("Kernel() = %+v, %v", v, err)
	}
	soft, hard, err := FileLimit()
	if err != nil || soft == 0 || soft > hard {
		t.Errorf("FileLimit() = %d, %d, %v", soft, hard, err)
	}
	raised, err := RaiseFileLimit()
	if err != nil || raised != hard {
		t.Errorf("RaiseFileLimit() = %d, %v; want %d", raised, err, hard)
	}
	if soft, _, err = FileLimit(); err != nil || soft != hard {
		t.Errorf("FileLimit() = %d, %v after raising; want %d", soft, err, hard)
	}
}

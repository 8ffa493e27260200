package h1

import (
	"testing"

	"github.com/covetpy/covet/internal/ascii"
)

// kernel is one implementation of a scan, beside what every implementation must say.
type kernel struct {
	name   string
	scan   func(b []byte, i int) int
	member func(c byte) bool
}

func kernels() []kernel {
	query := func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' }
	path := func(c byte) bool { return query(c) && c != '%' && c != '.' && c != '?' && c != '\\' }
	all := []kernel{
		{"name/scalar", scanNameScalar, ascii.IsTokenByte},
		{"name/picked", scanName, ascii.IsTokenByte},
		{"value/scalar", scanValueScalar, ascii.IsValueByte},
		{"value/swar", scanValueSWAR, ascii.IsValueByte},
		{"value/picked", scanValue, ascii.IsValueByte},
		{"path/scalar", scanPathScalar, path},
		{"path/picked", scanPath, path},
		{"query/scalar", scanQueryScalar, query},
		{"query/swar", scanQuerySWAR, query},
		{"query/picked", scanQuery, query},
	}
	return append(all, vectorKernels()...)
}

// check holds one kernel against the definition of its class.
func (k kernel) check(t *testing.T, b []byte, from int) {
	t.Helper()
	want := from
	for want < len(b) && k.member(b[want]) {
		want++
	}
	if got := k.scan(b, from); got != want {
		t.Fatalf("%s from %d of %q: %d, want %d", k.name, from, b, got, want)
	}
}

// TestScanEveryByte puts every byte at every place of inputs that span several words and vectors, among bytes that
// belong to all classes, and before each other such byte.
func TestScanEveryByte(t *testing.T) {
	const size = 53
	b := make([]byte, size)
	for _, k := range kernels() {
		for c := range 256 {
			for at := range size {
				for i := range b {
					b[i] = 'a'
				}
				b[at] = byte(c)
				if at+3 < size {
					b[at+3] = 0
				}
				for _, from := range []int{0, 1, at, min(at+1, size)} {
					k.check(t, b, from)
				}
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("user-agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"), uint8(0))
	f.Add([]byte("/a/b.c?x=%20#y\\z \x7f\x80\xff\t\x1f"), uint8(3))
	ks := kernels()
	f.Fuzz(func(t *testing.T, b []byte, from uint8) {
		for _, k := range ks {
			k.check(t, b, min(int(from), len(b)))
		}
	})
}

package compress

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// FuzzLiveGzip cuts a text into pieces and holds what liveGzip makes of them against the reader of the standard library.
func FuzzLiveGzip(f *testing.F) {
	f.Add([]byte("hello, hello, hello"), uint16(3))
	f.Add(sample(40<<10), uint16(9000))
	f.Add([]byte{}, uint16(1))
	g := &liveGzip{}
	f.Fuzz(func(t *testing.T, text []byte, piece uint16) {
		var out sink
		g.Reset(&out)
		for rest := text; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			if _, err := g.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(out.b))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes in pieces of %d: %d bytes, %v", len(text), piece, len(got), err)
		}
	})
}

// TestEncodersAreReused checks that an encoder that was dropped in the middle of a body makes a clean next one.
func TestEncodersAreReused(t *testing.T) {
	for l := Fast; l < levels; l++ {
		for k := gzipped; k < codings; k++ {
			e := newLive(k, l)
			for _, n := range []int{10, 200 << 10, 0} {
				var out sink
				e.Reset(&out)
				_, _ = e.Write(sample(5000))
				out.b = nil // dropped
				out = sink{}
				e.Reset(&out)
				if _, err := e.Write(sample(n)); err != nil {
					t.Fatal(err)
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(decode(t, k.name(), bytes.NewReader(out.b)))
				if err != nil || !bytes.Equal(got, sample(n)) {
					t.Errorf("%s, level %d, %d bytes: %d bytes, %v", k.name(), l, n, len(got), err)
				}
			}
		}
	}
}

package decompress

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/covetpy/covet/internal/message"
)

// request has the given fields, "name: value" lines.
func request(lines ...string) *message.Request {
	r := &message.Request{}
	r.Reset()
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		at := uint32(len(r.Head))
		r.Head = append(r.Head, l...)
		r.Fields = append(r.Fields, message.Field{
			Name:  message.Span{Off: at, Len: uint32(len(name))},
			Value: message.Span{Off: at + uint32(len(name)) + 2, Len: uint32(len(value))},
		})
		for h := range message.HotCount {
			if strings.EqualFold(name, h.String()) && r.HotFields[h] < 0 {
				r.HotFields[h] = int16(len(r.Fields) - 1)
			}
		}
	}
	return r
}

func TestCodingOf(t *testing.T) {
	for _, c := range []struct {
		lines string
		k     coding
		n     int
	}{
		{"", 0, 0},
		{"Content-Encoding: ", 0, 0},
		{"Content-Encoding: identity", 0, 0},
		{"Content-Encoding: GZIP", gzipped, 1},
		{"content-encoding: x-gzip", gzipped, 1},
		{"content-encoding: br", brotlied, 1},
		{"content-encoding: zstd\t", zstded, 1},
		{"content-encoding: deflate", deflated, 1},
		{"content-encoding: identity, gzip,,", gzipped, 1},
		{"content-encoding: gzip, gzip", gzipped, 2},
		{"content-encoding: gzip|content-encoding: br", brotlied, 2},
		{"content-encoding: lzma", other, 1},
		{"content-encoding: gzip x", other, 1},
		{"content-encoding: gzip;q=1", other, 1},
		{"content-encodings: gzip", 0, 0},
	} {
		k, n := codingOf(request(append([]string{"Host: a"}, strings.Split(c.lines, "|")...)...))
		if n != c.n || n > 0 && k != c.k {
			t.Errorf("%q: %d, %d", c.lines, k, n)
		}
	}
}

func TestNothingToDecodeAllocatesNothing(t *testing.T) {
	r := request("Host: a", "Content-Length: 3", "Content-Type: a/b", "Accept-Encoding: gzip")
	if n := testing.AllocsPerRun(100, func() {
		if _, n := codingOf(r); n != 0 {
			t.Fatal(n)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUndress(t *testing.T) {
	r := request("Host: a", "Content-Length: 3", "Content-MD5: x", "User-Agent: u", "Content-Encoding: gzip", "Repr-Digest: x",
		"Digest: x", "Content-Digest: x", "Content-Type: t", "Transfer-Encoding: chunked", "Accept: c")
	undress(r)
	var names []string
	for _, f := range r.Fields {
		names = append(names, string(r.Bytes(f.Name)))
	}
	if got := strings.Join(names, " "); got != "Host User-Agent Content-Type Transfer-Encoding Accept" {
		t.Errorf("%s are left", got)
	}
	for h, want := range map[message.Hot]string{
		message.HotHost: "a", message.HotUserAgent: "u", message.HotContentType: "t", message.HotAccept: "c", message.HotContentLength: "",
	} {
		if got := string(r.Hot(h)); got != want {
			t.Errorf("%v is %q", h, got)
		}
	}
	if r.HotFields[message.HotContentLength] != -1 {
		t.Error("the length is still indexed")
	}
}

func TestWindow(t *testing.T) {
	for bits := 10; bits <= 24; bits++ {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 5, LGWin: bits})
		_, _ = w.Write([]byte("x"))
		w.Close()
		if size, ok := window(brotlied, b.Bytes(), true); !ok || size != 1<<bits {
			t.Errorf("br %d: %d, %v", bits, size, ok)
		}
	}
	if _, ok := window(brotlied, []byte{0x11}, true); ok {
		t.Error("large-window brotli is taken")
	}
	for size := 1 << 10; size <= 8<<20; size *= 2 {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithWindowSize(size), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("hello"))
		_ = w.Flush() // so that the size is not known, and the window is told
		_, _ = w.Write([]byte("hello"))
		w.Close()
		if got, ok := window(zstded, b.Bytes(), true); !ok || got != int64(size) {
			t.Errorf("zstd %d: %d, %v", size, got, ok)
		}
	}
	for _, n := range []int{1, 255, 256, 300, 65535, 65536, 70000, 9 << 20} {
		e, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
		if err != nil {
			t.Fatal(err)
		}
		b := e.EncodeAll(make([]byte, n), nil)
		if got, ok := window(zstded, b, true); ok != (n <= maxZstdWindow) || ok && got != int64(n) {
			t.Errorf("zstd, a single segment of %d: %d, %v", n, got, ok)
		}
	}
	huge := append(binary.LittleEndian.AppendUint32(nil, 0xfd2fb528), 0, 0xff, 0, 0)
	if _, ok := window(zstded, huge, true); ok {
		t.Error("a window of terabytes is taken")
	}
}

// TestHugeWindowsAreRefused: whoever asks for a window over the bound gets nothing, and no memory is taken for it.
func TestHugeWindowsAreRefused(t *testing.T) {
	d := newDecoder(zstded)
	for _, descriptor := range []byte{0xff, 0x80, 0x69} { // 2 TiB and more, 64 MiB, 9 MiB
		head := append(binary.LittleEndian.AppendUint32(nil, 0xfd2fb528), 0, descriptor, 1, 0, 0, 0, 0)
		if out, err := decodeAll(d, &reader{head}, nil, 1<<20); err == nil {
			t.Errorf("%x: %d bytes", descriptor, len(out))
		}
	}
}

// FuzzWindow: no head makes window fail, or ask for more than there is.
func FuzzWindow(f *testing.F) {
	for _, name := range names {
		f.Add(encode(f, name, []byte("hello, hello")))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		for k := gzipped; k < codings; k++ {
			if size, _ := window(k, head, true); size < 0 || size > maxBrotliWindow {
				t.Fatalf("%x as %d: %d", head, k, size)
			}
		}
	})
}

// FuzzDecode: no body makes a decoder fail in another way than by an error, or give more than the limit; and what is
// decoded at once is what is decoded in pieces.
func FuzzDecode(f *testing.F) {
	for i, name := range names {
		f.Add(uint8(i), encode(f, name, []byte("hello, hello, hello")))
		f.Add(uint8(i), encode(f, name, make([]byte, 100_000)))
		f.Add(uint8(i), []byte{})
	}
	const limit = 64 << 10
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		k := coding(which % uint8(codings))
		if size, ok := window(k, body, true); !ok || size > 1<<20 {
			return // slow, not wrong
		}
		whole, err := decodeAll(newDecoder(k), &reader{body}, nil, limit)
		if err != nil {
			if len(whole) > limit && err != errLarge {
				t.Fatalf("%d bytes, %v", len(whole), err)
			}
			return
		}
		if len(whole) > limit {
			t.Fatalf("%d bytes", len(whole))
		}
		d := newDecoder(k)
		if err := d.Reset(&slow{reader{body}}); err != nil {
			t.Fatal(err)
		}
		pieces, err := io.ReadAll(d)
		if err != nil || !bytes.Equal(pieces, whole) {
			t.Fatalf("in pieces: %d and %d bytes, %v", len(pieces), len(whole), err)
		}
	})
}

// slow gives a byte at a time.
type slow struct{ reader }

func (s *slow) Read(p []byte) (int, error) { return s.reader.Read(p[:min(1, len(p))]) }

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		codings []string
		ok      bool
	}{{nil, true}, {[]string{"gzip", "deflate"}, true}, {[]string{"lzma"}, false}, {[]string{"br", "br"}, false}} {
		cfg := Config{Codings: c.codings}
		if err := cfg.Check(); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.codings, err)
		}
	}
}

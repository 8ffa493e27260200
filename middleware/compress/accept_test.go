package compress

import (
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/message"
)

// request has the given Accept-Encoding lines, between other fields.
func request(lines ...string) *message.Request {
	r := &message.Request{}
	r.Reset()
	add := func(name, value string) {
		f := message.Field{Name: message.Span{Off: uint32(len(r.Head)), Len: uint32(len(name))}}
		r.Head = append(r.Head, name...)
		f.Value = message.Span{Off: uint32(len(r.Head)), Len: uint32(len(value))}
		r.Head = append(r.Head, value...)
		r.Fields = append(r.Fields, f)
	}
	add("Host", "gzip")
	for i, l := range lines {
		if i == 0 {
			r.HotFields[message.HotAcceptEncoding] = int16(len(r.Fields))
		}
		add("Accept-Encoding", l)
		add("Accept", "br")
	}
	return r
}

func chosen(r *message.Request, prefer ...coding) choice {
	var w weights
	w.reset()
	w.read(r)
	return w.choose(prefer)
}

func TestChoose(t *testing.T) {
	const line = "\n"
	for _, c := range []struct {
		accept string
		want   choice
	}{
		{"gzip", choice(gzipped)},
		{"GZip", choice(gzipped)},
		{"x-gzip", choice(gzipped)},
		{"gzip, deflate, br, zstd", choice(zstded)},
		{"gzip, deflate, br", choice(brotlied)},
		{"gzip,br" + line + "zstd", choice(zstded)},
		{"deflate" + line + "deflate" + line + "gzip", choice(gzipped)},
		{"gzip;q=1.0, br;q=0.9, zstd;q=0.8", choice(gzipped)},
		{"gzip;q=0.5, br;q=0.501, zstd;q=0.5", choice(brotlied)},
		{"gzip ; q=0.5 , br\t;\tQ=0.7", choice(brotlied)},
		{"zstd;q=0, br;q=0.0, gzip;q=0.001", choice(gzipped)},
		{"zstd;q=0.000, br;q=0", choice(identity)},
		{"*", choice(zstded)},
		{"*, zstd;q=0", choice(brotlied)},
		{"br;q=0.1, *", choice(zstded)},
		{"gzip, *;q=0", choice(gzipped) | insists},
		{"*;q=0", choice(identity)},
		{"*;q=0, identity", choice(identity)},
		{"gzip, identity;q=0", choice(gzipped) | insists},
		{"identity;q=0", choice(identity)},
		{"identity;q=0, *", choice(zstded) | insists},
		{"identity", choice(identity)},
		{"identity, gzip", choice(gzipped)},
		{"identity;q=1, gzip;q=0.5", choice(identity)},
		{"", choice(identity)},
		{",,", choice(identity)},
		{"deflate, compress, aws", choice(identity)},
		// What is malformed counts for nothing; the rest of the list counts.
		{"br;q=, gzip", choice(gzipped)},
		{"br;q=2, gzip", choice(gzipped)},
		{"br;q=1.001, gzip", choice(gzipped)},
		{"br;q=0.1234, gzip;q=0.2", choice(gzipped)},
		{"br;q=.5, gzip;q=0.2", choice(gzipped)},
		{"br;q=-1, gzip;q=0.2", choice(gzipped)},
		{"br;q=1.x, gzip;q=0.2", choice(gzipped)},
		{"br;level=4, gzip;q=0.2", choice(gzipped)},
		{"br gzip", choice(identity)},
		{"br;q=1.", choice(brotlied)}, // RFC 9110 section 12.4.2: up to three digits
		{"brx, xgzip, zst", choice(identity)},
		{"gzip;q=0.3, gzip;q=0", choice(identity)},
	} {
		if got := chosen(request(strings.Split(c.accept, line)...), zstded, brotlied, gzipped); got != c.want {
			t.Errorf("%q: %b, want %b", c.accept, got, c.want)
		}
	}
	if got := chosen(request(), gzipped); got != choice(identity) {
		t.Errorf("without the field: %b", got)
	}
	if got := chosen(request("zstd, br, gzip"), gzipped, zstded); got != choice(gzipped) {
		t.Errorf("the order of the server: %b", got)
	}
	if got := chosen(request("br, *;q=0.1"), gzipped); got != choice(gzipped) {
		t.Errorf("what is not offered: %b", got)
	}
}

func TestChooseAllocatesNothing(t *testing.T) {
	r := request("gzip;q=0.5, deflate, br;q=1.0", "zstd;q=0.1, *;q=0")
	prefer := []coding{zstded, brotlied, gzipped}
	if n := testing.AllocsPerRun(100, func() { chosen(r, prefer...) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzAcceptEncoding holds the parser against one that splits strings.
func FuzzAcceptEncoding(f *testing.F) {
	for _, s := range []string{"gzip", "gzip;q=0.5,br", "*;q=0,identity;q=1", ";;q=,", "br ; q=0.999", "zstd;q=1.000\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n\x00") {
			return // never in a field value
		}
		h := chosen(request(s), zstded, brotlied, gzipped)
		if k := h.coding(); k >= codings {
			t.Fatalf("%q: %b", s, h)
		} else if k != identity {
			// Whatever is chosen was named, or "*" was, and not only with a weight of zero.
			lower := strings.ToLower(s)
			if !strings.Contains(lower, k.name()) && !strings.Contains(s, "*") {
				t.Fatalf("%q: %s", s, k.name())
			}
		}
		// A list that is said twice, or goes on in a second line, means the same.
		if again := chosen(request(s, s), zstded, brotlied, gzipped); again != h {
			t.Fatalf("%q twice: %b and %b", s, h, again)
		}
	})
}

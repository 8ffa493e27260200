package decompress

import (
	"bytes"

	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// coding is a content coding that this package can decode.
type coding uint8

const (
	gzipped coding = iota
	deflated
	brotlied
	zstded
	codings
	// other stands for every coding that is not known.
	other
)

func codingNamed(name string) (coding, bool) {
	k := parse([]byte(name))
	return k, k != other
}

func parse(name []byte) coding {
	switch {
	case ascii.EqualFold(name, "gzip"), ascii.EqualFold(name, "x-gzip"): // RFC 9110 section 8.4.1.3
		return gzipped
	case ascii.EqualFold(name, "br"):
		return brotlied
	case ascii.EqualFold(name, "zstd"):
		return zstded
	case ascii.EqualFold(name, "deflate"):
		return deflated
	}
	return other
}

// codingOf counts the codings of a request, over all Content-Encoding lines, and returns the last. Identity is none.
func codingOf(r *message.Request) (k coding, n int) {
	for i := range r.Fields {
		f := &r.Fields[i]
		if !ascii.EqualFold(f.Name.In(r.Head), "content-encoding") {
			continue
		}
		for v, more := f.Value.In(r.Head), true; more; {
			var e []byte
			e, v, more = bytes.Cut(v, []byte(","))
			// RFC 9110 section 5.6.1.2: empty elements of a list count for nothing.
			if e = bytes.Trim(e, " \t"); len(e) == 0 || ascii.EqualFold(e, "identity") {
				continue
			}
			k, n = parse(e), n+1
		}
	}
	return k, n
}

// undress takes the fields away that are true of the coded body only. Transfer-Encoding stays, as it does for every body
// that the engine has read.
func undress(r *message.Request) {
	kept := 0
	for i, f := range r.Fields {
		drop := ofCoded(f.Name.In(r.Head))
		for h := range r.HotFields {
			if int(r.HotFields[h]) != i {
				continue
			}
			if r.HotFields[h] = int16(kept); drop {
				r.HotFields[h] = -1
			}
		}
		if !drop {
			r.Fields[kept] = f
			kept++
		}
	}
	r.Fields = r.Fields[:kept]
}

func ofCoded(name []byte) bool {
	switch len(name) {
	case len("content-encoding"):
		return ascii.EqualFold(name, "content-encoding")
	case len("content-length"):
		return ascii.EqualFold(name, "content-length") || ascii.EqualFold(name, "content-digest")
	case len("content-md5"):
		// RFC 9530: digests are of the content, and of the representation, with its coding.
		return ascii.EqualFold(name, "content-md5") || ascii.EqualFold(name, "repr-digest")
	case len("digest"):
		return ascii.EqualFold(name, "digest")
	}
	return false
}

package static

import (
	"bytes"

	"github.com/covetpy/covet/internal/ascii"
)

// The representations of a file, in the order of preference among codings that the client likes equally.
const (
	codedBrotli = iota
	codedZstd
	codedGzip
	identity
	codings
)

// coding names a representation and the ending of its sibling.
type coding struct{ name, ext, mark string }

// codingOf returns the names of a representation.
func codingOf(i int) coding {
	switch i {
	case codedBrotli:
		return coding{"br", ".br", "-br"}
	case codedZstd:
		return coding{"zstd", ".zst", "-zst"}
	case codedGzip:
		return coding{"gzip", ".gz", "-gz"}
	}
	return coding{}
}

// unasked marks a coding that the client has not named.
const unasked = -1

// choose returns the representation, among those there are, that the value of Accept-Encoding prefers (RFC 9110 section
// 12.5.3). Identity is what is left when nothing else is accepted: a client that refuses even that gets it, too.
func choose(accept []byte, there *[codings]bool) int {
	q := [codings]int{unasked, unasked, unasked, unasked}
	any := unasked
	for rest := accept; len(rest) > 0; {
		var one []byte
		one, rest, _ = bytes.Cut(rest, []byte(","))
		name, params, _ := bytes.Cut(one, []byte(";"))
		name = trim(name)
		w := weight(params)
		switch {
		case ascii.EqualFold(name, "br"):
			q[codedBrotli] = w
		case ascii.EqualFold(name, "zstd"):
			q[codedZstd] = w
		case ascii.EqualFold(name, "gzip"), ascii.EqualFold(name, "x-gzip"): // section 8.4.1.3
			q[codedGzip] = w
		case ascii.EqualFold(name, "identity"):
			q[identity] = w
		case len(name) == 1 && name[0] == '*':
			any = w
		}
	}
	best, bestQ := identity, max(q[identity], 0)
	for i := identity - 1; i >= 0; i-- {
		w := q[i]
		if w == unasked {
			w = any
		}
		if there[i] && w > 0 && w >= bestQ {
			best, bestQ = i, w
		}
	}
	return best
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// weight reads the q of parameters in thousandths (RFC 9110 section 12.4.2); a broken one refuses.
//
//	qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
func weight(params []byte) int {
	p := trim(params)
	if len(p) == 0 {
		return 1000
	}
	if len(p) < 3 || p[0]|0x20 != 'q' || p[1] != '=' || len(p) > len("q=0.123") || p[2] != '0' && p[2] != '1' {
		return 0
	}
	w := int(p[2]-'0') * 1000
	for i, scale := 3, 100; i < len(p); i++ {
		switch {
		case i == 3 && p[i] == '.':
		case i > 3 && p[i]-'0' < 10:
			w += int(p[i]-'0') * scale
			scale /= 10
		default:
			return 0
		}
	}
	if w > 1000 {
		return 0
	}
	return w
}

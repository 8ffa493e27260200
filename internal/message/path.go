package message

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// Why a path is refused.
var (
	errPathStart  = errors.New("the path does not start with a slash")
	errPathByte   = errors.New("the path holds a byte that must be percent-encoded")
	errPathEscape = errors.New("the path holds a broken percent-encoding")
	errPathNUL    = errors.New("the path holds a NUL")
	errPathUTF8   = errors.New("the path is not UTF-8")
	errPathClimb  = errors.New("the path climbs above its root")
)

// AppendPath appends the canonical form of a raw path, as [Request.Path] defines it, to dst. It never appends more
// than len(raw) bytes. Escaped reports whether the result still holds a %2F or a %25. A path that has no canonical
// form is an error, whose text may be shown to the client; dst is then returned as it came.
//
// Every protocol uses this one function, so that router, guards and file server cannot disagree about a path. A
// codec may skip it for a path that it knows to be canonical: visible ASCII without %, #, \ and without a segment
// that starts with a dot.
func AppendPath(dst, raw []byte) (path []byte, escaped bool, err error) {
	if len(raw) == 0 || raw[0] != '/' {
		return dst, false, errPathStart
	}
	base, high := len(dst), false
	for i := 0; i < len(raw); {
		// raw[i] is the slash that starts a segment.
		start := len(dst)
		dst = append(dst, '/')
		for i++; i < len(raw) && raw[i] != '/'; i++ {
			c := raw[i]
			// RFC 3986 section 2: anything else is data only when percent-encoded. A backslash is refused because
			// some software reads it as a slash.
			if c <= ' ' || c >= 0x7f || c == '\\' || c == '#' || c == '?' {
				return dst[:base], false, errPathByte
			}
			if c != '%' {
				dst = append(dst, c)
				continue
			}
			if len(raw)-i < 3 {
				return dst[:base], false, errPathEscape
			}
			hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
			if hi|lo > 15 {
				return dst[:base], false, errPathEscape
			}
			i += 2
			switch c = hi<<4 | lo; {
			case c == 0:
				return dst[:base], false, errPathNUL
			case c == '/':
				dst, escaped = append(dst, "%2F"...), true
			case c == '%':
				dst, escaped = append(dst, "%25"...), true
			default:
				dst = append(dst, c)
				high = high || c >= utf8.RuneSelf
			}
		}
		// RFC 3986 section 5.2.4, after decoding: "%2e%2e" climbs like ".." (section 6.2.2.2).
		switch segment := dst[start+1:]; {
		case len(segment) == 1 && segment[0] == '.':
			dst = dst[:start]
		case len(segment) == 2 && segment[0] == '.' && segment[1] == '.':
			if start == base {
				return dst[:base], false, errPathClimb
			}
			dst = dst[:base+bytes.LastIndexByte(dst[base:start], '/')]
		default:
			continue
		}
		if i == len(raw) {
			dst = append(dst, '/') // a dot segment at the end names a directory
		}
	}
	if high && !utf8.Valid(dst[base:]) {
		return dst[:base], false, errPathUTF8
	}
	// A removed segment may have taken the only escape with it.
	escaped = escaped && bytes.IndexByte(dst[base:], '%') >= 0
	return dst, escaped, nil
}

// unhex returns the value of a hexadecimal digit, 0xff for any other byte.
func unhex(c byte) byte {
	switch {
	case c-'0' < 10:
		return c - '0'
	case c|0x20-'a' < 6:
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

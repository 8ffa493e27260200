package h1

import "github.com/covetpy/covet/internal/ascii"

// The scans look for the first byte at or after i that is not of a class, and return its index, len(b) if there is
// none. This file holds the reference, one byte at a time; scan_swar.go looks at 8 bytes at a time, scan_simd.go at
// 16, and scan_pick_*.go says which of them the parser uses. A fuzz test holds all of them against each other.
//
//	name    tchar                                            RFC 9110 section 5.6.2   field names, methods
//	value   visible ASCII, space, tab, obs-text              RFC 9110 section 5.5     field values
//	path    visible ASCII without # % . ? \                  see pathBytes            the path of a target
//	query   visible ASCII without #                          RFC 9112 section 3.2     what follows the ?

// pathBytes marks what can stand in a path without a closer look: visible ASCII (RFC 3986 section 2) except
//
//	%    the path must be decoded
//	.    may start a dot segment
//	?    ends the path
//	#    never sent in a target (RFC 9110 section 7.1)
//	\    read as a slash by some software
var pathBytes = func() (t [256]bool) {
	for c := 0x21; c < 0x7f; c++ {
		t[c] = true
	}
	for _, c := range `%.?#\` {
		t[c] = false
	}
	return t
}()

func scanNameScalar(b []byte, i int) int {
	for i < len(b) && ascii.IsTokenByte(b[i]) {
		i++
	}
	return i
}

func scanValueScalar(b []byte, i int) int {
	for i < len(b) && ascii.IsValueByte(b[i]) {
		i++
	}
	return i
}

func scanPathScalar(b []byte, i int) int {
	for i < len(b) && pathBytes[b[i]] {
		i++
	}
	return i
}

func scanQueryScalar(b []byte, i int) int {
	for i < len(b) && b[i] > ' ' && b[i] < 0x7f && b[i] != '#' {
		i++
	}
	return i
}

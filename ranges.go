package covet

import "github.com/covetpy/covet/internal/ascii"

const (
	// maxRangeSpecs bounds the ranges that are read of a Range field. RFC 9110 section 14.2 allows to ignore many of
	// them; no client in earnest sends so many.
	maxRangeSpecs = 64
	// maxRanges bounds the parts of an answer, after those that overlap or nearly touch have been joined.
	maxRanges = 16
	// rangeGap is the distance in bytes below which two ranges are joined: the head of a part is longer
	// (RFC 9110 section 15.3.7.2).
	rangeGap = 80
)

// byteRange is n bytes from off.
type byteRange struct{ off, n int64 }

func (r byteRange) end() int64 { return r.off + r.n }

// ranged says what a Range field asks for.
type ranged uint8

const (
	// wholeRange: everything, because the field means nothing here, or too much.
	wholeRange ranged = iota
	// partRange: the ranges returned.
	partRange
	// noRange: nothing that exists (416).
	noRange
)

// parseRange reads the value of a Range field for a representation of size bytes, and appends what it asks for to dst,
// in the order asked for, joined where ranges overlap or nearly touch. All of dst together is never more than size.
//
//	bytes=0-99        bytes=100-        bytes=-5        bytes=0-0, 500-599
//
// What is not such a list is ignored as a whole (RFC 9110 section 14.2), and so is a list of more than maxRangeSpecs, or
// one of which more than maxRanges are left: that is how the work, and the heads of parts, stay bounded whatever a
// client sends.
func parseRange(dst []byteRange, value []byte, size int64) ([]byteRange, ranged) {
	const unit = "bytes="
	if len(value) <= len(unit) || !ascii.EqualFold(value[:len(unit)], unit) {
		return dst, wholeRange // an unknown unit must be ignored
	}
	base, specs := len(dst), 0
	for rest := value[len(unit):]; ; {
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t' || rest[0] == ',') {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			break
		}
		if specs++; specs > maxRangeSpecs {
			return dst[:base], wholeRange
		}
		first, a, rest1 := number(rest)
		if len(rest1) == 0 || rest1[0] != '-' {
			return dst[:base], wholeRange
		}
		last, b, rest2 := number(rest1[1:])
		rest = rest2
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			rest = rest[1:]
		}
		if len(rest) > 0 && rest[0] != ',' || !a && !b || a && b && last < first {
			return dst[:base], wholeRange // section 14.1.1: such a list is invalid as a whole
		}
		switch {
		case !a && size == 0 && last > 0:
			// The suffix of nothing is satisfiable (section 14.1.3), and no Content-Range can say so.
			return dst[:base], wholeRange
		case !a && last == 0, a && first >= size:
			continue // not satisfiable
		case !a:
			first, last = max(0, size-last), size-1
		case !b || last >= size:
			last = size - 1
		}
		dst = join(dst, base, byteRange{first, last - first + 1})
	}
	switch n := len(dst) - base; {
	case specs == 0 || n > maxRanges:
		return dst[:base], wholeRange
	case n == 0:
		return dst, noRange
	}
	return dst, partRange
}

// join adds r to list[base:], together with all that it touches, in the place of the first of them.
func join(list []byteRange, base int, r byteRange) []byteRange {
	at := -1
	for i := base; i < len(list); i++ {
		o := list[i]
		if o.off-rangeGap > r.end() || r.off-rangeGap > o.end() {
			continue
		}
		from := min(o.off, r.off)
		r = byteRange{from, max(o.end(), r.end()) - from}
		if at < 0 {
			at = i
			continue
		}
		list = append(list[:i], list[i+1:]...)
		i--
	}
	if at < 0 {
		return append(list, r)
	}
	list[at] = r
	// What has grown may touch one that was passed: those before it.
	for i := base; i < len(list); i++ {
		o := list[i]
		if i == at || o.off-rangeGap > r.end() || r.off-rangeGap > o.end() {
			continue
		}
		list = append(list[:at], list[at+1:]...)
		return join(list, base, r)
	}
	return list
}

// number reads the digits at the front. A number that no file is as long as becomes the largest one.
func number(b []byte) (n int64, found bool, rest []byte) {
	const most = 1<<63 - 1
	i := 0
	for ; i < len(b) && b[i]-'0' < 10; i++ {
		if n > (most-9)/10 {
			n = most
			continue
		}
		n = n*10 + int64(b[i]-'0')
	}
	return n, i > 0, b[i:]
}

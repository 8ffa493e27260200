package h1

import (
	"encoding/binary"
	"math/bits"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// below marks, in the high bit of each byte, the bytes of x that are less than n (n ≤ 128). Bytes above the lowest
// marked one may be marked wrongly, by the borrow; the lowest mark is always right.
func below(x uint64, n byte) uint64 { return (x - ones*uint64(n)) &^ x & highs }

// equal marks the bytes of x that are c, with the same restriction.
func equal(x uint64, c byte) uint64 { return below(x^ones*uint64(c), 1) }

func scanValueSWAR(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		stop := below(x, ' ') | equal(x, 0x7f)
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		if b[i] != '\t' {
			return i
		}
		i++ // a tab, the one control character that a value may hold; too rare for the loop above to know it
	}
	return scanValueScalar(b, i)
}

func scanQuerySWAR(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		stop := below(x, ' '+1) | equal(x, 0x7f) | equal(x, '#') | x&highs
		if stop == 0 {
			i += 8
			continue
		}
		return i + bits.TrailingZeros64(stop)>>3
	}
	return scanQueryScalar(b, i)
}

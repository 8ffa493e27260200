//go:build goexperiment.simd && amd64

package h1

import (
	"math/bits"
	"simd/archsimd"

	"github.com/covetpy/covet/internal/ascii"
)

// The kernels use 128-bit vectors only: their instructions leave no upper halves behind that would have to be
// cleared, and most names and values are shorter than 32 bytes anyhow. All they need is AVX.

// lanes is the number of bytes of a vector.
const lanes = 16

// class is a class of bytes in a form that two shuffles can look up. The byte with the high nibble h and the low
// nibble l belongs to it when low[l] & high[h] is not 0:
//
//	low[l]   bit h tells whether the ASCII byte h<<4 | l belongs to the class
//	high[h]  1<<h for ASCII; for h ≥ 8 either 0, or the bit of a row whose 16 bytes all belong to the class
type class struct{ low, high [lanes]uint8 }

// The rows above ASCII: nothing of them belongs to a class, or all of them do, as all of row 2 (space to slash) do.
const (
	noHigh  = 0
	likeRow = 1 << 2
)

func makeClass(above uint8, member func(c byte) bool) (t class) {
	for c := range byte(0x80) {
		if member(c) {
			t.low[c&15] |= 1 << (c >> 4)
		}
		t.high[c>>4] = 1 << (c >> 4)
		t.high[8|c>>4] = above
	}
	return t
}

var (
	nameClass  = makeClass(noHigh, ascii.IsTokenByte)
	valueClass = makeClass(likeRow, ascii.IsValueByte)
	pathClass  = makeClass(noHigh, func(c byte) bool { return pathBytes[c] })
	queryClass = makeClass(noHigh, func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' })
	nibble     = [lanes]uint8{15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15}
)

// scan16 looks at b from i on, 16 bytes at a time. It returns the index of the first byte outside the class, or where
// fewer than 16 bytes are left, with done false.
func (t *class) scan16(b []byte, i int) (at int, done bool) {
	low, high, mask := archsimd.LoadUint8x16(&t.low), archsimd.LoadUint8x16(&t.high), archsimd.LoadUint8x16(&nibble)
	var zero archsimd.Uint8x16
	for len(b)-i >= lanes {
		x := archsimd.LoadUint8x16Slice(b[i : i+lanes])
		l := x.And(mask)
		h := x.AsUint16x8().ShiftAllRight(4).AsUint8x16().And(mask)
		m := low.PermuteOrZero(l.AsInt8x16()).And(high.PermuteOrZero(h.AsInt8x16()))
		if out := m.Equal(zero).ToBits(); out != 0 {
			return i + bits.TrailingZeros16(out), true
		}
		i += lanes
	}
	return i, false
}

func scanNameSIMD(b []byte, i int) int {
	i, done := nameClass.scan16(b, i)
	if done {
		return i
	}
	return scanNameScalar(b, i)
}

func scanValueSIMD(b []byte, i int) int {
	i, done := valueClass.scan16(b, i)
	if done {
		return i
	}
	return scanValueSWAR(b, i)
}

func scanPathSIMD(b []byte, i int) int {
	i, done := pathClass.scan16(b, i)
	if done {
		return i
	}
	return scanPathScalar(b, i)
}

func scanQuerySIMD(b []byte, i int) int {
	i, done := queryClass.scan16(b, i)
	if done {
		return i
	}
	return scanQuerySWAR(b, i)
}

package frame

import (
	"encoding/binary"
	"fmt"

	"github.com/covetpy/covet/internal/message"
)

// Head is what all frames begin with, without the length, which is the slice's.
type Head struct {
	Type, Flags byte
	Route       uint16
	// Slot and Generation name the exchange.
	Slot, Generation uint32
}

// Error tells that a worker's frame is malformed.
type Error struct {
	Type byte
	What string
}

// Error names the type of the frame by number.
func (e *Error) Error() string { return fmt.Sprintf("frame of type %d: %s", e.Type, e.What) }

// Pad returns n rounded up to the alignment of frames.
func Pad(n int) int { return (n + Align - 1) &^ (Align - 1) }

// ParseHead reads the head of a frame that is at least HeadSize long, as a ring's consumer ensures.
func ParseHead(f []byte) Head {
	f = f[:HeadSize]
	return Head{
		Type: f[Type], Flags: f[Flags], Route: binary.LittleEndian.Uint16(f[Route:]),
		Slot: binary.LittleEndian.Uint32(f[Slot:]), Generation: binary.LittleEndian.Uint32(f[Generation:]),
	}
}

// putHead writes the head of a frame that fills f.
func putHead(f []byte, h Head) {
	binary.LittleEndian.PutUint32(f[Length:], uint32(len(f)))
	f[Type], f[Flags] = h.Type, h.Flags
	binary.LittleEndian.PutUint16(f[Route:], h.Route)
	binary.LittleEndian.PutUint32(f[Slot:], h.Slot)
	binary.LittleEndian.PutUint32(f[Generation:], h.Generation)
}

// putSpan writes a span at off.
func putSpan(f []byte, off int, s message.Span) {
	binary.LittleEndian.PutUint32(f[off:], s.Off)
	binary.LittleEndian.PutUint32(f[off+4:], s.Len)
}

// span reads the span at off and returns the bytes it names, false when they are not inside of f. An empty span may
// have any offset.
func span(f []byte, off int) ([]byte, bool) {
	at, n := uint64(binary.LittleEndian.Uint32(f[off:])), uint64(binary.LittleEndian.Uint32(f[off+4:]))
	if n == 0 {
		return nil, true
	}
	if at < HeadSize || at+n > uint64(len(f)) {
		return nil, false
	}
	return f[at : at+n : at+n], true
}

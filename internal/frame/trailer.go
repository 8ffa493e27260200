package frame

import (
	"encoding/binary"

	"github.com/covetpy/covet/internal/message"
)

// SizeBodyEnd is the length of the BODYEND frame that carries r's trailer section.
func SizeBodyEnd(r *message.Request) int {
	n := BodyEndSize
	for _, f := range r.Trailer {
		n += fieldLengths + int(f.Name.Len) + int(f.Value.Len)
	}
	return Pad(n)
}

// PutBodyEnd writes the BODYEND of a complete body, with r's trailer section, into f, which is SizeBodyEnd long.
func PutBodyEnd(f []byte, h Head, r *message.Request) {
	putHead(f, h)
	binary.LittleEndian.PutUint32(f[Reason:], ReasonComplete)
	binary.LittleEndian.PutUint32(f[BodyEndFieldCount:], uint32(len(r.Trailer))) // and the gap behind it
	at := BodyEndSize
	for _, t := range r.Trailer {
		binary.LittleEndian.PutUint32(f[at:], t.Name.Len)
		binary.LittleEndian.PutUint32(f[at+4:], t.Value.Len)
		at += fieldLengths
		at += copy(f[at:], t.Name.In(r.TrailerHead))
		at += copy(f[at:], t.Value.In(r.TrailerHead))
	}
	putSpan(f, BodyEndFields, message.Span{Off: BodyEndSize, Len: uint32(at - BodyEndSize)})
	clear(f[at:])
}

// ParseEnd checks an END frame and returns its trailer fields, mostly none.
func ParseEnd(f []byte) (Fields, error) {
	if len(f) < EndSize {
		return Fields{}, nil
	}
	return parseFields(f, EndFieldCount, EndFields)
}

package frame

import (
	"encoding/binary"

	"github.com/covetpy/covet/internal/message"
)

// Response is a RESPONSE or START frame, checked. Fields and Body are views into it.
type Response struct {
	Status int // any number of 16 bits: what an application chose
	Type   message.ContentType
	Fields Fields
	Body   []byte // RESPONSE only
	Length int64  // declared length, -1 unknown
	Close  bool
}

// Fields is the block of header fields of a worker's frame, not checked yet: copy the block first, then walk it.
type Fields struct {
	// Block is a view into the frame.
	Block []byte
	// Count is how many fields the block should hold.
	Count int
}

// fieldLengths is what stands before the text of a field: two u32.
const fieldLengths = 8

// Next splits the first field off a block: u32 length of the name, u32 length of the value, name, value. False means
// that the block is malformed.
func Next(block []byte) (name, value, rest []byte, ok bool) {
	if len(block) < fieldLengths {
		return nil, nil, nil, false
	}
	n, v := uint64(binary.LittleEndian.Uint32(block)), uint64(binary.LittleEndian.Uint32(block[4:]))
	if n+v > uint64(len(block)-fieldLengths) {
		return nil, nil, nil, false
	}
	block = block[fieldLengths:]
	return block[:n:n], block[n : n+v : n+v], block[n+v:], true
}

// ParseResponse checks a RESPONSE or START frame.
func ParseResponse(f []byte) (Response, error) {
	if len(f) < ResponseSize {
		return Response{}, &Error{f[Type], "shorter than its fixed part"}
	}
	r := Response{
		Status: int(binary.LittleEndian.Uint16(f[ResponseStatus:])),
		Type:   message.ContentType(f[ResponseType]),
		Length: int64(binary.LittleEndian.Uint64(f[ResponseLength:])),
		Close:  f[Flags]&FlagClose != 0,
	}
	var err error
	if r.Fields, err = parseFields(f, ResponseFieldCount, ResponseFields); err != nil {
		return Response{}, err
	}
	body, ok := span(f, ResponseBody)
	switch {
	case r.Type >= message.ContentCount:
		return Response{}, &Error{f[Type], "its content type has no meaning"}
	case !ok || len(body) > MaxInline:
		return Response{}, &Error{f[Type], "its body does not fit"}
	case r.Length < -1:
		return Response{}, &Error{f[Type], "its length is negative"}
	}
	r.Body = body
	return r, nil
}

func parseFields(f []byte, countAt, spanAt int) (Fields, error) {
	count := int(binary.LittleEndian.Uint16(f[countAt:]))
	block, ok := span(f, spanAt)
	if !ok || count > message.MaxFields || count == 0 && len(block) > 0 {
		return Fields{}, &Error{f[Type], "its fields do not fit"}
	}
	return Fields{Block: block, Count: count}, nil
}

// Problem is an ERROR frame, checked. Code, Message, Details and Fields are views into it.
type Problem struct {
	Status                 int
	Code, Message, Details []byte
	Fields                 Fields
}

// ParseError checks an ERROR frame.
func ParseError(f []byte) (Problem, error) {
	if len(f) < ErrorSize {
		return Problem{}, &Error{f[Type], "shorter than its fixed part"}
	}
	p := Problem{Status: int(binary.LittleEndian.Uint16(f[ErrorStatus:]))}
	var err error
	if p.Fields, err = parseFields(f, ErrorFieldCount, ErrorFields); err != nil {
		return Problem{}, err
	}
	var ok [3]bool
	p.Code, ok[0] = span(f, ErrorCode)
	p.Message, ok[1] = span(f, ErrorMessage)
	p.Details, ok[2] = span(f, ErrorDetails)
	if ok != [3]bool{true, true, true} {
		return Problem{}, &Error{f[Type], "its texts do not fit"}
	}
	return p, nil
}

package frame

import (
	"encoding/binary"

	"github.com/covetpy/covet/internal/message"
)

// This file is the worker's side in Go: what fake workers and tests need. Real workers are written in C.

// Request is a REQUEST frame as a worker sees it. Everything is a view into the frame.
type Request struct {
	Head
	Method                                         message.Method
	Version                                        message.Version
	ContentLength                                  int64
	ID                                             [16]byte
	MethodName, Target, Path, Query, Authority     []byte
	Body                                           []byte
	Family                                         byte
	RemoteAddr, LocalAddr                          [16]byte
	RemotePort, LocalPort                          uint16
	frame                                          []byte
	fieldCount, paramCount, fieldTable, paramTable int
}

// ParseRequest checks a REQUEST frame.
func ParseRequest(f []byte) (Request, error) {
	if len(f) < RequestSize {
		return Request{}, &Error{f[Type], "shorter than its fixed part"}
	}
	r := Request{
		Head: ParseHead(f), frame: f,
		Method: message.Method(f[RequestMethod]), Version: message.Version(f[RequestVersion]), Family: f[RequestFamily],
		ContentLength: int64(binary.LittleEndian.Uint64(f[RequestContentLength:])),
		ID:            [16]byte(f[RequestID:]), RemoteAddr: [16]byte(f[RequestRemoteAddr:]), LocalAddr: [16]byte(f[RequestLocalAddr:]),
		RemotePort: binary.LittleEndian.Uint16(f[RequestRemotePort:]), LocalPort: binary.LittleEndian.Uint16(f[RequestLocalPort:]),
		fieldCount: int(binary.LittleEndian.Uint16(f[RequestFieldCount:])),
		paramCount: int(binary.LittleEndian.Uint16(f[RequestParamCount:])),
		fieldTable: int(binary.LittleEndian.Uint32(f[RequestFields:])),
		paramTable: int(binary.LittleEndian.Uint32(f[RequestParams:])),
	}
	for _, s := range []struct {
		dst *[]byte
		at  int
	}{
		{&r.MethodName, RequestMethodName}, {&r.Target, RequestTarget}, {&r.Path, RequestPath}, {&r.Query, RequestQuery},
		{&r.Authority, RequestAuthority}, {&r.Body, RequestBody},
	} {
		var ok bool
		if *s.dst, ok = span(f, s.at); !ok {
			return Request{}, &Error{f[Type], "a span does not fit"}
		}
	}
	if r.fieldTable+r.fieldCount*FieldEntry > len(f) || r.paramTable+r.paramCount*ParamEntry > len(f) {
		return Request{}, &Error{f[Type], "a table does not fit"}
	}
	for i := range r.fieldCount {
		_, ok1 := span(f, r.fieldTable+i*FieldEntry)
		_, ok2 := span(f, r.fieldTable+i*FieldEntry+8)
		if !ok1 || !ok2 {
			return Request{}, &Error{f[Type], "a field does not fit"}
		}
	}
	for i := range r.paramCount {
		if _, ok := span(f, r.paramTable+i*ParamEntry); !ok {
			return Request{}, &Error{f[Type], "a parameter does not fit"}
		}
	}
	return r, nil
}

// FieldCount and ParamCount are how many fields and parameters there are.
func (r *Request) FieldCount() int { return r.fieldCount }

// ParamCount is how many parameters there are.
func (r *Request) ParamCount() int { return r.paramCount }

// Field returns field i.
func (r *Request) Field(i int) (name, value []byte) {
	name, _ = span(r.frame, r.fieldTable+i*FieldEntry)
	value, _ = span(r.frame, r.fieldTable+i*FieldEntry+8)
	return name, value
}

// Param returns the text of parameter i.
func (r *Request) Param(i int) []byte {
	v, _ := span(r.frame, r.paramTable+i*ParamEntry)
	return v
}

// Hot returns the index of the first field of that name, or NoField.
func (r *Request) Hot(h message.Hot) uint16 {
	return binary.LittleEndian.Uint16(r.frame[RequestHot+2*int(h):])
}

// AppendResponse appends a RESPONSE (or START) frame to dst. Pairs are name, value, name, value.
func AppendResponse(dst []byte, h Head, status int, t message.ContentType, length int64, body []byte, pairs ...string) []byte {
	block := appendFields(nil, pairs)
	f := make([]byte, Pad(ResponseSize+len(block)+len(body)))
	putHead(f, h)
	binary.LittleEndian.PutUint16(f[ResponseStatus:], uint16(status))
	f[ResponseType] = byte(t)
	binary.LittleEndian.PutUint16(f[ResponseFieldCount:], uint16(len(pairs)/2))
	binary.LittleEndian.PutUint64(f[ResponseLength:], uint64(length))
	at := put(f, ResponseFields, ResponseSize, block)
	put(f, ResponseBody, at, body)
	return append(dst, f...)
}

// AppendError appends an ERROR frame to dst.
func AppendError(dst []byte, h Head, status int, code, text, details string, pairs ...string) []byte {
	block := appendFields(nil, pairs)
	f := make([]byte, Pad(ErrorSize+len(code)+len(text)+len(details)+len(block)))
	putHead(f, h)
	binary.LittleEndian.PutUint16(f[ErrorStatus:], uint16(status))
	binary.LittleEndian.PutUint16(f[ErrorFieldCount:], uint16(len(pairs)/2))
	at := put(f, ErrorCode, ErrorSize, []byte(code))
	at = put(f, ErrorMessage, at, []byte(text))
	at = put(f, ErrorDetails, at, []byte(details))
	put(f, ErrorFields, at, block)
	return append(dst, f...)
}

// AppendEnd appends an END frame with trailer fields to dst: name, value, name, value.
func AppendEnd(dst []byte, h Head, pairs ...string) []byte {
	block := appendFields(nil, pairs)
	f := make([]byte, Pad(EndSize+len(block)))
	putHead(f, h)
	binary.LittleEndian.PutUint16(f[EndFieldCount:], uint16(len(pairs)/2))
	put(f, EndFields, EndSize, block)
	return append(dst, f...)
}

// ParseBodyEnd returns the reason and the trailer section of a BODYEND frame.
func ParseBodyEnd(f []byte) (reason uint32, fields Fields, err error) {
	if reason, err = ParseSignal(f); err != nil || f[BodyEndFieldCount]|f[BodyEndFieldCount+1] == 0 {
		return reason, Fields{}, err
	}
	if len(f) < BodyEndSize {
		return 0, Fields{}, &Error{f[Type], "shorter than its fixed part"}
	}
	fields, err = parseFields(f, BodyEndFieldCount, BodyEndFields)
	return reason, fields, err
}

// put copies data to at and writes its span at spanAt; it returns the end.
func put(f []byte, spanAt, at int, data []byte) int {
	if len(data) > 0 {
		putSpan(f, spanAt, message.Span{Off: uint32(at), Len: uint32(len(data))})
	}
	return at + copy(f[at:], data)
}

func appendFields(dst []byte, pairs []string) []byte {
	for i := 0; i+1 < len(pairs); i += 2 {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(pairs[i])))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(pairs[i+1])))
		dst = append(append(dst, pairs[i]...), pairs[i+1]...)
	}
	return dst
}

package message

import (
	"bytes"
	"strings"

	"github.com/covetpy/covet/internal/ascii"
)

// ContentType numbers the content types that need no text in a frame or a table.
type ContentType uint8

// The numbers are part of the bridge's layout: never reorder them.
const (
	// ContentNone: no Content-Type, or one among the fields.
	ContentNone ContentType = iota
	ContentJSON
	ContentText
	ContentHTML
	ContentOctets
	ContentProblem
	// ContentCount is how many numbers there are.
	ContentCount
)

// String returns the field value, "" for ContentNone.
func (c ContentType) String() string {
	switch c {
	case ContentJSON:
		return "application/json"
	case ContentText:
		return "text/plain; charset=utf-8"
	case ContentHTML:
		return "text/html; charset=utf-8"
	case ContentOctets:
		return "application/octet-stream"
	case ContentProblem:
		return "application/problem+json"
	}
	return ""
}

// Response is the head of a response and, for those that are whole, its body.
//
// Content-Length, Transfer-Encoding, Connection, Date and Server belong to the codec, which drops such fields from
// handlers (a Content-Length in answer to HEAD is kept through Length). Field names and values are checked when they
// are added: a CR, LF or NUL never reaches the wire.
type Response struct {
	Status int
	Type   ContentType
	// Length is the declared length of a streamed body or of the body that a HEAD answer stands for; -1 if unknown.
	// It is ignored for a whole response to anything but HEAD: Body tells.
	Length int64
	// Body is the whole body of Stream.Respond. It may be memory of anyone (a ring, a constant): it is copied
	// before Respond returns.
	Body []byte
	// Opaque says that the body must reach the client as it is: it is sent from a file, or is a part of something.
	// Middleware that changes bodies leaves it alone.
	Opaque bool
	// Close asks for the connection to end after this response.
	Close bool

	// fields holds the added fields as they will be on the wire: "name: value\r\n" each. Names in lower case.
	fields []byte
	// trailers holds the trailer fields likewise; announced, the names of a Trailer field, ", " between them.
	trailers, announced []byte
	// offer is the value of the Upgrade field.
	offer string
}

// Reset makes r ready for the next exchange and keeps its memory.
func (r *Response) Reset() {
	fields, trailers, announced := r.fields[:0], r.trailers[:0], r.announced[:0]
	if cap(trailers)+cap(announced) > maxKeptTrailers {
		trailers, announced = nil, nil
	}
	*r = Response{Status: 200, Length: -1, fields: fields, trailers: trailers, announced: announced}
}

// maxKeptTrailers bounds the memory for trailer fields that an unused Response keeps, in bytes.
const maxKeptTrailers = 8 << 10

// Fields returns the added fields in wire form, "name: value\r\n" each, for the codec.
func (r *Response) Fields() []byte { return r.fields }

// AddField appends a field. It reports false, and adds nothing, when the name is not a token or the value holds a
// byte that could split the response (RFC 9110 section 5.5). Fields that the codec owns are accepted and dropped, but
// for two: Trailer announces names (see AddTrailer), Upgrade makes an offer (see Offer).
func (r *Response) AddField(name, value string) bool { return addField(r, name, value) }

// AddFieldBytes is AddField for bytes, which are copied.
func (r *Response) AddFieldBytes(name, value []byte) bool { return addField(r, name, value) }

func addField[T ascii.Text](r *Response, name, value T) bool {
	if !ascii.IsToken(name) || !ascii.IsValue(value) {
		return false
	}
	start := len(r.fields)
	r.fields = append(r.fields, name...)
	ascii.LowerInPlace(r.fields[start:])
	if codecOwns(r.fields[start:]) {
		switch string(r.fields[start:]) {
		case "trailer":
			announce(r, value)
		case "upgrade":
			r.offer = string(value)
		}
		r.fields = r.fields[:start]
		return true
	}
	r.fields = append(r.fields, ": "...)
	r.fields = append(r.fields, value...)
	r.fields = append(r.fields, "\r\n"...)
	return true
}

// SetField replaces every field of that name by one.
func (r *Response) SetField(name, value string) bool {
	if !ascii.IsToken(name) || !ascii.IsValue(value) {
		return false
	}
	r.RemoveField(name)
	return r.AddField(name, value)
}

// RemoveField removes every field of that name.
func (r *Response) RemoveField(name string) {
	kept := r.fields[:0]
	for rest := r.fields; len(rest) > 0; {
		line, after := nextLine(rest)
		rest = after
		if n, _ := cutField(line); !strings.EqualFold(string(n), name) {
			kept = append(kept, line...)
		}
	}
	r.fields = kept
	switch {
	case strings.EqualFold(name, "trailer"):
		r.announced = r.announced[:0]
	case strings.EqualFold(name, "upgrade"):
		r.offer = ""
	}
}

// Offer is the value of the Upgrade field (RFC 9110 section 7.8): the protocols that the server would rather speak,
// as a response with 426 must tell. The codec sends it with its Connection option. Empty: none.
func (r *Response) Offer() string { return r.offer }

// nextLine splits the first line, with its end, off fields in wire form: values hold no LF, see addField.
func nextLine(fields []byte) (line, rest []byte) {
	end := bytes.IndexByte(fields, '\n') + 1
	return fields[:end], fields[end:]
}

// cutField splits a line in wire form.
func cutField(line []byte) (name, value []byte) {
	colon := bytes.IndexByte(line, ':')
	return line[:colon], line[colon+len(": ") : len(line)-len("\r\n")]
}

// EachField calls f for every line of fields in wire form, such as Fields and Trailers.
func EachField(fields []byte, f func(name, value []byte)) {
	for len(fields) > 0 {
		line, rest := nextLine(fields)
		fields = rest
		f(cutField(line))
	}
}

// Field returns the value of the first field of the given lower-case name, nil when there is none.
func (r *Response) Field(lower string) []byte {
	for rest := r.fields; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		line := rest[:end]
		rest = rest[end:]
		if len(line) >= len(lower)+len(": \r\n") && string(line[:len(lower)]) == lower && line[len(lower)] == ':' {
			return line[len(lower)+2 : end-2]
		}
	}
	return nil
}

// codecOwns reports whether framing depends on the field, so that only the codec may write it.
func codecOwns(lower []byte) bool {
	switch string(lower) {
	case "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "date", "server", "trailer", "te":
		return true
	}
	return false
}

// CopyFrom makes r a copy of o, without its Body, in memory of r: for a handler that prepares the response off the
// loop while the loop may need its own.
func (r *Response) CopyFrom(o *Response) {
	fields, trailers, announced := append(r.fields[:0], o.fields...), append(r.trailers[:0], o.trailers...), append(r.announced[:0], o.announced...)
	*r = *o
	r.Body, r.fields, r.trailers, r.announced = nil, fields, trailers, announced
}

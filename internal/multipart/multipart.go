// Package multipart provides a multipart/form-data parser (RFC 7578, RFC 2046 section 5.1) that does no I/O: bytes in,
// events out.
//
// The caller keeps the bytes and shows the parser those it has not consumed yet:
//
//	p := multipart.New(boundary, multipart.Limits{})
//	for {
//		ev, n, err := p.Next(buf[r:w], eof)
//		r += n
//		switch {
//		case err != nil:                  // *multipart.Error; the parser is finished
//		case ev == multipart.More:        // move buf[r:w] to the front, read behind it, set eof at the end of the body
//		case ev == multipart.PartBegin:   // p.Part() describes the part
//		case ev == multipart.Data:        // p.Data() is a view into buf: use it before buf changes
//		case ev == multipart.PartEnd:
//		case ev == multipart.End:         // the body is complete
//		}
//	}
//
// Between two events, at most Limits.HeadBytes + [Slack] bytes stay unconsumed: a buffer of that size always gets on.
// The work is linear in the size of the body, however it is split and whatever it is made of.
//
// The dialect is strict where a second parser could read the same bytes in another way: lines end with CRLF and nothing
// else, nothing may follow a boundary on its line but padding, header fields are not folded, and neither the fields
// that matter nor their parameters may repeat. testdata holds cases that this parser and the one in Python are both
// tested with.
package multipart

import "bytes"

// Event is what [Parser.Next] has found.
type Event uint8

const (
	// More asks for more bytes behind those that were not consumed.
	More Event = iota
	// PartBegin is the head of a part: see [Parser.Part].
	PartBegin
	// Data is a piece of the part: see [Parser.Data]. It is never empty.
	Data
	// PartEnd ends the part.
	PartEnd
	// End is the end of the body, after its epilogue. It is the last event.
	End
)

// Slack is how many bytes a boundary takes at most, with what stands around it.
const Slack = maxBoundary + maxPadding + 8

// maxPadding bounds the white space between a boundary and the end of its line. RFC 2046 section 5.1.1 sees it as
// added by transports, of which HTTP is none that does.
const maxPadding = 64

// state is where the parser stands in the body:
//
//	[ preamble CRLF ] "--" boundary ( padding CRLF head CRLF data CRLF "--" boundary )* "--" [ epilogue ]
//	│ start, preamble               │ delimiter    │ head     │ dataStart, data     │ delimiter  │ epilogue
type state uint8

const (
	start state = iota
	preamble
	delimiter
	head
	dataStart
	data
	epilogue
	over
)

// Parser is the state of one body. It is used by one goroutine at a time.
type Parser struct {
	limits Limits
	delim  []byte // CRLF "--" boundary
	state  state
	err    *Error
	part   Part
	data   []byte

	scanned int // how much of the unconsumed head was searched for its end
	skipped int // bytes of the preamble, or of the epilogue

	parts, fields, files int
	partSize             int64 // of this part's data
	fieldsSize           int64 // of all fields' names and data
	size                 int64 // of everything consumed
}

// New returns a parser for a body with that boundary, which is a valid one: see [Boundary].
func New(boundary string, limits Limits) *Parser {
	return &Parser{limits: limits.withDefaults(), delim: append([]byte("\r\n--"), boundary...)}
}

// Part describes the part that the last [PartBegin] began, until the next one.
func (p *Parser) Part() *Part { return &p.part }

// Data is the piece of the last [Data] event: a view into the bytes that were given to Next.
func (p *Parser) Data() []byte { return p.data }

// Next looks at in, the bytes that were not consumed so far, and returns what it found first, with the number of
// bytes that this consumed. Last says that nothing follows in; then the event is never More. The error is an *Error,
// and stays.
func (p *Parser) Next(in []byte, last bool) (ev Event, n int, err error) {
	if p.err != nil {
		return More, 0, p.err
	}
	for {
		ev, used, e := p.step(in[n:], last)
		n += used
		p.size += int64(used)
		switch {
		case e == nil && p.size > p.limits.Size:
			e = limitError(ErrSize, "the form is over %d bytes", p.limits.Size)
		case e == nil && ev == More && last:
			e = truncated()
		}
		if e != nil {
			p.err, p.state = e, over
			return More, n, e
		}
		if ev != again {
			return ev, n, nil
		}
	}
}

// again is no event: a step has changed the state, and the next one looks at once.
const again Event = 255

func (p *Parser) step(in []byte, last bool) (Event, int, *Error) {
	switch p.state {
	case start, dataStart:
		return p.first(in, last)
	case preamble:
		return p.skipPreamble(in)
	case delimiter:
		return p.delimiterLine(in)
	case head:
		return p.readHead(in)
	case data:
		return p.readData(in)
	case epilogue:
		if p.skipped += len(in); p.skipped > p.limits.Epilogue {
			return More, 0, limitError(ErrEpilogue, "more than %d bytes follow the last boundary", p.limits.Epilogue)
		}
		if last {
			p.state = over
			return End, len(in), nil
		}
		return More, len(in), nil
	}
	return End, 0, nil
}

// first looks for a boundary at the very beginning, where no CRLF of its own precedes it: of the body, or of a part
// whose head is followed by the next boundary (RFC 2046 section 5.1.1: the CRLF before a boundary belongs to it).
func (p *Parser) first(in []byte, last bool) (Event, int, *Error) {
	dash := p.delim[2:]
	if len(in) < len(dash) && bytes.HasPrefix(dash, in) && !last {
		return More, 0, nil
	}
	begin := p.state == start
	if !bytes.HasPrefix(in, dash) {
		p.state = data
		if begin {
			p.state = preamble
		}
		return again, 0, nil
	}
	p.state, p.skipped = delimiter, 0
	if begin {
		return again, len(dash), nil
	}
	return PartEnd, len(dash), nil
}

func (p *Parser) skipPreamble(in []byte) (Event, int, *Error) {
	i := bytes.Index(in, p.delim)
	n := i
	if i < 0 {
		n = len(in) - p.held(in)
	}
	if p.skipped += n; p.skipped > p.limits.Preamble {
		return More, 0, limitError(ErrPreamble, "no boundary within the first %d bytes", p.limits.Preamble)
	}
	if i < 0 {
		return More, n, nil
	}
	p.state, p.skipped = delimiter, 0
	return again, i + len(p.delim), nil
}

// held is how many bytes at the end of in may be the beginning of a boundary. The boundary has one CR, its first
// byte: only the last CR of in can begin one that is not complete.
func (p *Parser) held(in []byte) int {
	tail := in[max(0, len(in)-len(p.delim)+1):]
	if i := bytes.LastIndexByte(tail, '\r'); i >= 0 && bytes.HasPrefix(p.delim, tail[i:]) {
		return len(tail) - i
	}
	return 0
}

// delimiterLine reads what follows a boundary: "--" ends the body, padding and CRLF begin a part. RFC 2046 section
// 5.1.1 forbids data that begins with a boundary at the start of a line, so anything else is an error: other parsers
// take it for data, or for a boundary.
func (p *Parser) delimiterLine(in []byte) (Event, int, *Error) {
	if len(in) >= 2 && in[0] == '-' && in[1] == '-' {
		p.state, p.skipped = epilogue, 0
		return again, 2, nil
	}
	if len(in) == 0 || len(in) == 1 && in[0] == '-' {
		return More, 0, nil
	}
	i := 0
	for i < len(in) && i <= maxPadding && (in[i] == ' ' || in[i] == '\t') {
		i++
	}
	switch rest := in[i:]; {
	case i > maxPadding:
	case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
		return More, 0, nil
	case len(rest) >= 2 && rest[0] == '\r' && rest[1] == '\n':
		p.state, p.scanned = head, 0
		return again, i + 2, nil
	}
	return More, 0, formError(ErrDelimiter, "a boundary is followed by something else")
}

func (p *Parser) readHead(in []byte) (Event, int, *Error) {
	end, n := -1, 0
	switch {
	case bytes.HasPrefix(in, []byte("\r\n")):
		end, n = 0, 2
	default:
		from := max(0, p.scanned-3)
		if i := bytes.Index(in[from:], []byte("\r\n\r\n")); i >= 0 {
			end, n = from+i+2, from+i+4
		}
	}
	if max(end, 0) > p.limits.HeadBytes || end < 0 && len(in) > p.limits.HeadBytes+2 {
		return More, 0, limitError(ErrHeadBytes, "the head of a part is over %d bytes", p.limits.HeadBytes)
	}
	if end < 0 {
		p.scanned = len(in)
		return More, 0, nil
	}
	if p.parts++; p.parts > p.limits.Parts {
		return More, 0, limitError(ErrParts, "the form has more than %d parts", p.limits.Parts)
	}
	if e := p.part.parse(in[:end], p.limits.HeadLines); e != nil {
		return More, 0, e
	}
	p.partSize, p.state = 0, dataStart
	if p.part.IsFile {
		if p.files++; p.files > p.limits.Files {
			return More, 0, limitError(ErrFiles, "the form has more than %d files", p.limits.Files)
		}
		return PartBegin, n, nil
	}
	if p.fields++; p.fields > p.limits.Fields {
		return More, 0, limitError(ErrFields, "the form has more than %d fields", p.limits.Fields)
	}
	if p.fieldsSize += int64(len(p.part.Name)); p.fieldsSize > p.limits.FieldsBytes {
		return More, 0, p.fieldsTooLarge()
	}
	return PartBegin, n, nil
}

func (p *Parser) fieldsTooLarge() *Error {
	return limitError(ErrFieldsBytes, "the fields of the form are over %d bytes together", p.limits.FieldsBytes)
}

func (p *Parser) readData(in []byte) (Event, int, *Error) {
	i := bytes.Index(in, p.delim)
	if i == 0 {
		p.state, p.skipped = delimiter, 0
		return PartEnd, len(p.delim), nil
	}
	n := i
	if i < 0 {
		n = len(in) - p.held(in)
	}
	if n == 0 {
		return More, 0, nil
	}
	p.partSize += int64(n)
	if p.part.IsFile {
		if p.partSize > p.limits.FileBytes {
			return More, 0, limitError(ErrFileBytes, "a file of the form is over %d bytes", p.limits.FileBytes)
		}
	} else {
		if p.partSize > p.limits.FieldBytes {
			return More, 0, p.limits.FieldTooLarge()
		}
		if p.fieldsSize += int64(n); p.fieldsSize > p.limits.FieldsBytes {
			return More, 0, p.fieldsTooLarge()
		}
	}
	p.data = in[:n]
	return Data, n, nil
}

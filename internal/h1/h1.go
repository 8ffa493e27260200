// Package h1 provides the HTTP/1.1 codec of a server (RFC 9112): request heads, chunked bodies and response heads
// as pure functions of bytes. It knows no socket, no clock and no goroutine.
//
// It refuses every message that two parsers could read in two ways, even where the RFC lets a recipient be lenient:
// the cost of leniency is request smuggling. After any error the connection must be closed, because where the next
// message starts is not known.
//
// # Lifetime
//
// A parsed [message.Request] holds views into the input (or, where its path had to be rewritten, into memory of the
// Parser), valid until the input is reused or ParseHead is called again. Data from [Chunks.Next] is a view into its
// input; trailer fields live in the Chunks until its next Reset. A Parser and a Chunks belong to one connection and
// are used by one goroutine at a time.
//
// # Example
//
//	n, framing, err := parser.ParseHead(&limits, &x.Request, in)
//	switch {
//	case err != nil: // answer err.HTTPStatus() and close
//	case n == 0:     // incomplete: call again with more
//	default:         // the body, delimited as framing says, starts at in[n]
//	}
package h1

import "github.com/covetpy/covet/internal/message"

// Limits bounds what a client may send. A zero value of a field stands for its default.
type Limits struct {
	// Line bounds the request line in bytes, without its line end: 8 KiB, as RFC 9112 section 3 recommends.
	// Over it: 414.
	Line int
	// Head bounds the whole head in bytes, and likewise the trailer section: 32 KiB. Over it: 431.
	Head int
	// Fields bounds the number of field lines of a head, and of a trailer section: 100, at most message.MaxFields.
	// Over it: 431.
	Fields int
	// Body bounds the body in bytes, as declared by Content-Length or as summed up over chunks: 64 MiB. Over it: 413.
	Body int64
}

const (
	defaultLine   = 8 << 10
	defaultHead   = 32 << 10
	defaultFields = 100
	defaultBody   = 64 << 20
)

// maxHead bounds Limits.Head, so that positions in a head fit into 32 bits with room to spare.
const maxHead = 1 << 30

// line and the following return the limits in force. A nil l stands for all defaults.
func (l *Limits) line() int {
	if l == nil || l.Line <= 0 {
		return defaultLine
	}
	return min(l.Line, maxHead)
}

func (l *Limits) head() int {
	if l == nil || l.Head <= 0 {
		return defaultHead
	}
	return min(l.Head, maxHead)
}

func (l *Limits) fields() int {
	if l == nil || l.Fields <= 0 {
		return defaultFields
	}
	return min(l.Fields, message.MaxFields)
}

func (l *Limits) body() int64 {
	if l == nil || l.Body <= 0 {
		return defaultBody
	}
	return l.Body
}

// Framing says how the body of a request is delimited.
type Framing uint8

const (
	// NoBody: the next request starts right after the head.
	NoBody Framing = iota
	// ByLength: Request.ContentLength bytes follow, one at least.
	ByLength
	// Chunked: a chunked body follows, see Chunks.
	Chunked
)

// String returns the framing's name, for tests and logs.
func (f Framing) String() string {
	switch f {
	case ByLength:
		return "length"
	case Chunked:
		return "chunked"
	}
	return "none"
}

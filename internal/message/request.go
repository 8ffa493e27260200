package message

import (
	"bytes"
	"net/netip"

	"github.com/covetpy/covet/internal/ascii"
)

// Version of HTTP as the client spoke it.
type Version uint8

// The numbers are part of the bridge's layout.
const (
	HTTP10 Version = 10
	HTTP11 Version = 11
	HTTP2  Version = 20
)

// MaxFields bounds the header fields of a request, whatever the configuration: the bridge counts them in 16 bits.
const MaxFields = 1024

// Request is a parsed request head and what is known of its body. Everything in it is a view into Head, valid until
// the exchange ends, or, where the exchange was not detached, until Handler.Serve returns: see [Exchange.Detach].
type Request struct {
	// Head holds all bytes that the spans name. The codec owns its layout.
	Head []byte

	Method  Method
	Version Version
	// TLS tells that the connection is encrypted.
	TLS bool
	// KeepAlive tells that the client allows another request on this connection.
	KeepAlive bool
	// ExpectContinue tells that the client waits for 100 (Continue) before it sends the body.
	ExpectContinue bool

	MethodName Span
	// Target is the request target as received: what ASGI calls raw_path, with the query. For the absolute form,
	// only its path and query.
	Target Span
	// RawPath is Target up to the first '?'.
	RawPath Span
	// Path is the one canonical path that router, guards and file server see: percent-decoded once, except that
	// %2F and %25 stay encoded (in upper case) so that segments and single decoding stay unambiguous; dot segments
	// removed (RFC 3986 section 5.2.4); valid UTF-8 without NUL. "*" for OPTIONS *.
	Path Span
	// PathEscaped tells that Path still holds a %2F or a %25: only then must parameters be decoded further.
	PathEscaped bool
	// Query is what follows the first '?', raw, without it.
	Query Span
	// Authority is the host and port asked for, from the Host field, the absolute form or :authority.
	Authority Span

	// Fields are in the order received.
	Fields []Field
	// HotFields[h] is the index in Fields of the first field of that name, or -1.
	HotFields [HotCount]int16

	// ContentLength is the declared length of the body, -1 if it is not known beforehand (chunked), 0 for no body.
	ContentLength int64
	// Body is the whole body when BodyComplete; else it is empty and the body streams through Stream.ReadBody.
	Body         []byte
	BodyComplete bool
	// Trailer holds the trailer fields after the end of a chunked body, apart from Fields (RFC 9112 section 7.1.2).
	// Its spans are into TrailerHead.
	Trailer     []Field
	TrailerHead []byte

	// Remote and Local are the socket's addresses; zero on Unix sockets.
	Remote, Local netip.AddrPort
}

// Reset makes r ready for the next request and keeps the memory of its slices.
func (r *Request) Reset() {
	fields, trailer := r.Fields[:0], r.Trailer[:0]
	*r = Request{Fields: fields, Trailer: trailer}
	for i := range r.HotFields {
		r.HotFields[i] = -1
	}
}

// WantsProblem reports whether the client asks for errors in the form of RFC 9457: whether application/problem+json is
// among what it accepts by name, with a weight other than 0 (RFC 9110 section 12.5.1).
func (r *Request) WantsProblem() bool {
	const want = "application/problem+json"
	for rest := r.Hot(HotAccept); len(rest) >= len(want); {
		var one []byte
		one, rest, _ = bytes.Cut(rest, []byte(","))
		one, parameters, _ := bytes.Cut(one, []byte(";"))
		if ascii.EqualFold(bytes.TrimSpace(one), want) {
			return !weightless(parameters)
		}
	}
	return false
}

// weightless reports whether the parameters of a member of Accept have a weight of 0.
func weightless(parameters []byte) bool {
	for len(parameters) > 0 {
		var one []byte
		one, parameters, _ = bytes.Cut(parameters, []byte(";"))
		name, value, _ := bytes.Cut(bytes.TrimSpace(one), []byte("="))
		if ascii.EqualFold(name, "q") {
			return len(value) > 0 && value[0] == '0' && len(bytes.Trim(value, "0.")) == 0
		}
	}
	return false
}

// Bytes returns the bytes of s in the head.
func (r *Request) Bytes(s Span) []byte { return s.In(r.Head) }

// Hot returns the value of the first field of the indexed name, nil when the request has none.
func (r *Request) Hot(h Hot) []byte {
	i := r.HotFields[h]
	if i < 0 {
		return nil
	}
	return r.Fields[i].Value.In(r.Head)
}

// Field returns the value of the first field whose name equals the given lower-case name, without regard to case,
// nil when there is none. A present but empty value is an empty, non-nil slice.
func (r *Request) Field(lower string) []byte {
	for i := range r.Fields {
		if ascii.EqualFold(r.Fields[i].Name.In(r.Head), lower) {
			return r.Fields[i].Value.In(r.Head)
		}
	}
	return nil
}

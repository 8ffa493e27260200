package h1

import "github.com/covetpy/covet/fault"

// The refusals of the grammar, by place. They tell a client's author what is wrong, and never repeat its bytes.

// badLineEnd: RFC 9112 section 2.2 allows a recipient to take a bare LF for a line end and to replace a bare CR by a
// space; both have split requests between servers that read them differently, so both are refused.
func badLineEnd() *fault.Error {
	return fault.New(fault.BadRequest, "a line does not end with CR LF")
}

func badVersion() *fault.Error {
	return fault.New(fault.BadRequest, "the request line does not end with an HTTP version")
}

// badTarget: RFC 9112 section 3.2: a target holds no white space, and what RFC 3986 section 2 does not allow must be
// percent-encoded.
func badTarget(c byte) *fault.Error {
	switch c {
	case '#':
		return fault.New(fault.BadRequest, "the request target holds a fragment")
	case '\\':
		return fault.New(fault.BadRequest, "the path holds a backslash that is not percent-encoded")
	}
	return fault.New(fault.BadRequest, "the request target holds a byte that must be percent-encoded")
}

func badName(w []byte, pos, mark int) *fault.Error {
	c := w[pos]
	switch {
	case pos == mark && (c == ' ' || c == '\t'):
		// RFC 9112 section 5.2: obs-fold is refused; after the request line it has no meaning at all (section 2.2).
		return fault.New(fault.BadRequest, "a field line starts with white space")
	case pos == mark && c == ':':
		return fault.New(fault.BadRequest, "a field line has no name")
	case c == ' ' || c == '\t':
		// RFC 9112 section 5.1: "A server MUST reject … any received request message that contains whitespace
		// between a header field name and colon".
		return fault.New(fault.BadRequest, "white space stands between a field name and its colon")
	case c == '\r' || c == '\n':
		return fault.New(fault.BadRequest, "a field line has no colon")
	}
	return fault.New(fault.BadRequest, "a field name holds a byte that is not allowed there")
}

// badValue: RFC 9110 section 5.5: CR, LF and NUL are dangerous and refused; of the other control characters only the
// tab is allowed.
func badValue(c byte) *fault.Error {
	if c == '\n' {
		return badLineEnd()
	}
	return fault.New(fault.BadRequest, "a field value holds a control character")
}

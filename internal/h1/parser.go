package h1

import (
	"strconv"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// phase is where in the grammar of a head the scan stands:
//
//	atStart ─▶ inMethod ─SP▶ inPath ─?▶ inQuery
//	                            └───SP───┴─▶ inVersion ─CRLF▶ atLine ◀─CRLF─┐
//	                                                          │ └▶ inName ─:▶ inValue
//	                                                        CRLF
//	                                                          ▼ end of head
type phase uint8

const (
	atStart phase = iota
	inMethod
	inPath
	inQuery
	inVersion
	atLine
	inName
	inValue
)

// Parser parses the request heads of one connection. Its zero value is ready.
//
// It holds only how far an incomplete head has been scanned, so that a head that arrives byte by byte is not
// scanned again with every byte: a head that comes in one piece is parsed in one pass, any other in two.
type Parser struct {
	scan scan
	// scratch holds the head whose path or target had to be rewritten.
	scratch []byte
}

// scan is the state of the scan of a head.
type scan struct {
	phase phase
	// slow: the path is not canonical as it stands.
	slow    bool
	version message.Version
	fields  int32
	// start is where the request line starts: 0, or 2 after a CRLF.
	start int32
	// pos is the next byte to look at, mark where the present token started.
	pos, mark int32
	// method, question and target are the ends of the method, the path and the target. question is 0 without query.
	method, question, target int32
}

// maxKeptScratch bounds the memory that an idle connection keeps for rewritten heads.
const maxKeptScratch = 4 << 10

// Reset makes p ready for another connection.
func (p *Parser) Reset() {
	p.scan = scan{}
	p.Release()
}

// Release gives back memory beyond what an idle connection should keep. The request parsed last must be done with;
// an incomplete head is not forgotten.
func (p *Parser) Release() {
	if cap(p.scratch) > maxKeptScratch {
		p.scratch = nil
	}
}

// ParseHead parses one request head at the start of in into r; r.Head is in[:n] and the spans are into it, unless
// the path or target had to be rewritten: then r.Head is memory of p, valid until the next call.
//
// A result of n == 0 without error means that the head is incomplete: call again with the same bytes followed by
// more; r is then undefined, and may be another one in the next call. One CRLF before the request line is skipped
// (RFC 9112 section 2.2) and counted in n.
//
// ParseHead fills everything of r but TLS, Remote and Local. Body and Trailer are emptied; BodyComplete is set when
// the framing is NoBody.
//
// The error is one of 400, 413 (the declared length), 414, 417, 431, 501 (transfer coding) and 505; after it the
// connection must be closed. Of r only the Method is then defined, as far as it was read. Which error is found first does not depend on how the input was cut.
func (p *Parser) ParseHead(l *Limits, r *message.Request, in []byte) (n int, f Framing, err *fault.Error) {
	if p.scan.phase != atStart {
		// Part of this head came before: only look whether the rest is there now.
		if n, err = p.scan.run(l, nil, nil, in); n == 0 || err != nil {
			p.scan.refused(r, in, err)
			return 0, NoBody, err
		}
		p.scan = scan{}
	}
	var h heads
	h.reset()
	r.Fields = r.Fields[:0]
	if n, err = p.scan.run(l, r, &h, in); n == 0 || err != nil {
		p.scan.refused(r, in, err)
		return 0, NoBody, err
	}
	s := p.scan
	p.scan = scan{}

	r.Head = in[:n:n]
	r.MethodName = span(s.start, s.method)
	r.Method = message.ParseMethod(in[s.start:s.method])
	r.Version = s.version
	r.HotFields = h.hot
	r.Body, r.BodyComplete = nil, false
	r.Trailer, r.TrailerHead = r.Trailer[:0], nil
	if err = p.target(r, &s, &h); err != nil {
		return 0, NoBody, err
	}
	if f, err = framing(l, r, &h); err != nil {
		return 0, NoBody, err
	}
	return n, f, nil
}

// refused tells r the method of a head that is refused after it: the answer to HEAD has no content, be it an error
// (RFC 9110 section 9.3.2).
func (s *scan) refused(r *message.Request, in []byte, err *fault.Error) {
	if err != nil && s.phase > inMethod {
		r.Method = message.ParseMethod(in[s.start:s.method])
	}
}

// run scans in from where the state stands to the end of the head, and returns its length, or 0 when it is
// incomplete. It judges strictly from left to right and nothing but the grammar, so that the verdict cannot depend
// on how the input was cut. With r, the scan being at its start, field lines are added to r.Fields and noted in h.
func (s *scan) run(l *Limits, r *message.Request, h *heads, in []byte) (n int, err *fault.Error) {
	if s.phase == atStart {
		// RFC 9112 section 2.2: "a server … SHOULD ignore at least one empty line (CRLF) received prior to the
		// request-line". At most one: a stream of them is no HTTP.
		if len(in) > 0 && in[0] == '\r' {
			if len(in) == 1 {
				return 0, nil
			}
			if in[1] != '\n' {
				return 0, badLineEnd()
			}
			s.start = 2
		}
		s.pos, s.mark = s.start, s.start
		if len(in) == int(s.start) {
			s.start = 0
			return 0, nil
		}
		s.phase = inMethod
	}
	if s.phase < atLine {
		done, err := s.requestLine(l, in)
		if !done || err != nil {
			return 0, err
		}
	}
	w := in
	if limit := int(s.start) + l.head(); len(w) > limit {
		w = w[:limit]
	}
	maxFields := int32(l.fields())
	pos, mark := int(s.pos), int(s.mark)
	name := mark // where the name ends; only known, and only needed, when the head is parsed in one run
	for {
		switch s.phase {
		case atLine:
			if pos == len(w) {
				return 0, s.more(l, w, pos, mark)
			}
			if w[pos] == '\r' {
				if pos+1 == len(w) {
					return 0, s.more(l, w, pos, mark)
				}
				if w[pos+1] != '\n' {
					return 0, badLineEnd()
				}
				return pos + 2, nil
			}
			if s.fields == maxFields {
				return 0, fault.New(fault.HeaderFieldsTooLarge, "more field lines than the limit of "+strconv.Itoa(int(maxFields)))
			}
			s.fields++
			mark = pos
			s.phase = inName
			fallthrough
		case inName:
			if pos = scanName(w, pos); pos == len(w) {
				return 0, s.more(l, w, pos, mark)
			}
			if w[pos] != ':' || pos == mark {
				return 0, badName(w, pos, mark)
			}
			name = pos
			pos++
			s.phase = inValue
			fallthrough
		case inValue:
			if pos = scanValue(w, pos); pos == len(w) {
				return 0, s.more(l, w, pos, mark)
			}
			if w[pos] != '\r' {
				return 0, badValue(w[pos])
			}
			if pos+1 == len(w) {
				return 0, s.more(l, w, pos, mark)
			}
			if w[pos+1] != '\n' {
				return 0, badLineEnd()
			}
			if r != nil {
				h.add(r, w, mark, name, pos)
			}
			pos += 2
			s.phase = atLine
		}
	}
}

// requestLine scans the request line: method SP request-target SP HTTP-version CRLF (RFC 9112 section 3), with
// exactly one space at each place.
func (s *scan) requestLine(l *Limits, in []byte) (done bool, err *fault.Error) {
	w := in
	if limit := int(s.start) + min(l.line()+len("\r\n"), l.head()); len(w) > limit {
		w = w[:limit]
	}
	pos := int(s.pos)
	for {
		switch s.phase {
		case inMethod:
			if pos = scanName(w, pos); pos == len(w) {
				return false, s.more(l, w, pos, int(s.mark))
			}
			if w[pos] != ' ' || pos == int(s.mark) {
				return false, fault.New(fault.BadRequest, "the request line does not start with a method and a space")
			}
			s.method = int32(pos)
			pos++
			s.mark = int32(pos)
			s.phase = inPath
		case inPath:
			if pos = scanPath(w, pos); pos == len(w) {
				return false, s.more(l, w, pos, int(s.mark))
			}
			switch w[pos] {
			case '.':
				// Only a dot after a slash may start a dot segment. A first byte of the target is no segment.
				s.slow = s.slow || w[pos-1] == '/'
				pos++
			case '%':
				s.slow = true
				pos++
			case '?':
				s.question = int32(pos)
				pos++
				s.phase = inQuery
			case ' ':
				s.phase = inVersion
				s.target = int32(pos)
				pos++
			default:
				return false, badTarget(w[pos])
			}
		case inQuery:
			if pos = scanQuery(w, pos); pos == len(w) {
				return false, s.more(l, w, pos, int(s.mark))
			}
			if w[pos] != ' ' {
				return false, badTarget(w[pos])
			}
			s.phase = inVersion
			s.target = int32(pos)
			pos++
		case inVersion:
			if s.target == s.mark {
				return false, fault.New(fault.BadRequest, "the request target is empty")
			}
			if done, err = s.parseVersion(w[pos:]); err != nil {
				return false, err
			}
			if !done {
				return false, s.more(l, w, pos, int(s.mark))
			}
			s.pos = int32(pos + len("HTTP/1.1\r\n"))
			s.mark = s.pos
			s.phase = atLine
			return true, nil
		}
	}
}

// parseVersion parses HTTP-version CRLF (RFC 9112 section 2.3) at the start of b, from left to right.
func (s *scan) parseVersion(b []byte) (done bool, err *fault.Error) {
	const form = "HTTP/1.1\r\n"
	if len(b) >= len(form) && string(b[:len(form)]) == form {
		s.version = message.HTTP11
		return true, nil
	}
	for i := 0; i < len(form); i++ {
		if i == len(b) {
			return false, nil
		}
		switch c := b[i]; {
		case i == len("HTTP/") || i == len("HTTP/1."):
			if c-'0' > 9 {
				return false, badVersion()
			}
		case c != form[i]:
			if i >= len("HTTP/1.1") {
				return false, badLineEnd()
			}
			return false, badVersion()
		}
		if i == len("HTTP/1.1")-1 && b[len("HTTP/")] != '1' {
			// RFC 9110 section 15.6.6. "PRI * HTTP/2.0" ends here too, when the server did not expect HTTP/2.
			return false, fault.New(fault.HTTPVersionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here")
		}
	}
	// RFC 9110 section 2.5: a higher minor version is handled as the highest known one.
	s.version = message.HTTP11
	if b[len("HTTP/1.")] == '0' {
		s.version = message.HTTP10
	}
	return true, nil
}

// more saves the state of a scan that has used up w without finding the end, or fails when no more input may come.
func (s *scan) more(l *Limits, w []byte, pos, mark int) *fault.Error {
	s.pos, s.mark = int32(pos), int32(mark)
	used := len(w) - int(s.start)
	if s.phase < atLine && used >= l.line()+len("\r\n") {
		// RFC 9112 section 3: a target longer than the server wishes to parse is answered with 414.
		return fault.New(fault.URITooLong, "the request line is longer than the limit of "+strconv.Itoa(l.line())+" bytes")
	}
	if used >= l.head() {
		// RFC 6585 section 5.
		return fault.New(fault.HeaderFieldsTooLarge, "the request head is longer than the limit of "+strconv.Itoa(l.head())+" bytes")
	}
	return nil
}

func span(from, to int32) message.Span {
	return message.Span{Off: uint32(from), Len: uint32(to - from)}
}

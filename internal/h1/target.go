package h1

import (
	"bytes"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// target tells the four forms of a request target apart (RFC 9112 section 3.2), checks whom the request is for, and
// fills Target, RawPath, Path, PathEscaped, Query and Authority. r.Head is the head as received.
func (p *Parser) target(r *message.Request, s *scan, h *heads) *fault.Error {
	if err := host(r, h); err != nil {
		return err
	}
	from, to := s.method+1, s.target
	path, query := to, message.Span{}
	if s.question != 0 {
		path, query = s.question, span(s.question+1, to)
	}
	r.Query = query
	r.PathEscaped = false
	r.Target = span(from, to)

	first := r.Head[from]
	switch {
	case r.Method == message.MethodConnect:
		return connectTarget(r)
	case first == '/':
		// Origin form, RFC 9112 section 3.2.1.
	case first == '*' && to-from == 1:
		// Asterisk form, RFC 9112 section 3.2.4.
		if r.Method != message.MethodOptions {
			return fault.New(fault.BadRequest, "only OPTIONS may have the target *")
		}
		r.RawPath, r.Path = r.Target, r.Target
		return nil
	default:
		end, err := absoluteTarget(r, h, int(from), int(path))
		if err != nil {
			return err
		}
		from = int32(end)
		r.Target = span(from, to)
		if from == path {
			p.emptyPath(r, s.question != 0)
			return nil
		}
	}
	r.RawPath = span(from, path)
	r.Path = r.RawPath
	if s.slow {
		return p.decode(r)
	}
	return nil
}

// host checks the Host field (RFC 9112 section 3.2): "A server MUST respond with a 400 … to any HTTP/1.1 request
// message that lacks a Host header field and to any request message that contains more than one Host header field
// line or a Host header field with an invalid field value."
func host(r *message.Request, h *heads) *fault.Error {
	r.Authority = message.Span{}
	if h.hosts == 0 {
		if r.Version >= message.HTTP11 {
			return fault.New(fault.BadRequest, "no Host field")
		}
		return nil
	}
	if h.hosts > 1 {
		return fault.New(fault.BadRequest, "more than one Host field")
	}
	r.Authority = r.Fields[h.hot[message.HotHost]].Value
	if _, _, ok := message.SplitAuthority(r.Bytes(r.Authority)); !ok {
		return fault.New(fault.BadRequest, "the Host field is not a host with an optional port")
	}
	return nil
}

// connectTarget handles the authority form, which CONNECT alone has (RFC 9112 section 3.2.3): host and port. The
// path of such a request is empty.
func connectTarget(r *message.Request) *fault.Error {
	// RFC 9110 section 9.3.6: "A server MUST reject a CONNECT request that targets an empty or invalid port number".
	if _, port, ok := message.SplitAuthority(r.Bytes(r.Target)); !ok || len(port) == 0 {
		return fault.New(fault.BadRequest, "the target of CONNECT is not a host and a port")
	}
	r.Authority = r.Target
	r.RawPath, r.Path, r.Query = message.Span{}, message.Span{}, message.Span{}
	return nil
}

// absoluteTarget handles the absolute form (RFC 9112 section 3.2.2) and returns where its path starts; the path and
// the authority lie before end. "The server MUST ignore the received Host header field (if any) and instead use the
// host information of the request-target": so that nobody above can tell them apart, the value of the Host field
// becomes that of the target too.
func absoluteTarget(r *message.Request, h *heads, from, end int) (path int, err *fault.Error) {
	uri := r.Head[from:end]
	scheme := bytes.IndexByte(uri, ':')
	if scheme < 0 || !(ascii.EqualFold(uri[:scheme], "http") || ascii.EqualFold(uri[:scheme], "https")) ||
		!bytes.HasPrefix(uri[scheme:], []byte("://")) {
		return 0, fault.New(fault.BadRequest, "the request target is neither a path nor an http or https URI")
	}
	start := scheme + len("://")
	n := bytes.IndexByte(uri[start:], '/')
	if n < 0 {
		n = len(uri) - start
	}
	if _, _, ok := message.SplitAuthority(uri[start : start+n]); !ok {
		return 0, fault.New(fault.BadRequest, "the authority of the request target is not a host with an optional port")
	}
	r.Authority = message.Span{Off: uint32(from + start), Len: uint32(n)}
	if i := h.hot[message.HotHost]; i >= 0 {
		r.Fields[i].Value = r.Authority
	}
	return from + start + n, nil
}

// emptyPath gives an absolute form without a path the one that it stands for.
func (p *Parser) emptyPath(r *message.Request, query bool) {
	switch {
	case r.Method == message.MethodOptions && !query:
		// RFC 9112 section 3.2.4: OPTIONS http://host means OPTIONS *.
		r.Target = p.rewrite(r, 1)
		r.Head[r.Target.Off] = '*'
		r.RawPath, r.Path = r.Target, r.Target
	case !query:
		// RFC 9110 section 4.2.3: an empty path is "/": the last slash of "://" stands right before the authority.
		r.Target = message.Span{Off: r.Authority.Off - 1, Len: 1}
		r.RawPath, r.Path = r.Target, r.Target
	default:
		old := r.Target // "?…"
		r.Target = p.rewrite(r, 1+int(old.Len))
		r.Head[r.Target.Off] = '/'
		copy(r.Head[r.Target.Off+1:], old.In(r.Head))
		r.RawPath = message.Span{Off: r.Target.Off, Len: 1}
		r.Path = r.RawPath
	}
}

// rewrite moves the head into memory of p, with room for n bytes behind it, and returns where the room is.
func (p *Parser) rewrite(r *message.Request, n int) message.Span {
	size := len(r.Head)
	p.reserve(size + n)
	p.scratch = append(p.scratch[:0], r.Head...)[:size+n]
	r.Head = p.scratch
	return message.Span{Off: uint32(size), Len: uint32(n)}
}

// decode makes the path canonical. Most paths that come here have a reason to: but a segment such as ".well-known"
// only looks like one, and then the head stays where it is.
func (p *Parser) decode(r *message.Request) *fault.Error {
	raw := r.Bytes(r.RawPath)
	size := len(r.Head)
	p.reserve(size + len(raw))
	path, escaped, err := message.AppendPath(p.scratch[:size], raw)
	if err != nil {
		return fault.New(fault.BadRequest, err.Error())
	}
	r.PathEscaped = escaped
	if bytes.Equal(path[size:], raw) {
		return nil
	}
	copy(path, r.Head)
	r.Head = path
	r.Path = message.Span{Off: uint32(size), Len: uint32(len(path) - size)}
	return nil
}

// reserve sees to it that the scratch can hold n bytes.
func (p *Parser) reserve(n int) {
	if cap(p.scratch) < n {
		p.scratch = make([]byte, n)
	}
	p.scratch = p.scratch[:cap(p.scratch)]
}

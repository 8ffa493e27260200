package covet

import (
	"bytes"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// Method is the request's method token.
func (c *Ctx) Method() string {
	if s := c.req.Method.String(); s != "" {
		return s
	}
	return string(c.req.Bytes(c.req.MethodName))
}

// Path is the canonical path that was routed on: decoded once, but for %2F and %25.
func (c *Ctx) Path() string { return string(c.req.Bytes(c.req.Path)) }

// Target is the request target as the client sent it, with the query.
func (c *Ctx) Target() string { return string(c.req.Bytes(c.req.Target)) }

// Host is the host and port that the client asked for.
func (c *Ctx) Host() string { return string(c.req.Bytes(c.req.Authority)) }

// Remote is the address of the other end of the connection; zero on Unix sockets. Behind a proxy it is the proxy's.
func (c *Ctx) Remote() netip.AddrPort { return c.req.Remote }

// TLS reports whether the connection is encrypted.
func (c *Ctx) TLS() bool { return c.req.TLS }

// Param returns the path parameter of that name, wholly decoded, or "" when the pattern has none.
func (c *Ctx) Param(name string) string {
	s, _ := c.param(name)
	return s
}

func (c *Ctx) param(name string) (string, bool) {
	for i, n := range c.ep.names {
		if n == name && i < c.params.N {
			s := c.params.Span[i]
			return c.unescaped(c.req.Bytes(c.req.Path)[s.Off : s.Off+s.Len]), true
		}
	}
	return "", false
}

// unescaped decodes what canonical paths keep escaped.
func (c *Ctx) unescaped(b []byte) string {
	if !c.req.PathEscaped || bytes.IndexByte(b, '%') < 0 {
		return string(b)
	}
	return pathEscapes.Replace(string(b))
}

// pathEscapes is immutable. Replacement goes once from left to right, so that %252F becomes %2F and not '/'.
var pathEscapes = strings.NewReplacer("%2F", "/", "%25", "%")

// ParamInt returns the path parameter of that name as a number. Its error is 422 and names the field.
func (c *Ctx) ParamInt(name string) (int, error) {
	n, err := strconv.Atoi(c.Param(name))
	if err != nil {
		return 0, invalid(problemField{"path." + name, "must be an integer", "int"})
	}
	return n, nil
}

// ParamSpans returns the places of the path parameters in the request's Head, in the order of the pattern, still
// escaped where Request.PathEscaped says so. The slice is valid until the exchange ends.
func (c *Ctx) ParamSpans() []message.Span {
	for i := range c.params.N {
		s := c.params.Span[i]
		c.spans[i] = message.Span{Off: c.req.Path.Off + s.Off, Len: s.Len}
	}
	return c.spans[:c.params.N]
}

// Query returns the decoded value of a query parameter, the last where there are several, or "". Pieces that are not
// valid escapes are kept as they are.
func (c *Ctx) Query(name string) string {
	v, _ := c.query(name)
	return v
}

func (c *Ctx) query(name string) (value string, ok bool) {
	c.eachQuery(name, func(v string) { value, ok = v, true })
	return value, ok
}

// QueryAll returns the decoded values of a query parameter in their order: no more than the engine's limit on the target
// has room for.
func (c *Ctx) QueryAll(name string) (values []string) {
	c.eachQuery(name, func(v string) { values = append(values, v) })
	return values
}

// maxQuery bounds the parameters that QueryValues makes a map of.
const maxQuery = 1000

// QueryValues returns all query parameters, decoded, by name in their order. More than 1000 are an error for the client,
// 400, before anything is made of them.
func (c *Ctx) QueryValues() (url.Values, error) {
	query := c.req.Bytes(c.req.Query)
	if bytes.Count(query, []byte("&")) >= maxQuery {
		return nil, fault.New(fault.BadRequest, "the query has more than 1000 parameters")
	}
	values := url.Values{}
	for rest := query; len(rest) > 0; {
		var pair []byte
		if pair, rest, _ = bytes.Cut(rest, []byte("&")); len(pair) > 0 {
			key, v, _ := bytes.Cut(pair, []byte("="))
			name := queryText(key)
			values[name] = append(values[name], queryText(v))
		}
	}
	return values, nil
}

func (c *Ctx) eachQuery(name string, f func(string)) {
	for rest := c.req.Bytes(c.req.Query); len(rest) > 0; {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte("&"))
		key, v, _ := bytes.Cut(pair, []byte("="))
		if string(key) == name || bytes.ContainsAny(key, "%+") && queryText(key) == name {
			f(queryText(v))
		}
	}
}

// queryText decodes application/x-www-form-urlencoded text.
func queryText(b []byte) string {
	if !bytes.ContainsAny(b, "%+") {
		return string(b)
	}
	s, err := url.QueryUnescape(string(b))
	if err != nil {
		return string(b)
	}
	return s
}

// Header returns the value of the first request field of that name, in any case, or "".
func (c *Ctx) Header(name string) string { return string(c.HeaderBytes(name)) }

// HeaderBytes is Header as a view that is valid until the handler returns; nil when the request has no such field.
func (c *Ctx) HeaderBytes(name string) []byte { return c.req.Field(strings.ToLower(name)) }

// Body returns the whole request body: at most the engine's and the route's limit, else fault.ContentTooLarge. It waits
// for the body where it streams, which only handlers off the loop may do. The slice is valid until the handler returns.
func (c *Ctx) Body() ([]byte, error) {
	limit := c.ep.bodyLimit
	if limit > 0 && (c.req.ContentLength > limit || int64(len(c.req.Body)) > limit) {
		return nil, &fault.Error{Code: fault.ContentTooLarge}
	}
	if c.req.BodyComplete || c.req.ContentLength == 0 {
		return c.req.Body, nil
	}
	if !c.off {
		return nil, errOnLoop
	}
	// Grown as it arrives: a declared length is no reason to reserve memory before the bytes are there.
	var b bytes.Buffer
	if _, err := b.ReadFrom(c.away); err != nil {
		return nil, err
	}
	c.req.Body, c.req.BodyComplete = b.Bytes(), true
	return c.req.Body, nil
}

// BodyReader returns the request body as it arrives. Read waits for the client, and stops the client when the handler
// is slower; it fails when the body is too large, is cut off, or the client is gone.
func (c *Ctx) BodyReader() io.Reader {
	switch {
	case c.ep.bodyLimit > 0 && c.req.ContentLength > c.ep.bodyLimit,
		c.ep.bodyLimit > 0 && int64(len(c.req.Body)) > c.ep.bodyLimit:
		return failingReader{&fault.Error{Code: fault.ContentTooLarge}}
	case c.req.BodyComplete || c.req.ContentLength == 0:
		return bytes.NewReader(c.req.Body)
	case !c.off:
		return failingReader{errOnLoop}
	}
	return c.away
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

package covet

import (
	"errors"
	"io"
	"unicode/utf8"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/multipart"
)

// Multipart reads the parts of a multipart/form-data body as they arrive. The client is read no faster than the
// parts are.
type Multipart struct {
	parser *multipart.Parser
	src    io.Reader // nil when buf holds the whole body
	buf    []byte    // buf[r:w] is not consumed
	r, w   int
	eof    bool
	data   []byte // of the current part, not read yet: a view into buf
	part   *Part
	err    error
}

// Part is one part of a [Multipart]: a field or a file. It is valid until the next one.
type Part struct {
	// Name is the name of the field.
	Name string
	// IsFile tells that the client sent a filename, be it empty.
	IsFile bool
	// FileName is the last component of what the client sent, never a path; RawFileName is what it sent.
	FileName, RawFileName string
	// ContentType is what the client says that the part is, or "".
	ContentType string
	// Header are the fields of the part, names in lower case.
	Header [][2]string

	m    *Multipart
	done bool
}

// errPartOver is returned for a part that is not the current one any more.
var errPartOver = errors.New("covet: the part is over: the next one was asked for")

// Multipart opens the request's multipart/form-data body, for handlers that run off the loop. Of the limits, those on
// fields hold only when they are set: nothing is kept in memory. Errors here and below are those of [Ctx.FormLimited].
func (c *Ctx) Multipart(l FormLimits) (*Multipart, error) {
	media, params := multipart.MediaType(string(c.req.Field("content-type")))
	if !ascii.EqualFold(media, "multipart/form-data") {
		return nil, fault.New(fault.UnsupportedMediaType, "the body is not multipart/form-data")
	}
	if l.Field == 0 {
		l.Field = -1
	}
	if l.AllFields == 0 {
		l.AllFields = -1
	}
	m, err := c.openMultipart(params, l.parser())
	return m, formFault(err)
}

func (c *Ctx) openMultipart(params string, limits multipart.Limits) (*Multipart, error) {
	boundary, err := multipart.Boundary(params)
	if err != nil {
		return nil, err
	}
	m := &Multipart{parser: multipart.New(boundary, limits)}
	if c.req.BodyComplete || c.req.ContentLength == 0 {
		body, err := c.Body()
		if err != nil {
			return nil, err
		}
		m.buf, m.w, m.eof = body, len(body), true
		return m, nil
	}
	m.src = c.BodyReader()
	m.buf = make([]byte, max(formBuffer, limits.Head()+multipart.Slack))
	return m, nil
}

// Next returns the next part, and skips what was not read of the last one. It returns io.EOF after the last part, when
// the body is complete.
func (m *Multipart) Next() (*Part, error) {
	for m.part != nil && !m.part.done {
		if _, err := m.part.next(); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	ev, err := m.event()
	if err != nil {
		return nil, err
	}
	if ev == multipart.End {
		m.part = nil
		return nil, io.EOF
	}
	p := m.parser.Part()
	m.part = &Part{
		Name: p.Name, IsFile: p.IsFile, FileName: p.FileName(), RawFileName: p.RawFileName,
		ContentType: p.ContentType, Header: p.Header, m: m,
	}
	return m.part, nil
}

// event returns the next event but More.
func (m *Multipart) event() (multipart.Event, error) {
	for m.err == nil {
		ev, n, err := m.parser.Next(m.buf[m.r:m.w], m.eof)
		m.r += n
		if err != nil {
			m.err = formFault(err)
			break
		}
		if ev != multipart.More {
			return ev, nil
		}
		if m.r > 0 {
			m.w = copy(m.buf, m.buf[m.r:m.w])
			m.r = 0
		}
		n, err = m.src.Read(m.buf[m.w:])
		m.w += n
		if errors.Is(err, io.EOF) {
			m.eof = true
		} else if err != nil {
			m.err = err
		}
	}
	return multipart.More, m.err
}

// Read implements io.Reader: the data of the part.
func (p *Part) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if p.m.part != p {
		return 0, errPartOver
	}
	if len(p.m.data) == 0 {
		data, err := p.next()
		if err != nil {
			return 0, err
		}
		p.m.data = data
	}
	n := copy(b, p.m.data)
	p.m.data = p.m.data[n:]
	return n, nil
}

// next returns the next piece of the part, as a view that is valid until the next call.
func (p *Part) next() ([]byte, error) {
	p.m.data = nil
	if p.done {
		return nil, io.EOF
	}
	ev, err := p.m.event()
	switch {
	case err != nil:
		return nil, err
	case ev == multipart.Data:
		return p.m.parser.Data(), nil
	}
	p.done = true
	return nil, io.EOF
}

// text reads the part as text, within the parser's limits.
func (p *Part) text() (string, error) {
	var b []byte
	for {
		data, err := p.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		b = append(b, data...)
	}
	if !utf8.Valid(b) {
		return "", fault.New(fault.BadRequest, "a field of the form is not UTF-8")
	}
	return string(b), nil
}

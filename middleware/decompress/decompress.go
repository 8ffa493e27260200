// Package decompress provides the middleware that decodes request bodies with a Content-Encoding of gzip, deflate, br
// or zstd (RFC 9110 section 8.4), for Go and Python handlers alike.
//
// A handler sees the decoded body and a head that fits it: Content-Encoding, Content-Length and the digests of the
// coded bytes are gone; [message.Request.ContentLength] is the decoded length where it is known. The limit of a body
// counts what comes out, while it comes out. A coding that is not known, or several of them, is answered with 415
// and Accept-Encoding (RFC 9110 sections 12.5.3 and 15.5.16), data that is damaged, cut off, or followed by something
// else with 400.
//
//	app.Use(decompress.New(decompress.Config{}))
//
// # Lifetime
//
// New returns a link of the chain that may stand in any number of chains. A body that is large, or streams, has a
// goroutine of its own until it ends or its request does; small ones are decoded on the loop.
package decompress

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// Config tunes the middleware. The zero value works.
type Config struct {
	// Codings are the names of the codings to accept; empty stands for zstd, br, gzip and deflate.
	Codings []string
	// MaxBody bounds a decoded body, in bytes (413 over it); 0 stands for 64 MiB, a negative number for no bound. The
	// limit of a route counts decoded bytes, too.
	MaxBody int64
	// MaxInline is the largest decoded body, in bytes, that a handler gets whole, as the engine does it; larger ones
	// stream. 0 stands for 64 KiB.
	MaxInline int
	// MaxStreams bounds the bodies that are decoded at a time beside the loops (503 over it); 0 stands for 1024.
	MaxStreams int
	// MaxMemory bounds the windows of their decoders, in bytes, as the bodies declare them: up to 16 MiB each for br, 8
	// MiB for zstd. Bodies beyond it wait, and so do their clients. 0 stands for 256 MiB; less than 32 MiB is taken for
	// that.
	MaxMemory int64
}

const (
	defaultMaxBody    = 64 << 20
	defaultMaxInline  = 64 << 10
	defaultMaxStreams = 1024
	defaultMaxMemory  = 256 << 20
	leastMaxMemory    = 32 << 20 // more than one body may ever ask for, so that none waits for ever
)

// Check says what is wrong with c, or returns nil.
func (c *Config) Check() error {
	for i, name := range c.Codings {
		if _, ok := codingNamed(name); !ok {
			return fmt.Errorf("decompress: there is no coding %q; there are zstd, br, gzip and deflate", name)
		}
		if slices.Contains(c.Codings[:i], name) {
			return fmt.Errorf("decompress: the coding %q is named twice", name)
		}
	}
	return nil
}

// decompressor is one configured middleware, used on every loop.
type decompressor struct {
	accepts   [codings]bool
	unknown   *fault.Error // the answer to other codings
	several   *fault.Error
	busy      *fault.Error
	maxBody   int64
	maxInline int
	decoders  [codings]sync.Pool // of decoder
	wholes    sync.Pool          // of *whole
	memory    budget

	maxStreams int64
	open       atomic.Int64
}

// New returns the middleware, for the app, a group or a route. It panics when c.Check finds something wrong.
func New(c Config) covet.Middleware {
	m := newDecompressor(c)
	return covet.Middleware{Name: "decompress", Before: m.before, Done: m.done}
}

func newDecompressor(c Config) *decompressor {
	if err := c.Check(); err != nil {
		panic(err.Error())
	}
	if len(c.Codings) == 0 {
		c.Codings = []string{"zstd", "br", "gzip", "deflate"}
	}
	m := &decompressor{maxBody: c.MaxBody, maxInline: c.MaxInline, maxStreams: int64(c.MaxStreams)}
	for _, name := range c.Codings {
		k, _ := codingNamed(name)
		m.accepts[k] = true
	}
	accept := [][2]string{{"accept-encoding", strings.Join(c.Codings, ", ")}}
	m.unknown = &fault.Error{Code: fault.UnsupportedMediaType, Message: "the content coding of the request body is not supported", Fields: accept}
	m.several = &fault.Error{Code: fault.UnsupportedMediaType, Message: "the request body has more than one content coding", Fields: accept}
	m.busy = &fault.Error{Code: fault.ServiceUnavailable, Fields: [][2]string{{"retry-after", "1"}}}
	if m.maxBody == 0 {
		m.maxBody = defaultMaxBody
	}
	if m.maxBody < 0 {
		m.maxBody = 1<<63 - 1
	}
	if m.maxInline <= 0 {
		m.maxInline = defaultMaxInline
	}
	if m.maxStreams <= 0 {
		m.maxStreams = defaultMaxStreams
	}
	if c.MaxMemory == 0 {
		c.MaxMemory = defaultMaxMemory
	}
	m.memory.init(max(c.MaxMemory, leastMaxMemory))
	for k := range m.decoders {
		m.decoders[k].New = func() any { return newDecoder(coding(k)) }
	}
	m.wholes.New = func() any { return &whole{} }
	return m
}

// workKey is where a request's work is kept until Done: a *whole or a *source.
type workKey struct{}

// before puts the decoded body in the place of the coded one.
func (m *decompressor) before(c *covet.Ctx) error {
	x := c.Exchange()
	r := &x.Request
	k, n := codingOf(r)
	if n == 0 || r.ContentLength == 0 && len(r.Body) == 0 {
		return nil
	}
	switch {
	case n > 1:
		return m.several
	case k == other || !m.accepts[k]:
		return m.unknown
	}
	if r.BodyComplete {
		done, err := m.inflateWhole(c, k)
		if done || err != nil {
			return err
		}
	}
	if m.open.Add(1) > m.maxStreams {
		m.open.Add(-1)
		return m.busy
	}
	s := newSource(m, x, k)
	c.Set(workKey{}, s)
	x.Stream = s
	undress(r)
	r.ContentLength, r.Body, r.BodyComplete = -1, nil, false
	return nil
}

// done ends the work of a request that has been answered, or whose client is gone.
func (m *decompressor) done(c *covet.Ctx) {
	switch w := c.Get(workKey{}).(type) {
	case *source:
		w.kill()
	case *whole:
		if cap(w.out) <= 2*m.maxInline {
			m.wholes.Put(w)
		}
	}
}

// whole is what a small body is decoded with; out is the body for as long as the request lives, or until it is detached.
type whole struct {
	in  reader
	out []byte
}

// errLarge tells that a body does not fit into MaxInline.
var errLarge = errors.New("decompress: too large to be decoded at once")

// inflateWhole decodes a body that is there. It reports false when the body turns out to be large.
func (m *decompressor) inflateWhole(c *covet.Ctx, k coding) (done bool, err error) {
	r := &c.Exchange().Request
	if size, ok := window(k, r.Body, true); !ok || size > maxLoopWindow {
		return false, nil
	}
	w := m.wholes.Get().(*whole)
	w.in.b = r.Body
	d := m.decoders[k].Get().(decoder)
	w.out, err = decodeAll(d, &w.in, w.out[:0], int(min(int64(m.maxInline), m.maxBody)))
	w.in.b = nil
	if err != nil {
		m.wholes.Put(w)
		switch {
		case err != errLarge: //nolint:errorlint // it is never wrapped
			return false, &fault.Error{Code: fault.BadRequest, Message: damaged, Cause: err}
		case m.maxBody < int64(m.maxInline):
			return false, &fault.Error{Code: fault.ContentTooLarge}
		}
		return false, nil
	}
	m.decoders[k].Put(d) // one that has failed is not used again
	c.Set(workKey{}, w)
	undress(r)
	r.Body, r.ContentLength = w.out, int64(len(w.out))
	return true, nil
}

const damaged = "the request body is not valid in its content coding"

var _ message.Stream = (*source)(nil)

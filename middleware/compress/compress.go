// Package compress provides the middleware that codes response bodies (RFC 9110 section 8.4) as the client asks for it
// by Accept-Encoding: zstd, br or gzip, for Go and Python handlers alike.
//
// A response is coded when it has a body of a type that shrinks and of at least [Config.MinSize] bytes, or of a length
// that is not known beforehand, and when nothing speaks against it: see docs/guide/compression.md for the rules. Streams
// are flushed with every piece, so that events arrive when they are sent.
//
//	app.Use(compress.New(compress.Config{}))
//	app.Get("/login", login, covet.With(compress.Off()))
//
// # Lifetime
//
// New returns a link of the chain that may stand in any number of chains. It starts nothing that would have to be
// stopped: the goroutines that encode large bodies end when there are none.
package compress

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/message"
)

// Level weighs processor time against size.
type Level uint8

// The levels.
const (
	// Fast is for bodies that are made anew for every request.
	Fast Level = iota
	// Balanced takes up to three times as long, for a few percent.
	Balanced
	// Best takes two to eight times as long, for up to a fifth: where the network is dear.
	Best
	levels
)

// ParseLevel returns the level named "fast", "balanced" or "best".
func ParseLevel(s string) (Level, error) {
	for l, name := range [...]string{"fast", "balanced", "best"} {
		if s == name {
			return Level(l), nil
		}
	}
	return Fast, fmt.Errorf("compress: there is no level %q; there are fast, balanced and best", s)
}

// Config tunes the middleware. The zero value works.
type Config struct {
	// Codings are the names of the codings to offer, the preferred first: it decides where the client likes several
	// alike. Empty stands for zstd, br, gzip: the order of processor time a byte, and of size, too.
	Codings []string
	// Level is the effort; the zero value is Fast.
	Level Level
	// MinSize is the smallest body, in bytes, that is coded; 0 stands for 1024, a negative number for no bound. Under
	// about a packet's size there is nothing to win.
	MinSize int
	// Types are media types to code beside text/*, JSON, XML, JavaScript, SVG, WebAssembly and their like:
	// "type/subtype" or "type/*".
	Types []string
	// MaxStreams bounds the streamed responses that are coded at a time, because each of them keeps an encoder; 0 stands
	// for 1024, which take some 560 MB at most with zstd, 430 MB with br (730 MB at Best), 13 MB with gzip. More streams
	// are sent as they are.
	MaxStreams int
	// MaxWaiting bounds the bytes of the bodies that wait to be encoded off the loops; 0 stands for 64 MiB. Bodies that
	// find no room are sent as they are.
	MaxWaiting int64
}

const (
	defaultMinSize    = 1 << 10
	defaultMaxStreams = 1024
	defaultMaxWaiting = 64 << 20
)

// Check says what is wrong with c, or returns nil.
func (c *Config) Check() error {
	if c.Level >= levels {
		return fmt.Errorf("compress: there is no level %d", c.Level)
	}
	var seen []string
	for _, name := range c.Codings {
		if _, ok := codingNamed(name); !ok {
			return fmt.Errorf("compress: there is no coding %q; there are zstd, br and gzip", name)
		}
		if slices.Contains(seen, name) {
			return fmt.Errorf("compress: the coding %q is named twice", name)
		}
		seen = append(seen, name)
	}
	return nil
}

// compressor is one configured middleware. It is used on every loop: what changes in it is atomic or a pool.
type compressor struct {
	prefer   []coding
	types    types
	minSize  int64
	inline   int
	encoders [codings]encoders
	streams  sync.Pool // of *stream
	crew     crew

	maxStreams int64
	open       atomic.Int64
}

// New returns the middleware. It belongs outside of (before) those that change bodies or read their fields, and may be
// used for the app, a group or a route. It panics when c.Check finds something wrong.
func New(c Config) covet.Middleware {
	m := newCompressor(c)
	return covet.Middleware{Name: "compress", Before: m.before, After: m.after}
}

// Off returns a link that keeps the responses of a group or of a route from being coded: for pages that show a secret
// next to something that the one who asks can choose (the BREACH attack).
func Off() covet.Middleware {
	return covet.Middleware{Name: "compress.off", Before: func(c *covet.Ctx) error {
		c.Set(choiceKey{}, never)
		return nil
	}}
}

func newCompressor(c Config) *compressor {
	mustNot(c.Check())
	m := &compressor{types: newTypes(c.Types), minSize: int64(c.MinSize), maxStreams: int64(c.MaxStreams)}
	if c.MinSize == 0 {
		m.minSize = defaultMinSize
	}
	if c.MaxStreams == 0 {
		m.maxStreams = defaultMaxStreams
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = defaultMaxWaiting
	}
	for _, name := range c.Codings {
		k, _ := codingNamed(name)
		m.prefer = append(m.prefer, k)
	}
	if len(m.prefer) == 0 {
		m.prefer = []coding{zstded, brotlied, gzipped}
	}
	for k := gzipped; k < codings; k++ {
		m.encoders[k].init(k, c.Level)
	}
	m.inline = [...]int{16 << 10, 16 << 10, 4 << 10}[c.Level]
	m.streams.New = func() any { return &stream{m: m} }
	m.crew.init(runtime.GOMAXPROCS(0), c.MaxWaiting)
	return m
}

// choiceKey is where the choice of a request is kept, across several links of this package.
type choiceKey struct{}

// before reads what the client accepts, while the request is at hand: when After runs, it may not be any more.
func (m *compressor) before(c *covet.Ctx) error {
	r := &c.Exchange().Request
	if r.HotFields[message.HotAcceptEncoding] < 0 {
		return nil
	}
	var w weights
	w.reset()
	w.read(r)
	c.Set(choiceKey{}, w.choose(m.prefer))
	return nil
}

// after decides, as far as it can be decided here, and else puts a stream in the exchange's way.
func (m *compressor) after(c *covet.Ctx, err error) error {
	h, _ := c.Get(choiceKey{}).(choice)
	if h&never == 0 && m.decide(c.Exchange(), h) {
		c.Set(choiceKey{}, never) // for the links further out
	}
	return err
}

// decide does what can be done before the response goes out, and reports whether the links further out are to keep
// away: the handler has opted out, or a stream is in the way that will code the body.
func (m *compressor) decide(x *message.Exchange, h choice) (settled bool) {
	r := &x.Response
	if r.Status == statusNotModified && !r.Opaque {
		m.notModified(r, h)
		return false
	}
	f := look(r)
	if f.identity {
		r.RemoveField("content-encoding") // RFC 9110 section 8.4: identity is not named there
		return true
	}
	if !m.suits(r, &f) || m.tooSmall(r, h) {
		return false
	}
	if h.coding() == identity {
		vary(r, &f)
		return false
	}
	s := m.streams.Get().(*stream)
	s.Stream, s.choice, s.state = x.Stream, h, waits
	x.Stream = s
	return true
}

// Statuses whose responses are never coded, and the one that stands for a response that may have been.
const (
	statusNoContent      = 204
	statusResetContent   = 205
	statusPartialContent = 206
	statusNotModified    = 304
)

// suits reports whether a response of that head may be coded and is worth it.
func (m *compressor) suits(r *message.Response, f *facts) bool {
	switch r.Status {
	case statusNoContent, statusResetContent, statusNotModified:
		return false // no content
	case statusPartialContent:
		return false // a part of a representation whose other parts went out uncoded
	}
	if r.Opaque || r.Status < 200 || f.encoded || f.identity || f.fixed {
		return false
	}
	return m.types.compressible(r.Type, f.contentType)
}

// tooSmall reports whether the body is known to be under the bound. A client that refuses identity gets it coded all
// the same.
func (m *compressor) tooSmall(r *message.Response, h choice) bool {
	if h&insists != 0 {
		return false
	}
	n := int64(len(r.Body))
	if n == 0 {
		n = r.Length // of a stream, or of what HEAD asks about; -1 if unknown
	}
	return n >= 0 && n < m.minSize
}

// vary tells caches that the response depends on Accept-Encoding (RFC 9110 section 12.5.5).
func vary(r *message.Response, f *facts) {
	if !f.varies {
		r.AddField("vary", "Accept-Encoding")
	}
}

// dress makes the head that of the coded representation.
func dress(r *message.Response, f *facts, k coding) {
	vary(r, f)
	if len(f.etag) > 0 && !weak(f.etag) {
		// RFC 9110 section 8.8.1: the coded bytes are another representation than those that the tag was made for.
		r.SetField("etag", "W/"+string(f.etag))
	}
	if f.tied {
		// Ranges would count coded bytes, which are made anew each time. RFC 9530 sections 2 and 3: digests are of the
		// content as it is sent, and of the representation with its coding.
		for _, name := range [...]string{"accept-ranges", "content-md5", "content-digest", "repr-digest", "digest"} {
			r.RemoveField(name)
		}
	}
	r.AddField("content-encoding", k.name())
	r.Length = -1
}

// notModified makes a 304 match the response that it stands for (RFC 9110 section 15.4.5: Vary and ETag as they would
// have been). Its type is not known, so the tag is made weak for whoever might have got a coded body: a weak tag
// matches both.
func (m *compressor) notModified(r *message.Response, h choice) {
	f := look(r)
	if f.fixed || f.encoded || f.identity {
		return
	}
	tag := string(f.etag)
	vary(r, &f)
	if len(tag) > 0 && h.coding() != identity && !weak([]byte(tag)) {
		r.SetField("etag", "W/"+tag)
	}
}

func weak(tag []byte) bool { return len(tag) > 2 && tag[0] == 'W' && tag[1] == '/' }

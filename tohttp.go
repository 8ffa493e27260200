package covet

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// maxWhole is the largest declared body that is read before the handler is called, as the engine does it.
const maxWhole = 64 << 10

// ToHTTP builds app and returns it as a handler of net/http, for programs that have a server already and for tests.
// Both bodies stream. Start hooks do not run.
func ToHTTP(app *App) (http.Handler, error) {
	h, err := app.Handler()
	if err != nil {
		return nil, err
	}
	app.Ready()
	return hosting{h}, nil
}

type hosting struct{ h message.Handler }

// ServeHTTP implements http.Handler. The server's goroutine is the loop of the exchange until it ends.
func (g hosting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := &hosted{w: w, r: r, bell: make(chan struct{}, 1), quit: make(chan struct{})}
	defer close(s.quit)
	x := &s.x
	x.Reset()
	x.Loop, x.Executor, x.Stream = -1, s, s
	if e := s.fill(&x.Request); e != nil {
		s.refuse(e)
		return
	}
	g.h.Serve(x)
	for !s.ended {
		if x.Receiver == nil {
			s.refuse(&fault.Error{Code: fault.InternalError})
			return
		}
		select {
		case <-s.bell:
			s.box.Drain()
		case <-r.Context().Done():
			s.ended = true
			x.Receiver.Gone(x)
		case <-s.late():
			s.timer = nil
			x.Receiver.Expired(x)
		}
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.aborted {
		panic(http.ErrAbortHandler) // the way to make net/http cut the connection
	}
}

// hosted is one exchange on a server of net/http: its stream and its loop.
type hosted struct {
	w http.ResponseWriter
	r *http.Request
	x message.Exchange

	box   mailbox.Mailbox
	bell  chan struct{}
	quit  chan struct{} // closed when the exchange is over
	timer *time.Timer

	started, ended, aborted bool

	body *hostedBody
}

var (
	_ message.Stream   = (*hosted)(nil)
	_ mailbox.Executor = (*hosted)(nil)
)

// Post implements mailbox.Executor.
func (s *hosted) Post(t *mailbox.Task) {
	if s.box.Push(t) {
		select {
		case s.bell <- struct{}{}:
		default:
		}
	}
}

func (s *hosted) late() <-chan time.Time {
	if s.timer == nil {
		return nil
	}
	return s.timer.C
}

// fill makes the request of the exchange from that of net/http.
func (s *hosted) fill(q *message.Request) *fault.Error {
	r := s.r
	span := func(text string) message.Span {
		at := uint32(len(q.Head))
		q.Head = append(q.Head, text...)
		return message.Span{Off: at, Len: uint32(len(text))}
	}
	q.Method = message.ParseMethod([]byte(r.Method))
	q.MethodName = span(r.Method)
	target := r.RequestURI
	if target == "" { // made by a program, not read from a connection
		target = r.URL.RequestURI()
	}
	q.Target = span(target)
	raw, _, asked := strings.Cut(target, "?")
	q.RawPath = message.Span{Off: q.Target.Off, Len: uint32(len(raw))}
	if asked {
		q.Query = message.Span{Off: q.Target.Off + uint32(len(raw)) + 1, Len: uint32(len(target) - len(raw) - 1)}
	}
	// A program around the app may have changed URL, as http.StripPrefix does: that counts for the route.
	at := uint32(len(q.Head))
	path := r.URL.EscapedPath()
	if path == "" {
		path = raw
	}
	if path == "*" {
		q.Path = span(path)
	} else {
		head, escaped, err := message.AppendPath(q.Head, []byte(path))
		if err != nil {
			return &fault.Error{Code: fault.BadRequest, Cause: err}
		}
		q.Head, q.PathEscaped = head, escaped
		q.Path = message.Span{Off: at, Len: uint32(len(head)) - at}
	}
	q.Authority = span(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			q.Fields = append(q.Fields, message.Field{Name: span(name), Value: span(v)})
			for h := range message.HotCount {
				if q.HotFields[h] < 0 && strings.EqualFold(name, h.String()) {
					q.HotFields[h] = int16(len(q.Fields) - 1)
				}
			}
		}
		if len(q.Fields) > message.MaxFields {
			return &fault.Error{Code: fault.HeaderFieldsTooLarge}
		}
	}
	for name := range r.Trailer { // net/http takes the field with the announced names away
		q.Fields = append(q.Fields, message.Field{Name: span("Trailer"), Value: span(name)})
	}
	switch {
	case r.ProtoMajor == 2:
		q.Version = message.HTTP2
	case r.ProtoMinor == 0:
		q.Version = message.HTTP10
	default:
		q.Version = message.HTTP11
	}
	q.TLS, q.KeepAlive = r.TLS != nil, !r.Close
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		q.Remote = addr
	}
	q.ContentLength = r.ContentLength
	if r.Body == nil || r.Body == http.NoBody {
		q.ContentLength = 0
	}
	if q.ContentLength >= 0 && q.ContentLength <= maxWhole {
		q.Body, q.BodyComplete = make([]byte, q.ContentLength), true
		if _, err := io.ReadFull(r.Body, q.Body); err != nil && q.ContentLength > 0 {
			return &fault.Error{Code: fault.BadRequest, Cause: err}
		}
	}
	return nil
}

// fillTrailer takes over the trailer fields of net/http, after the end of the body.
func (s *hosted) fillTrailer(q *message.Request) {
	span := func(text string) message.Span {
		at := uint32(len(q.TrailerHead))
		q.TrailerHead = append(q.TrailerHead, text...)
		return message.Span{Off: at, Len: uint32(len(text))}
	}
	for name, values := range s.r.Trailer {
		for _, v := range values {
			if !message.ForbiddenInTrailer([]byte(name)) {
				q.Trailer = append(q.Trailer, message.Field{Name: span(name), Value: span(v)})
			}
		}
	}
}

// refuse answers without the app.
func (s *hosted) refuse(e *fault.Error) {
	s.w.Header().Set("Content-Type", message.ContentJSON.String())
	s.w.WriteHeader(e.HTTPStatus())
	_, _ = s.w.Write(fault.AppendBody(nil, e, s.x.RequestID, time.Now())) // the client is gone if this fails
}

// head writes the head of the response.
func (s *hosted) head(x *message.Exchange) {
	h := s.w.Header()
	eachField(&x.Response, h.Add)
	if t := x.Response.Type.String(); t != "" {
		h.Set("Content-Type", t)
	}
	if s.body != nil && !s.body.ended && s.r.ProtoMajor == 1 {
		// In full duplex net/http does not read the rest of the body, so the connection ends here.
		h.Set("Connection", "close")
	}
	if n := x.Response.Length; n >= 0 && (s.started || s.r.Method == http.MethodHead) {
		h.Set("Content-Length", strconv.FormatInt(n, 10))
	}
	if x.Response.Announced() {
		h.Set("Trailer", string(x.Response.AppendAnnounced(nil)))
	}
	s.w.WriteHeader(x.Response.Status)
}

// trailers sets the trailer fields; net/http sends those that the head has announced, too, only by this prefix when
// they were not set under their own names before.
func (s *hosted) trailers(x *message.Exchange) {
	h := s.w.Header()
	message.EachField(x.Response.Trailers(), func(name, value []byte) {
		h.Add(http.TrailerPrefix+http.CanonicalHeaderKey(string(name)), string(value))
	})
}

func eachField(r *message.Response, f func(name, value string)) {
	for line := range strings.Lines(string(r.Fields())) {
		name, v, _ := strings.Cut(line, ": ")
		f(name, strings.TrimSuffix(v, "\r\n"))
	}
}

// Respond implements message.Stream.
func (s *hosted) Respond(x *message.Exchange) {
	s.head(x)
	if len(x.Response.Trailers()) > 0 {
		_ = http.NewResponseController(s.w).Flush() // else net/http sends a length, and no trailer section
	}
	_, _ = s.w.Write(x.Response.Body) // a client that is gone does not need it
	s.trailers(x)
	s.ended = true
}

// Start implements message.Stream.
func (s *hosted) Start(x *message.Exchange) {
	s.started = true
	s.SetDeadline(x, 0)
	s.head(x)
}

// Write implements message.Stream. The writer of net/http waits for the client by itself.
func (s *hosted) Write(_ *message.Exchange, p []byte) int {
	_, _ = s.w.Write(p) // the request's context ends when this fails
	_ = http.NewResponseController(s.w).Flush()
	return 0
}

// SendFile implements message.Stream.
func (s *hosted) SendFile(_ *message.Exchange, f *file.File, off, n int64) int {
	if _, err := io.Copy(s.w, io.NewSectionReader(f, off, n)); err != nil {
		s.aborted = true // the file is shorter than what was promised, or the client is gone
	}
	return 0
}

// End implements message.Stream.
func (s *hosted) End(x *message.Exchange) {
	s.trailers(x)
	s.ended = true
}

// Abort implements message.Stream.
func (s *hosted) Abort(*message.Exchange) { s.ended, s.aborted = true, true }

// Inform implements message.Stream. What the program around the app has set is not for the interim response, and stays.
func (s *hosted) Inform(x *message.Exchange, status int) {
	if s.started || s.ended || !s.r.ProtoAtLeast(1, 1) {
		return // RFC 9110 section 15.2: no 1xx for an HTTP/1.0 client
	}
	h := s.w.Header()
	kept := maps.Clone(h)
	clear(h)
	eachField(&x.Response, h.Add)
	s.w.WriteHeader(status)
	clear(h)
	maps.Copy(h, kept)
}

// Upgradable implements message.Stream. A connection of net/http is not handed over: the program has that server's
// own way, http.Hijacker, around the app.
func (s *hosted) Upgradable(*message.Exchange, string) bool { return false }

// Upgrade implements message.Stream.
func (s *hosted) Upgrade(*message.Exchange, string, message.Takeover) bool { return false }

// SetDeadline implements message.Stream.
func (s *hosted) SetDeadline(_ *message.Exchange, d time.Duration) {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if d > 0 {
		s.timer = time.NewTimer(d)
	}
}

// hostedBody reads the body on a goroutine of its own, a piece at a time, and brings each to the loop.
type hostedBody struct {
	s      *hosted
	task   mailbox.Task
	buf    []byte
	n      int
	err    error
	next   chan struct{} // asks for a piece
	paused bool
	owed   bool // a piece is to be asked for on resumption
	ended  bool // loop only: the last piece has been delivered
}

// ReadBody implements message.Stream.
func (s *hosted) ReadBody(*message.Exchange) {
	b := &hostedBody{s: s, buf: make([]byte, streamChunk), next: make(chan struct{}, 1)}
	b.task.Do = b
	s.body = b
	// Else net/http/1.1 throws the rest of the body away when the response begins. It fails where it is not needed.
	_ = http.NewResponseController(s.w).EnableFullDuplex()
	b.next <- struct{}{}
	go b.read()
}

func (b *hostedBody) read() {
	for b.err == nil {
		select {
		case <-b.next:
		case <-b.s.quit:
			return
		}
		b.n, b.err = b.s.r.Body.Read(b.buf)
		b.s.Post(&b.task)
	}
}

// Run delivers a piece, on the loop.
func (b *hostedBody) Run() {
	s := b.s
	x := &s.x
	b.ended = b.err != nil
	if s.ended || x.Receiver == nil {
		return
	}
	if b.n > 0 {
		x.Receiver.BodyChunk(x, b.buf[:b.n])
	}
	switch {
	case errors.Is(b.err, io.EOF):
		s.fillTrailer(&x.Request)
		x.Receiver.BodyEnd(x, nil)
	case b.err != nil:
		x.Receiver.BodyEnd(x, &fault.Error{Code: fault.BadRequest, Cause: b.err})
	case b.paused:
		b.owed = true
	default:
		b.next <- struct{}{}
	}
}

// PauseBody implements message.Stream.
func (s *hosted) PauseBody(*message.Exchange) { s.body.paused = true }

// ResumeBody implements message.Stream.
func (s *hosted) ResumeBody(*message.Exchange) {
	b := s.body
	b.paused = false
	if b.owed {
		b.owed = false
		b.next <- struct{}{}
	}
}

package covet

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// FromHTTP makes a Handler of a handler of net/http. Both bodies stream: the request's as it arrives, the response's
// from the first Flush or 32 KiB on. The route's parameters are its PathValues. It runs off the loop only.
//
// Trailers of both sides and interim responses work as package net/http has them, and so does http.Hijacker, once
// the request's body has been read: on a connection that is hijacked after WriteHeader(101) the engine sends that
// answer, else whoever hijacked it does. HTTP/2 push is not offered.
func FromHTTP(h http.Handler) Handler {
	return func(c *Ctx) error {
		if !c.off {
			return errOnLoop
		}
		r, err := c.httpRequest()
		if err != nil {
			return err
		}
		w := &httpWriter{c: c, header: http.Header{}, stream: streamWriter{w: c.away}}
		defer func() { _ = r.Body.Close() }() // nobody reads any more when it has returned; it always succeeds
		w.serve(h, r)
		if w.hijacked {
			return nil
		}
		w.writeHead(http.StatusOK)
		if w.err != nil {
			return w.err
		}
		w.trailers()
		return w.stream.finish()
	}
}

// httpRequest makes a request of net/http from c's.
func (c *Ctx) httpRequest() (*http.Request, error) {
	q := c.req
	target := c.Target()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		if target != "*" {
			return nil, &fault.Error{Code: fault.BadRequest, Cause: err}
		}
		u = &url.URL{Path: "*"}
	}
	r := &http.Request{
		Method: c.Method(), URL: u, RequestURI: target, Host: c.Host(), ContentLength: q.ContentLength,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
	}
	switch q.Version {
	case message.HTTP10:
		r.Proto, r.ProtoMinor = "HTTP/1.0", 0
	case message.HTTP2:
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
	}
	if q.BodyComplete {
		r.ContentLength = int64(len(q.Body))
	}
	if r.ContentLength == 0 && len(q.Trailer) == 0 {
		r.Body = http.NoBody
	} else {
		b := &httpBody{c: c, from: c.BodyReader()}
		if q.Version == message.HTTP11 && q.HotFields[message.HotContentLength] < 0 { // only a chunked body has trailers
			b.trailing, r.Trailer = r, announced(q)
		}
		r.Body = b
	}
	if q.Remote.IsValid() {
		r.RemoteAddr = q.Remote.String()
	}
	if q.TLS {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	for _, f := range q.Fields {
		name := http.CanonicalHeaderKey(string(q.Bytes(f.Name)))
		switch name {
		case "Host": // net/http keeps it apart
		case "Transfer-Encoding":
			r.TransferEncoding = []string{"chunked"}
		default:
			r.Header[name] = append(r.Header[name], string(q.Bytes(f.Value)))
		}
	}
	for _, name := range c.ep.names {
		r.SetPathValue(name, c.Param(name))
	}
	return r.WithContext(c.Context()), nil
}

// httpWriter is the http.ResponseWriter of FromHTTP.
type httpWriter struct {
	c      *Ctx
	header http.Header
	stream streamWriter
	wrote  bool // the head is fixed
	err    error
	// declared are the names of trailer fields that the head announced. hijacked: the connection is somebody else's.
	declared []string
	hijacked bool
	// over: the handler has returned. By then the Ctx may belong to another request: what a goroutine that it has left
	// behind still writes, or hijacks, must not meet that.
	over atomic.Bool
}

// errOver is what a writer tells whoever uses it after its handler has returned.
var errOver = errors.New("covet: the handler of net/http has returned")

// serve calls the handler.
func (w *httpWriter) serve(h http.Handler, r *http.Request) {
	defer w.over.Store(true) // a handler that panics is over, too
	h.ServeHTTP(w, r)
}

var (
	_ http.ResponseWriter = (*httpWriter)(nil)
	_ http.Flusher        = (*httpWriter)(nil)
	_ http.Hijacker       = (*httpWriter)(nil)
)

// Header implements http.ResponseWriter.
func (w *httpWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *httpWriter) WriteHeader(status int) {
	if !w.over.Load() {
		w.writeHead(status)
	}
}

func (w *httpWriter) writeHead(status int) {
	c := w.c
	switch {
	case w.wrote || w.hijacked:
		return
	case status < http.StatusOK && status != http.StatusSwitchingProtocols:
		w.inform(status)
		return
	}
	w.wrote = true
	c.res.Status, c.res.Type, c.res.Body, c.res.Length = status, message.ContentNone, nil, -1
	w.declare()
	for name, values := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		if slices.Contains(w.declared, name) {
			continue
		}
		if name == "Content-Length" && len(values) == 1 {
			if n, err := strconv.ParseInt(values[0], 10, 64); err == nil {
				c.res.Length = n
			}
			continue
		}
		for i, v := range values {
			if i == 0 {
				c.SetHeader(name, v)
			} else {
				c.AddHeader(name, v)
			}
		}
	}
	if c.bad != nil {
		w.err = c.bad
	}
}

// Write implements http.ResponseWriter.
func (w *httpWriter) Write(p []byte) (int, error) {
	if w.over.Load() {
		return 0, errOver
	}
	if _, set := w.header["Content-Type"]; !w.wrote && !set && len(p) > 0 && w.header.Get("Content-Encoding") == "" {
		w.header.Set("Content-Type", http.DetectContentType(p))
	}
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	w.WriteHeader(http.StatusOK)
	if w.err != nil {
		return 0, w.err
	}
	if s := w.c.res.Status; s == http.StatusSwitchingProtocols || s == http.StatusNoContent || s == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if w.c.req.Method == message.MethodHead {
		return len(p), nil // the client gets no body: RFC 9110 section 9.3.2
	}
	n, err := w.stream.Write(p)
	w.err = err
	return n, err
}

// Flush implements http.Flusher.
func (w *httpWriter) Flush() { _ = w.FlushError() } // the next Write returns the error

// FlushError is what http.ResponseController calls.
func (w *httpWriter) FlushError() error {
	switch {
	case w.over.Load():
		return errOver
	case w.hijacked:
		return http.ErrHijacked
	}
	w.WriteHeader(http.StatusOK)
	if w.err == nil {
		w.err = w.stream.Flush()
	}
	return w.err
}

package covet

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// httpBody is the body of a request of net/http. Like that of package net/http it may be closed while another goroutine
// reads, and ends with the handler: an http.Transport goes on reading the body of a request whose answer has come
// early. By then the Ctx may belong to another request, whose body it must never get.
type httpBody struct {
	c    *Ctx
	from io.Reader
	// trailing is the request whose trailer fields are filled in at the end, nil when it has none.
	trailing *http.Request

	closing sync.Mutex // held by Close
	mu      sync.Mutex // held while a Read is inside of from
	closed  bool       // under both
}

// Read implements io.Reader.
func (b *httpBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.from.Read(p)
	if r := b.trailing; r != nil && errors.Is(err, io.EOF) {
		list := b.c.Trailers()
		if r.Trailer == nil && len(list) > 0 {
			r.Trailer = http.Header{}
		}
		for i, f := range list {
			name := http.CanonicalHeaderKey(f[0])
			if !slices.ContainsFunc(list[:i], func(o [2]string) bool { return strings.EqualFold(o[0], name) }) {
				r.Trailer[name] = nil // not twice, however often the end is read
			}
			r.Trailer[name] = append(r.Trailer[name], f[1])
		}
	}
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}

// Close implements io.Closer. A Read that waits returns, and none reads any more when Close has returned. FromHTTP closes
// the body when the handler has returned: a Close after that touches nothing.
func (b *httpBody) Close() error {
	b.closing.Lock()
	defer b.closing.Unlock()
	if b.closed {
		return nil
	}
	if w, streams := b.from.(*away); streams {
		w.closeBody()
	}
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return nil
}

package covet

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// This file is what FromHTTP offers beside a head and a body: trailers, interim responses, the connection itself.

// announced makes the Trailer of a request of net/http before its body has been read: the names that its head
// announces, without values.
func announced(q *message.Request) http.Header {
	h := http.Header{}
	for _, f := range q.Fields {
		if !ascii.EqualFold(q.Bytes(f.Name), "trailer") {
			continue
		}
		for one := range strings.SplitSeq(string(q.Bytes(f.Value)), ",") {
			name := strings.TrimSpace(one)
			if name != "" && !message.ForbiddenInTrailer([]byte(name)) {
				h[http.CanonicalHeaderKey(name)] = nil
			}
		}
	}
	return h
}

// declare notes the names of trailer fields that the head announces.
func (w *httpWriter) declare() {
	for _, list := range w.header["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			w.declared = append(w.declared, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
}

// trailers takes over the trailer fields, which a handler of net/http sets among the others: those that were declared in
// a Trailer field before the head, and those with http.TrailerPrefix.
func (w *httpWriter) trailers() {
	for name, values := range w.header {
		key, prefixed := strings.CutPrefix(name, http.TrailerPrefix)
		if !prefixed && !slices.Contains(w.declared, name) {
			continue
		}
		for _, v := range values {
			w.c.res.AddTrailer(key, v) // net/http drops what may not be sent, too
		}
	}
}

// inform sends an interim response with the fields set so far.
func (w *httpWriter) inform(status int) {
	if status < 100 || status == http.StatusSwitchingProtocols {
		return
	}
	var r message.Response
	r.Reset()
	for name, values := range w.header {
		for _, v := range values {
			r.AddField(name, v) // what cannot be sent fails the final response
		}
	}
	_ = w.c.inform(status, &r) // a client that is gone is found by the next Write
}

// Hijack implements http.Hijacker.
func (w *httpWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case w.hijacked:
		return nil, nil, http.ErrHijacked
	case w.over.Load():
		return nil, nil, errOver
	}
	protocol := ""
	if w.wrote {
		if w.c.res.Status != http.StatusSwitchingProtocols {
			return nil, nil, errors.New("covet: the response has begun: the connection cannot be taken over")
		}
		if protocol = w.header.Get("Upgrade"); protocol == "" {
			return nil, nil, errors.New("covet: an answer 101 has no Upgrade field")
		}
	}
	s, err := w.c.takeOver(protocol)
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = true
	return s, bufio.NewReadWriter(bufio.NewReader(s), bufio.NewWriter(s)), nil
}

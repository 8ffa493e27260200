package conformance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/engine"
)

// FuzzSmuggling sends the same bytes to the engine, over a socket, and to the reader of package net/http: what the
// engine takes for requests must be the beginning of what net/http takes for requests. A server that sees another
// boundary than the proxy before it serves a request that the proxy has never seen (RFC 9112 §11.2).
//
// The engine may stop earlier, because it refuses more: FuzzHeadReference of package h1 holds the list of what and
// why. What net/http alone refuses is listed at refusedByThem.
func FuzzSmuggling(f *testing.F) {
	for _, c := range readCases(f) {
		if len(c.in) < 2000 {
			f.Add(append(bytes.Clone(c.in), next...))
		}
	}
	kinds := transports(f)
	s := serve(f, kinds[len(kinds)-1], engine.Config{Limits: limits}, newProbe)
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 16<<10 {
			return
		}
		k, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer k.end()
		k.send(in)
		k.CloseWrite()
		got, err := io.ReadAll(k)
		if err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("the connection does not end: %v; received %q", err, got)
		}
		theirs, why := readTheirs(in)
		rest := got
		for i, c := range k.link.all() {
			if !c.complete {
				continue // refused within its body, or answered without a look at it
			}
			if _, rest, err = readResponse(rest, c.method); err != nil && c.path != "/early" {
				t.Fatalf("response %d to %q: %v; received %q", i, in, err, got)
			}
			if i >= len(theirs) {
				if refusedByThem(why) {
					return
				}
				t.Fatalf("%q: request %d is %s %s, for net/http there is none: %v", in, i, c.method, c.target, why)
			}
			ours := fmt.Sprintf("%s body %q", c.method, c.body)
			if ours != theirs[i] {
				t.Fatalf("%q: request %d is %s, for net/http %s", in, i, ours, theirs[i])
			}
		}
	})
}

// readTheirs reads requests as package net/http does, until it refuses one or there is no more.
func readTheirs(in []byte) (all []string, why error) {
	br := bufio.NewReaderSize(bytes.NewReader(in), 64<<10)
	for {
		if b, _ := br.Peek(2); string(b) == "\r\n" { // it does not skip the empty line of RFC 9112 §2.2
			_, _ = br.Discard(2)
		}
		r, err := http.ReadRequest(br)
		if err != nil {
			return all, err
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return all, err
		}
		all = append(all, fmt.Sprintf("%s body %q", r.Method, body))
	}
}

// refusedByThem tells the requests that net/http refuses and RFC 9112 allows: it parses every target as a URI of
// package url, which has rules of its own for what stands before the path and for escapes in a query.
func refusedByThem(err error) bool {
	var uri *url.Error
	return errors.As(err, &uri)
}

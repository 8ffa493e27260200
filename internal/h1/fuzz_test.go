package h1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/message"
)

// seeds adds the inputs of golden files to a corpus.
func seeds(f *testing.F, add func(in []byte), files ...string) {
	f.Helper()
	for _, file := range files {
		for _, g := range readGolden(f, file) {
			if len(g.in) <= 4<<10 {
				add(g.in)
			}
		}
	}
}

// FuzzHead holds ParseHead against package net/http: we may refuse more, but what both accept must have the same
// method, target, authority, fields and framing.
func FuzzHead(f *testing.F) {
	seeds(f, func(in []byte) { f.Add(in) }, "head_accept.txt", "head_refuse.txt")
	f.Add([]byte(browserGet))
	f.Fuzz(func(t *testing.T, in []byte) {
		var p Parser
		var r message.Request
		r.Reset()
		l := Limits{Body: 1 << 62}
		n, framing, err := p.ParseHead(&l, &r, in)
		if err != nil {
			if s := err.HTTPStatus(); n != 0 || (s < 400 || s > 431) && s != 501 && s != 505 {
				t.Fatal(n, s)
			}
			return
		}
		if n == 0 {
			// Incomplete is said only while the end of the head is not there.
			if len(in) > 4 && bytes.Contains(in[2:], []byte("\r\n\r\n")) {
				t.Fatalf("incomplete: %q", in)
			}
			return
		}
		checkRequest(t, &r)

		start := 0
		if in[0] == '\r' {
			start = 2 // http.ReadRequest skips no empty line
		}
		their, err2 := http.ReadRequest(bufio.NewReader(bytes.NewReader(in[start:])))
		if err2 != nil {
			// What it refuses and we do not may concern how it reads a URI, but never the framing.
			if uri := new(url.Error); !errors.As(err2, &uri) {
				t.Fatalf("refused only by net/http: %v", err2)
			}
			return
		}
		if their.Method != string(r.Bytes(r.MethodName)) {
			t.Fatalf("method %q, %q", r.Bytes(r.MethodName), their.Method)
		}
		switch uri, target := their.RequestURI, string(r.Bytes(r.Target)); {
		case uri == target:
		case len(uri) < 4 || !strings.EqualFold(uri[:4], "http"):
			t.Fatalf("target %q, %q", target, uri)
		case target != "*" && !strings.HasSuffix(uri, strings.TrimPrefix(target, "/")):
			t.Fatalf("target %q of absolute form %q", target, uri)
		}
		if !strings.EqualFold(their.Host, string(r.Bytes(r.Authority))) {
			t.Fatalf("authority %q, %q", r.Bytes(r.Authority), their.Host)
		}
		switch chunked := len(their.TransferEncoding) > 0; framing {
		case Chunked:
			if !chunked || r.ContentLength != -1 {
				t.Fatal("we see chunks, they do not")
			}
		default:
			if chunked || their.ContentLength != r.ContentLength {
				t.Fatalf("length %d, %d, chunked %v", r.ContentLength, their.ContentLength, chunked)
			}
		}
		if r.Version == message.HTTP11 && !their.ProtoAtLeast(1, 1) {
			t.Fatal("version", r.Version, their.Proto)
		}
		if r.KeepAlive && their.Close {
			t.Fatal("we keep what they close")
		}
		count := 0
		for _, values := range their.Header {
			count += len(values)
		}
		// They take Host out, and may take Transfer-Encoding out.
		if count > len(r.Fields) || count < len(r.Fields)-3 {
			t.Fatalf("%d fields, %d", len(r.Fields), count)
		}
	})
}

// checkRequest checks what holds of every request, and the canonical path against a second decoding.
func checkRequest(t *testing.T, r *message.Request) {
	t.Helper()
	for _, s := range []message.Span{r.MethodName, r.Target, r.RawPath, r.Path, r.Query, r.Authority} {
		_ = r.Bytes(s) // within Head, or it panics
	}
	for _, x := range r.Fields {
		name, value := r.Bytes(x.Name), r.Bytes(x.Value)
		if len(name) == 0 || bytes.ContainsAny(name, " \t:\r\n\x00") || bytes.ContainsAny(value, "\r\n\x00") {
			t.Fatalf("field %q: %q", name, value)
		}
	}
	if r.Method == message.MethodConnect {
		return
	}
	path := r.Bytes(r.Path)
	if string(path) == "*" && r.Method == message.MethodOptions {
		return
	}
	if len(path) == 0 || path[0] != '/' {
		t.Fatalf("path %q", path)
	}
	for segment := range bytes.SplitSeq(path[1:], []byte("/")) {
		if string(segment) == "." || string(segment) == ".." {
			t.Fatalf("path %q", path)
		}
	}
	if r.PathEscaped != bytes.ContainsRune(path, '%') {
		t.Fatalf("path %q, escaped %v", path, r.PathEscaped)
	}
	for rest := path; ; {
		at := bytes.IndexByte(rest, '%')
		if at < 0 {
			break
		}
		if rest = rest[at:]; !bytes.HasPrefix(rest, []byte("%2F")) && !bytes.HasPrefix(rest, []byte("%25")) {
			t.Fatalf("path %q", path)
		}
		rest = rest[3:]
	}
}

// FuzzHeadCut: however a head is cut, the result is that of the whole.
func FuzzHeadCut(f *testing.F) {
	seeds(f, func(in []byte) { f.Add(in, uint16(3), uint16(7)) }, "head_accept.txt", "head_refuse.txt")
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16) {
		l := Limits{Line: 100, Head: 200, Fields: 8, Body: 1000}
		run := func(lengths ...int) string {
			var p Parser
			var r message.Request
			r.Reset()
			n, f, err := parseCut(&p, &l, &r, in, lengths)
			if n == 0 || err != nil {
				return fmt.Sprint(err)
			}
			return fmt.Sprint(n, describe(&r, f, nil))
		}
		first := int(a) % (len(in) + 1)
		second := first + int(b)%(len(in)-first+1)
		whole := run(len(in))
		if cut := run(first, second, len(in)); cut != whole {
			t.Fatalf("%q cut at %d and %d:\n%s\n%s", in, first, second, cut, whole)
		}
	})
}

// FuzzChunks holds the decoder against that of package net/http/httputil, and against itself cut in three: we may
// refuse more, but where both accept the body is the same.
func FuzzChunks(f *testing.F) {
	seeds(f, func(in []byte) { f.Add(in, uint16(3), uint16(7)) }, "chunks.txt")
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16) {
		l := Limits{Head: 200, Fields: 8}
		run := func(lengths ...int) (body []byte, outcome string, done bool) {
			var c Chunks
			var r message.Request
			c.Reset(&l)
			body, used, done, err := decodeCut(&c, &r, in, lengths)
			if err != nil {
				return nil, err.Error(), false
			}
			if !done {
				return body, "incomplete", false
			}
			return body, fmt.Sprint(used, trailerOf(&r)), true
		}
		body, outcome, done := run(len(in))
		first := int(a) % (len(in) + 1)
		second := first + int(b)%(len(in)-first+1)
		body2, outcome2, _ := run(first, second, len(in))
		if outcome != outcome2 || !bytes.Equal(body, body2) {
			t.Fatalf("%q cut at %d and %d: %q %q, whole: %q %q", in, first, second, body2, outcome2, body, outcome)
		}
		if !done {
			return
		}
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		if err != nil || !bytes.Equal(theirs, body) {
			t.Fatalf("%q: %q, theirs %q, %v", in, body, theirs, err)
		}
	})
}

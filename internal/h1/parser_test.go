package h1

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// parseCut feeds in to p in growing lengths, in a fresh buffer each time as after the growth of a connection's buffer.
func parseCut(p *Parser, l *Limits, r *message.Request, in []byte, lengths []int) (n int, f Framing, err *fault.Error) {
	for _, length := range lengths {
		n, f, err = p.ParseHead(l, r, bytes.Clone(in[:length]))
		if n != 0 || err != nil {
			break
		}
	}
	return n, f, err
}

// describe turns a parsed head into the pairs that golden files name.
func describe(r *message.Request, f Framing, rest []byte) map[string]string {
	q := func(s message.Span) string { return strconv.Quote(string(r.Bytes(s))) }
	var fields strings.Builder
	for _, x := range r.Fields {
		fmt.Fprintf(&fields, "%s=%s;", r.Bytes(x.Name), r.Bytes(x.Value))
	}
	var hot strings.Builder
	for h := range message.HotCount {
		if v := r.Hot(h); v != nil {
			fmt.Fprintf(&hot, "%s=%s;", h, v)
		}
	}
	return map[string]string{
		"method":    r.Method.String() + "/" + string(r.Bytes(r.MethodName)),
		"version":   strconv.Itoa(int(r.Version)),
		"target":    q(r.Target),
		"rawpath":   q(r.RawPath),
		"path":      q(r.Path),
		"escaped":   strconv.FormatBool(r.PathEscaped),
		"query":     q(r.Query),
		"authority": q(r.Authority),
		"fields":    strconv.Quote(fields.String()),
		"count":     strconv.Itoa(len(r.Fields)),
		"hot":       strconv.Quote(hot.String()),
		"keepalive": strconv.FormatBool(r.KeepAlive),
		"expect":    strconv.FormatBool(r.ExpectContinue),
		"length":    strconv.FormatInt(r.ContentLength, 10),
		"complete":  strconv.FormatBool(r.BodyComplete),
		"framing":   f.String(),
		"rest":      strconv.Quote(string(rest)),
	}
}

// TestHeadGolden runs every case whole and cut in every way; result and text of the refusal must be the same.
func TestHeadGolden(t *testing.T) {
	for _, file := range []string{"head_accept.txt", "head_refuse.txt", "head_limits.txt"} {
		for _, g := range readGolden(t, file) {
			t.Run(g.name, func(t *testing.T) {
				var p Parser
				var first string
				cuts(len(g.in), func(how string, lengths []int) {
					var r message.Request
					r.Reset()
					p.Reset()
					n, f, err := parseCut(&p, &g.limits, &r, g.in, lengths)
					if n == 0 && err == nil {
						t.Fatalf("%s line %d, %s: incomplete", file, g.line, how)
					}
					var got map[string]string
					all := fmt.Sprint(err)
					if err == nil {
						got = describe(&r, f, g.in[n:])
						all = fmt.Sprint(got)
					}
					g.judge(t, how, got, err)
					if first == "" {
						first = all
					} else if all != first {
						t.Fatalf("%s line %d, %s: the cut changes the result:\n%s\n%s", file, g.line, how, all, first)
					}
				})
			})
		}
	}
}

// TestEveryPrefixIsIncomplete: a prefix of a good head is neither complete nor refused.
func TestEveryPrefixIsIncomplete(t *testing.T) {
	for _, g := range readGolden(t, "head_accept.txt") {
		var p Parser
		var r message.Request
		n, _, err := p.ParseHead(&g.limits, &r, g.in)
		if err != nil {
			t.Fatalf("line %d: %v", g.line, err)
		}
		for i := range n {
			p.Reset()
			if m, _, err := p.ParseHead(&g.limits, &r, g.in[:i]); m != 0 || err != nil {
				t.Fatalf("line %d: %d of %d bytes: %d, %v", g.line, i, n, m, err)
			}
		}
	}
}

// TestPipelined: requests that arrive together are parsed one after the other, with the same Parser and Request.
func TestPipelined(t *testing.T) {
	in := []byte(shortGet + "OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n" + browserGet + shortGet)
	var p Parser
	var r message.Request
	var paths []string
	for rest := in; len(rest) > 0; {
		n, _, err := p.ParseHead(nil, &r, rest)
		if n == 0 || err != nil {
			t.Fatalf("after %q: %d, %v", paths, n, err)
		}
		paths = append(paths, string(r.Bytes(r.Path)))
		rest = rest[n:]
	}
	want := []string{"/users/42", "*", "/products/search", "/users/42"}
	if fmt.Sprint(paths) != fmt.Sprint(want) {
		t.Fatalf("%q, want %q", paths, want)
	}
}

// TestStaleRequest: nothing of an earlier request shines through a later one in the same Request.
func TestStaleRequest(t *testing.T) {
	var p Parser
	var used, fresh message.Request
	fresh.Reset()
	full := "POST http://x.example/a%2Fb?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n" +
		"Cookie: c\r\nAuthorization: z\r\nContent-Length: 3\r\n\r\n"
	if _, _, err := p.ParseHead(nil, &used, []byte(full)); err != nil {
		t.Fatal(err)
	}
	used.Body, used.TrailerHead = []byte("abc"), []byte("x")
	used.Trailer = append(used.Trailer, message.Field{})
	n, f, err := p.ParseHead(nil, &used, []byte(shortGet))
	n2, f2, err2 := p.ParseHead(nil, &fresh, []byte(shortGet))
	if err != nil || err2 != nil || n != n2 {
		t.Fatal(n, n2, err, err2)
	}
	if a, b := fmt.Sprint(describe(&used, f, nil)), fmt.Sprint(describe(&fresh, f2, nil)); a != b {
		t.Fatalf("\n%s\n%s", a, b)
	}
	if used.Body != nil || len(used.Trailer) != 0 || used.TrailerHead != nil {
		t.Fatal("body or trailer of the request before")
	}
}

// TestNotRescanned counts, through the state, that no byte before the position reached is looked at again: bytes
// already scanned are spoiled before the next call, and only the final parse may see them.
func TestNotRescanned(t *testing.T) {
	in := []byte(browserGet)
	var p Parser
	var r message.Request
	buf := make([]byte, 0, len(in))
	for i := range len(in) - 1 {
		buf = append(buf, in[i])
		if n, _, err := p.ParseHead(nil, &r, buf); n != 0 || err != nil {
			t.Fatalf("at %d: %d, %v", i, n, err)
		}
		// The last bytes may be looked at again: the version with its line end, and a CR.
		if i > len("HTTP/1.1\r\n") {
			buf[i-len("HTTP/1.1\r\n")] = 0
		}
	}
	if n, f, err := p.ParseHead(nil, &r, in); n != len(in) || f != NoBody || err != nil {
		t.Fatal(n, f, err)
	}
}

func TestParserAllocations(t *testing.T) {
	var l Limits
	for _, c := range []struct{ name, in string }{
		{"short", shortGet},
		{"browser", browserGet},
		{"100 fields", manyFields()},
		{"escaped", "GET /%61/../b%2Fc HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"absolute", "GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		in := []byte(c.in)
		var p Parser
		var r message.Request
		parse := func() {
			if n, _, err := p.ParseHead(&l, &r, in); n != len(in) || err != nil {
				t.Fatal(c.name, n, err)
			}
		}
		parse()
		if got := testing.AllocsPerRun(100, parse); got != 0 {
			t.Errorf("%s: %v allocations", c.name, got)
		}
	}
}

// TestRelease: a large rewritten head is not kept, and an incomplete head is not forgotten.
func TestRelease(t *testing.T) {
	var p Parser
	var r message.Request
	big := "GET /%61 HTTP/1.1\r\nHost: a\r\nx: " + strings.Repeat("y", 2*maxKeptScratch) + "\r\n\r\n"
	if n, _, err := p.ParseHead(nil, &r, []byte(big)); n != len(big) || err != nil {
		t.Fatal(n, err)
	}
	if n, _, err := p.ParseHead(nil, &r, []byte(shortGet[:20])); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	p.Release()
	if cap(p.scratch) > maxKeptScratch {
		t.Fatalf("%d bytes kept", cap(p.scratch))
	}
	if n, _, err := p.ParseHead(nil, &r, []byte(shortGet)); n != len(shortGet) || err != nil {
		t.Fatal(n, err)
	}
}

// The answer to HEAD has no content, be it an error (RFC 9110 section 9.3.2): so the method is known where it was read.
func TestRefusedMethod(t *testing.T) {
	for _, c := range []struct {
		in   string
		want message.Method
	}{
		{"HEAD / HTTP/1.1\r\nHost : a\r\n\r\n", message.MethodHead},
		{"HEAD /\\ HTTP/1.1\r\nHost: a\r\n\r\n", message.MethodHead},
		{"\r\nHEAD / HTTP/2.0\r\n\r\n", message.MethodHead},
		{"HEAD / HTTP/1.1\r\n\r\n", message.MethodHead},
		{"HEAD\x00", message.MethodOther},
	} {
		for cut := range len(c.in) + 1 {
			var p Parser
			var r message.Request
			r.Reset()
			if _, _, err := p.ParseHead(nil, &r, []byte(c.in[:cut])); err == nil {
				r.Reset() // the rest may come to another one
				if _, _, err = p.ParseHead(nil, &r, []byte(c.in)); err == nil {
					t.Fatalf("%q is accepted", c.in)
				}
			}
			if r.Method != c.want {
				t.Errorf("%q cut at %d: method %v", c.in, cut, r.Method)
			}
		}
	}
}

package h1

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/covetpy/covet/internal/message"
)

// This file holds the parser against a second reading of the RFCs: rules over a whole head, written with regular
// expressions and without an eye on speed. A head is accepted exactly when it breaks none of them. Each rule says why
// it is there, and whether package net/http keeps it too: where it does not, we refuse what net/http accepts, on
// purpose; every other such difference is a bug.

// referenceHead is a head that has been taken apart by lines.
type referenceHead struct {
	method, target string
	minor          byte
	names, values  []string // values as they stand behind the colon
}

// all returns the raw values of a field.
func (h *referenceHead) all(name string) (values []string) {
	for i, n := range h.names {
		if strings.EqualFold(n, name) {
			values = append(values, h.values[i])
		}
	}
	return values
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"

var (
	requestLineForm = regexp.MustCompile("^(" + token + `) ([!-~]+) HTTP/1\.([0-9])$`)
	// Bytes, not runes: obs-text is any byte above ASCII.
	fieldLineForm = regexp.MustCompile("^(" + token + `):([\t -~]|[^\x00-\x7f])*$`)
	authorityForm = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z\-._~]+)(:[0-9]*)?$`)
	absoluteForm  = regexp.MustCompile(`^(?i:https?)://([^/?]*)(/[^?]*)?(\?.*)?$`)
	lengthForm    = regexp.MustCompile(`^ ?[0-9]{1,18}$`)
	chunkedForm   = regexp.MustCompile(`^ ?(?i:chunked)$`)
	escapeForm    = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
)

// latin makes runes of bytes, so that a regular expression sees every byte.
func latin(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// unlatin is the reverse of latin.
func unlatin(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		b = append(b, byte(c))
	}
	return string(b)
}

// takeApart returns the parts of a head, which ends with the first empty line, or the rule that it breaks.
func takeApart(head []byte) (h referenceHead, broken string) {
	text := strings.TrimPrefix(latin(head), "\r\n") // one empty line before: RFC 9112 section 2.2
	lines := strings.Split(strings.TrimSuffix(text, "\r\n\r\n"), "\r\n")
	for _, l := range lines {
		if strings.ContainsAny(l, "\r\n") {
			// RFC 9112 section 2.2 lets bare LF end a line and a bare CR be a space. net/http takes a bare LF.
			return h, "line ends are CR LF"
		}
	}
	m := requestLineForm.FindStringSubmatch(lines[0])
	if m == nil {
		// RFC 9112 section 3, RFC 3986 section 2. net/http takes bytes above ASCII in targets, and any version that
		// looks like one.
		return h, "method SP target SP HTTP/1.x"
	}
	h.method, h.target, h.minor = m[1], m[2], m[3][0]
	for _, l := range lines[1:] {
		if !fieldLineForm.MatchString(l) {
			// RFC 9112 section 5, RFC 9110 section 5.5. net/http unfolds lines, and leaves the check of values to its
			// server.
			return h, "name: value"
		}
		name, value, _ := strings.Cut(l, ":")
		h.names, h.values = append(h.names, name), append(h.values, value)
	}
	return h, ""
}

// breaks returns the rule that h breaks, "" for none.
func (h *referenceHead) breaks(maxFields int, maxBody int64) string {
	hosts, lengths, codings, expects := h.all("host"), h.all("content-length"), h.all("transfer-encoding"), h.all("expect")
	blank := func(s string) string { return strings.Trim(s, " \t") }
	switch {
	case len(h.names) > maxFields:
		return "a limited number of fields"
	case len(hosts) > 1 || len(hosts) == 0 && h.minor > '0':
		// RFC 9112 section 3.2. net/http leaves a missing Host to its server.
		return "one Host"
	case len(hosts) == 1 && !isAuthority(blank(hosts[0]), false):
		// RFC 9112 section 3.2; stricter than net/http, which lets most bytes of an authority pass.
		return "Host is host[:port]"
	case len(codings) > 0 && (len(codings) > 1 || h.minor == '0' || len(lengths) > 0 || !chunkedForm.MatchString(codings[0])):
		// RFC 9112 sections 6.1, 6.3. net/http drops Content-Length beside chunked, and ignores codings in HTTP/1.0.
		return "Transfer-Encoding is chunked, alone, in HTTP/1.1"
	case len(codings) == 0 && len(lengths) > 0 && (len(lengths) > 1 || !lengthForm.MatchString(lengths[0]) || tooLong(blank(lengths[0]), maxBody)):
		// RFC 9112 section 6.3, RFC 9110 section 8.6. net/http merges equal ones, and trims more white space.
		return "one Content-Length of digits, within the limit"
	}
	if h.minor > '0' {
		for _, e := range expects {
			if !strings.EqualFold(blank(e), "100-continue") {
				return "Expect is 100-continue" // RFC 9110 section 10.1.1. net/http leaves it to its server.
			}
		}
	}
	return h.targetBreaks()
}

// targetBreaks: RFC 9112 section 3.2. net/http parses a target as any URI, and knows no canonical path.
func (h *referenceHead) targetBreaks() string {
	t := h.target
	if strings.Contains(t, "#") {
		return "no fragment"
	}
	path, _, _ := strings.Cut(t, "?")
	switch {
	case h.method == "CONNECT":
		if !isAuthority(t, true) {
			return "CONNECT has an authority with a port"
		}
		return ""
	case t == "*":
		if h.method != "OPTIONS" {
			return "* is for OPTIONS"
		}
		return ""
	case t[0] != '/':
		m := absoluteForm.FindStringSubmatch(t)
		if m == nil || !isAuthority(m[1], false) {
			return "a path or an http URI"
		}
		if path = m[2]; path == "" {
			return ""
		}
	}
	return pathBreaks(path)
}

// pathBreaks: RFC 3986 sections 2.1 and 5.2.4, and what no path of ours may hold.
func pathBreaks(path string) string {
	if strings.Contains(path, `\`) {
		return "no backslash in a path"
	}
	if strings.Contains(escapeForm.ReplaceAllString(path, ""), "%") {
		return "% HEXDIG HEXDIG"
	}
	if strings.Contains(path, "%00") {
		return "no NUL in a path"
	}
	var stack []string
	for _, segment := range strings.Split(path[1:], "/") {
		decoded := escapeForm.ReplaceAllStringFunc(segment, func(e string) string {
			b, _ := hex.DecodeString(e[1:])
			return string(b)
		})
		switch decoded {
		case ".":
		case "..":
			if len(stack) == 0 {
				return "no climbing above the root"
			}
			stack = stack[:len(stack)-1]
		default:
			stack = append(stack, decoded)
		}
	}
	if !utf8.ValidString(strings.Join(stack, "/")) {
		return "a path is UTF-8"
	}
	return ""
}

func isAuthority(s string, withPort bool) bool {
	m := authorityForm.FindStringSubmatch(s)
	if m == nil || withPort && len(m[2]) < 2 {
		return false
	}
	if m[1][0] == '[' {
		if a, err := netip.ParseAddr(strings.Trim(m[1], "[]")); err != nil || !a.Is6() {
			return false
		}
	}
	port := strings.TrimLeft(strings.TrimPrefix(m[2], ":"), "0")
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n <= 65535
}

func tooLong(digits string, limit int64) bool {
	n, err := strconv.ParseInt(digits, 10, 64)
	return err != nil || n > limit
}

// FuzzHeadReference: a whole head is accepted exactly when it breaks no rule; and what net/http accepts and we refuse
// breaks one, so that every such difference is one of those named above.
func FuzzHeadReference(f *testing.F) {
	seeds(f, func(in []byte) { f.Add(in) }, "head_accept.txt", "head_refuse.txt")
	f.Add([]byte(browserGet))
	for _, path := range []string{"/%ff/../a", "/a/%2e%2E/b", "/%2f..%2f", "/.", "/..", "/%", "/%0", "/a//../b", "/%C3%A9", "*", "http://a", "http://[::1]:1?x", "a:1"} {
		f.Add([]byte("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const maxBody = 1 << 40
		end := bytes.Index(in[min(2, len(in)):], []byte("\r\n\r\n"))
		if end < 0 || len(in) > 1<<20 {
			return
		}
		head := in[:2+end+4]
		h, broken := takeApart(head)
		if broken == "" {
			broken = h.breaks(message.MaxFields, maxBody)
		}
		var p Parser
		var r message.Request
		r.Reset()
		l := Limits{Line: 1 << 20, Head: 1 << 20, Fields: message.MaxFields, Body: maxBody}
		n, _, err := p.ParseHead(&l, &r, in)
		switch {
		case err == nil && broken != "":
			t.Fatalf("accepted, although it breaks %q: %q", broken, head)
		case err != nil && broken == "":
			t.Fatalf("refused, although it breaks no rule: %v: %q", err, head)
		case err == nil && n != len(head):
			t.Fatalf("%d bytes of a head of %d: %q", n, len(head), head)
		case err == nil:
			if got := string(r.Bytes(r.MethodName)); got != h.method {
				t.Fatalf("method %q, want %q", got, h.method)
			}
			if len(r.Fields) != len(h.names) {
				t.Fatalf("%d fields, want %d", len(r.Fields), len(h.names))
			}
			for i, x := range r.Fields {
				if got := string(r.Bytes(x.Name)); got != h.names[i] {
					t.Fatalf("field %d is named %q, want %q", i, got, h.names[i])
				}
				want := unlatin(strings.Trim(h.values[i], " \t"))
				if got := string(r.Bytes(x.Value)); got != want && !strings.EqualFold(h.names[i], "host") {
					t.Fatalf("field %q is %q, want %q", h.names[i], got, want)
				}
			}
		default:
			// Both readings refuse it: nothing more to compare than that net/http, if it accepts it, does not read a
			// body where the rule is one of framing.
			if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in))); err == nil && broken == "" {
				t.Fatalf("accepted by net/http: %q", head)
			}
		}
	})
}

// referenceChunks decodes a chunked body (RFC 9112 section 7.1) the slow way. It returns how much of in it is; whole is
// false when in ends before it does, ok when it is broken.
func referenceChunks(in string) (body string, n int, whole, ok bool) {
	line := func() (string, bool, bool) {
		end := strings.IndexAny(in[n:], "\r\n\x00")
		if end < 0 {
			return in[n:], false, true
		}
		l := in[n : n+end]
		switch rest := in[n+end:]; {
		case strings.HasPrefix(rest, "\r\n"):
			n += end + 2
			return l, true, true
		case rest == "\r":
			return l, false, true
		}
		return l, false, false // a bare CR or LF
	}
	for {
		l, there, fine := line()
		size, extension, extended := strings.Cut(l, ";")
		switch {
		case !fine, !chunkSizePrefix.MatchString(size), extended && size == "", !chunkExtension.MatchString(latin([]byte(extension))):
			return "", 0, false, false
		case size == "":
			return body, n, false, !there && in[n:] == ""
		}
		k, err := strconv.ParseUint(size, 16, 64)
		if err != nil || k > 64<<20-uint64(len(body)) {
			return "", 0, false, false // also when digits may still follow
		}
		if !there {
			return body, n, false, true
		}
		if k == 0 {
			break
		}
		data := in[n:]
		if uint64(len(data)) < k {
			return body + data, n, false, true
		}
		body += data[:k]
		n += int(k)
		switch rest := in[n:]; {
		case strings.HasPrefix(rest, "\r\n"):
			n += 2
		case rest == "" || rest == "\r":
			return body, n, false, true
		default:
			return "", 0, false, false
		}
	}
	for {
		l, there, fine := line()
		name, _, _ := strings.Cut(l, ":")
		switch {
		case !fine, len(name) > 256: // the limit of names in a trailer section
			return "", 0, false, false
		case !there && in[n:] == l:
			return body, n, false, partialField.MatchString(latin([]byte(l)))
		case !there: // and the CR of its end has come
			return body, n, false, l == "" || fieldLineForm.MatchString(latin([]byte(l)))
		case l == "":
			return body, n, true, true
		case !fieldLineForm.MatchString(latin([]byte(l))):
			return "", 0, false, false
		}
	}
}

var (
	chunkSizePrefix = regexp.MustCompile(`^[0-9A-Fa-f]{0,16}$`)
	chunkExtension  = regexp.MustCompile(`^([\t -~]|[^\x00-\x7f])*$`)
	partialField    = regexp.MustCompile("^(" + token + `(:([\t -~]|[^\x00-\x7f])*)?)?$`)
)

// FuzzChunksReference: a chunked body is accepted exactly when the reference accepts it, with the same data; and what
// the decoder of net/http accepts besides is refused for a reason that the reference has, too.
func FuzzChunksReference(f *testing.F) {
	seeds(f, func(in []byte) { f.Add(in) }, "chunks.txt")
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4<<10 {
			return // the limits of extensions and of the trailer section are not among the rules
		}
		var c Chunks
		var r message.Request
		c.Reset(&Limits{Head: 1 << 20, Fields: message.MaxFields})
		body, used, done, err := decodeCut(&c, &r, bytes.Clone(in), []int{len(in)})
		want, n, whole, ok := referenceChunks(string(in))
		got := fmt.Sprintf("done %v, refused %v", done, err != nil)
		if wanted := fmt.Sprintf("done %v, refused %v", whole && ok, !ok); got != wanted {
			t.Fatalf("%q: %s (%v), want %s", in, got, err, wanted)
		}
		if !done {
			return
		}
		if used != n || string(body) != want {
			t.Fatalf("%q: %d bytes, body %q, want %d and %q", in, used, body, n, want)
		}
		if theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in))); err != nil || string(theirs) != want {
			t.Fatalf("%q: theirs %q, %v", in, theirs, err)
		}
	})
}

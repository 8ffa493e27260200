package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// response is one final response as a strict client reads it.
type response struct {
	interim []int
	status  int
	fields  map[string][]string // names in lower case
	framing string              // length, chunked, close or none
	body    string
}

var errCut = errors.New("the response is cut off")

// readResponse takes the next final response, with the interim ones before it, from b, which is everything that came
// before the end of the connection. It is stricter than any client: what it complains of must never leave a server.
func readResponse(b []byte, method string) (r *response, rest []byte, err error) {
	r = &response{}
	for {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return nil, b, errCut
		}
		if err := r.head(string(b[:end+2])); err != nil {
			return nil, b, err
		}
		b = b[end+4:]
		if r.status >= 200 || r.status == 101 {
			break
		}
		if len(r.fields["content-length"])+len(r.fields["transfer-encoding"]) > 0 {
			// RFC 9112 §6.1, RFC 9110 §8.6: no framing in 1xx.
			return nil, b, fmt.Errorf("%d with framing fields", r.status)
		}
		r.interim = append(r.interim, r.status)
	}
	lengths, codings := r.fields["content-length"], r.fields["transfer-encoding"]
	switch {
	case len(lengths)+len(codings) > 1:
		return nil, b, errors.New("a response has more than one framing field")
	case r.status == 204 && len(lengths)+len(codings) > 0:
		return nil, b, errors.New("204 with framing fields") // RFC 9110 §8.6, RFC 9112 §6.1
	case method == "HEAD" || r.status == 204 || r.status == 304 || r.status == 101:
		r.framing = "none"
		return r, b, nil
	case len(codings) == 1:
		if codings[0] != "chunked" {
			return nil, b, fmt.Errorf("transfer coding %q", codings[0])
		}
		r.framing = "chunked"
		r.body, b, err = readChunks(b)
		return r, b, err
	case len(lengths) == 1:
		r.framing = "length"
		n, err := strconv.Atoi(lengths[0])
		if err != nil || n < 0 {
			return nil, b, fmt.Errorf("content-length %q", lengths[0])
		}
		if n > len(b) {
			return nil, b, errCut
		}
		r.body = string(b[:n])
		return r, b[n:], nil
	}
	r.framing = "close"
	r.body = string(b)
	return r, nil, nil
}

// head reads a status line and field lines, each with its CRLF.
func (r *response) head(s string) error {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7f {
			return fmt.Errorf("control character %#x in a response head %q", c, s)
		}
	}
	lines := strings.Split(s, "\r\n")
	lines = lines[:len(lines)-1]
	// RFC 9112 §4: HTTP-version SP status-code SP [ reason-phrase ]. §2.3, RFC 9110 §2.5: the version is ours.
	status, ok := strings.CutPrefix(lines[0], "HTTP/1.1 ")
	if !ok || len(status) < 4 || status[3] != ' ' {
		return fmt.Errorf("status line %q", lines[0])
	}
	n, err := strconv.Atoi(status[:3])
	if err != nil || n < 100 {
		return fmt.Errorf("status line %q", lines[0])
	}
	r.status, r.fields = n, map[string][]string{}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return fmt.Errorf("field line %q", line)
		}
		name = strings.ToLower(name)
		r.fields[name] = append(r.fields[name], strings.Trim(value, " \t"))
	}
	for _, once := range []string{"date", "server", "content-type", "connection"} {
		if len(r.fields[once]) > 1 {
			return fmt.Errorf("more than one %s", once)
		}
	}
	return nil
}

// readChunks reads a chunked body without extensions and trailer fields.
func readChunks(b []byte) (body string, rest []byte, err error) {
	var all strings.Builder
	for {
		line, after, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok {
			return "", b, errCut
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return "", b, fmt.Errorf("chunk size %q", line)
		}
		if len(after) < int(n)+2 {
			return "", b, errCut
		}
		if string(after[n:n+2]) != "\r\n" {
			return "", b, fmt.Errorf("chunk data ends with %q", after[n:n+2])
		}
		all.Write(after[:n])
		b = after[n+2:]
		if n == 0 {
			return all.String(), b, nil
		}
	}
}

// connectionHas tells that a response's Connection field has that option.
func (r *response) connectionHas(option string) bool {
	for _, v := range r.fields["connection"] {
		for o := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(o), option) {
				return true
			}
		}
	}
	return false
}

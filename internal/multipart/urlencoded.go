package multipart

import (
	"bytes"
	"unicode/utf8"
)

// Pairs calls f for every name and value of application/x-www-form-urlencoded text, in order (WHATWG URL section 5.1):
// pieces between ampersands, empty ones skipped, "+" for space, "%" and two hex digits for a byte; any other "%" stands
// for itself. The error is an *Error, for more than limit pairs or for text that is not UTF-8; with a limit over no
// pair is seen before it is known.
func Pairs(text []byte, limit int, f func(name, value string)) error {
	// Counted before anything is made of it: a million names cost one look at each byte.
	if n := bytes.Count(text, []byte("&")) + 1; n > limit && pieces(text) > limit {
		return limitError(ErrFields, "the form has more than %d fields", limit)
	}
	for len(text) > 0 {
		var pair []byte
		pair, text, _ = bytes.Cut(text, []byte("&"))
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, []byte("="))
		n, v := unescape(name), unescape(value)
		if !utf8.ValidString(n) || !utf8.ValidString(v) {
			return formError(ErrText, "a name or value in the form is not UTF-8")
		}
		f(n, v)
	}
	return nil
}

// pieces counts the pieces that are not empty.
func pieces(text []byte) (n int) {
	for len(text) > 0 {
		var pair []byte
		if pair, text, _ = bytes.Cut(text, []byte("&")); len(pair) > 0 {
			n++
		}
	}
	return n
}

func unescape(b []byte) string {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '+':
			out = append(out, ' ')
		case c == '%' && i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0:
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

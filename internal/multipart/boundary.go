package multipart

import (
	"strings"

	"github.com/covetpy/covet/internal/ascii"
)

// maxBoundary is the longest boundary of RFC 2046 section 5.1.1.
const maxBoundary = 70

// MediaType splits the value of a Content-Type field: the type, without outer white space and in its own case, and
// what follows the first semicolon.
func MediaType(contentType string) (media, params string) {
	media, params, _ = strings.Cut(contentType, ";")
	return strings.Trim(media, " \t"), params
}

// Boundary returns the boundary of a multipart/form-data Content-Type, given what [MediaType] has split off. The error
// is an *Error.
func Boundary(params string) (string, error) {
	boundary, found := "", false
	for rest := params; ; {
		name, value, after, ok := nextParam(rest)
		if !ok {
			return "", formError(ErrBoundary, "the parameters of Content-Type are malformed")
		}
		if name == "" {
			break
		}
		if ascii.EqualFold(name, "boundary") {
			if found {
				return "", formError(ErrBoundary, "Content-Type has two boundaries")
			}
			boundary, found = value, true
		}
		rest = after
	}
	if !found || !validBoundary(boundary) {
		return "", formError(ErrBoundary, "Content-Type has no valid boundary")
	}
	return boundary, nil
}

// nextParam reads one parameter and the semicolon behind it. The name is empty at the end. Values that are no tokens
// though not quoted are taken up to the next semicolon: some clients do not quote boundaries with "/" or "=".
func nextParam(s string) (name, value, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t;")
	if s == "" {
		return "", "", "", true
	}
	name, s, found := strings.Cut(s, "=")
	name = strings.TrimRight(name, " \t")
	if !found || !ascii.IsToken(name) {
		return "", "", "", false
	}
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimRight(value, " \t"), rest, strings.IndexByte(value, '"') < 0
	}
	value, s, ok = quoted(s)
	s = strings.TrimLeft(s, " \t")
	if !ok || s != "" && s[0] != ';' {
		return "", "", "", false
	}
	return name, value, s, true
}

// quoted reads the quoted string that s begins with. A backslash escapes a quote or a backslash and is itself
// anywhere else: browsers do not escape backslashes (WHATWG HTML section 4.10.21.8), older clients escape just these.
func quoted(s string) (value, rest string, ok bool) {
	end := -1
	escapes := false
	for i := 1; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			escapes = true
			i++
		} else if s[i] == '"' {
			end = i
			break
		}
	}
	if end < 0 {
		return "", "", false
	}
	value = s[1:end]
	if escapes {
		b := make([]byte, 0, len(value))
		for i := 0; i < len(value); i++ {
			if value[i] == '\\' && i+1 < len(value) && (value[i+1] == '"' || value[i+1] == '\\') {
				i++
			}
			b = append(b, value[i])
		}
		value = string(b)
	}
	return value, s[end+1:], true
}

// validBoundary checks bchars of RFC 2046 section 5.1.1: 1 to 70, and no space at the end.
func validBoundary(s string) bool {
	if s == "" || len(s) > maxBoundary || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("'()+_,-./:=? ", rune(c)) {
			return false
		}
	}
	return true
}

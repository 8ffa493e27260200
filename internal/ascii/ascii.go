// Package ascii provides the byte classes of HTTP: tokens, field values, case.
package ascii

// class bits of a byte.
const (
	token = 1 << iota // tchar, RFC 9110 section 5.6.2
	value             // allowed inside a field value, RFC 9110 section 5.5
)

var classes = func() (t [256]uint8) {
	for c := 0x21; c < 0x7f; c++ {
		t[c] = value | token
	}
	for _, c := range `"(),/:;<=>?@[\]{}` {
		t[c] &^= token
	}
	t[' '], t['\t'] = value, value
	for c := 0x80; c <= 0xff; c++ {
		t[c] = value // obs-text
	}
	return t
}()

// IsTokenByte reports whether c may stand in a token (a field name or a method).
func IsTokenByte(c byte) bool { return classes[c]&token != 0 }

// IsValueByte reports whether c may stand in a field value: visible ASCII, space, tab and obs-text.
func IsValueByte(c byte) bool { return classes[c]&value != 0 }

// Text is the bytes of a string or of a slice.
type Text interface{ ~string | ~[]byte }

// IsToken reports whether s is a token: one tchar or more.
func IsToken[T Text](s T) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&token == 0 {
			return false
		}
	}
	return len(s) > 0
}

// IsValue reports whether s may be a field value: above all it holds no CR, LF or NUL.
func IsValue[T Text](s T) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&value == 0 {
			return false
		}
	}
	return true
}

// Lower returns c in lower case.
func Lower(c byte) byte {
	if c-'A' < 26 {
		return c | 0x20
	}
	return c
}

// LowerInPlace makes b lower case.
func LowerInPlace(b []byte) {
	for i, c := range b {
		b[i] = Lower(c)
	}
}

// EqualFold reports whether name equals the lower-case ASCII string, without regard to the case of name.
func EqualFold[T Text](name T, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := 0; i < len(name); i++ {
		if Lower(name[i]) != lower[i] {
			return false
		}
	}
	return true
}

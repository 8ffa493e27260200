package ascii

import "testing"

func TestClasses(t *testing.T) {
	const tchar = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	in := map[byte]bool{}
	for i := range len(tchar) {
		in[tchar[i]] = true
	}
	for c := range 256 {
		if got := IsTokenByte(byte(c)); got != in[byte(c)] {
			t.Errorf("IsTokenByte(%#x) is %v", c, got)
		}
		want := c == '\t' || c >= 0x20 && c != 0x7f
		if got := IsValueByte(byte(c)); got != want {
			t.Errorf("IsValueByte(%#x) is %v", c, got)
		}
	}
}

func TestToken(t *testing.T) {
	for s, want := range map[string]bool{"": false, "a": true, "Content-Type": true, "a b": false, "a:": false, "a\r": false, "é": false} {
		if IsToken(s) != want || IsToken([]byte(s)) != want {
			t.Errorf("IsToken(%q) is not %v", s, want)
		}
	}
}

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		name, lower string
		want        bool
	}{{"Host", "host", true}, {"HOST", "host", true}, {"hos", "host", false}, {"h\x4fst", "host", true}, {"@ost", "`ost", false}, {"", "", true}} {
		if EqualFold(c.name, c.lower) != c.want {
			t.Errorf("EqualFold(%q, %q) is not %v", c.name, c.lower, c.want)
		}
	}
	b := []byte("AbZ[@é")
	LowerInPlace(b)
	if string(b) != "abz[@é" {
		t.Errorf("LowerInPlace gives %q", b)
	}
}

package message

import (
	"bytes"
	"net/url"
	"testing"
)

func TestAppendPath(t *testing.T) {
	for _, c := range []struct {
		raw, path string
		escaped   bool
		err       error
	}{
		{"/", "/", false, nil},
		{"/a/b", "/a/b", false, nil},
		{"/a/", "/a/", false, nil},
		{"//", "//", false, nil},
		{"/%61", "/a", false, nil},
		{"/%2561", "/%2561", true, nil},
		{"/%2f%2F", "/%2F%2F", true, nil},
		{"/%2f..%2f", "/%2F..%2F", true, nil},
		{"/.", "/", false, nil},
		{"/./", "/", false, nil},
		{"/a/..", "/", false, nil},
		{"/a/../", "/", false, nil},
		{"/a/b/../../c", "/c", false, nil},
		{"/a/b/..", "/a/", false, nil},
		{"//..", "/", false, nil},
		{"/a//../b", "/a/b", false, nil},
		{"/%2e%2E/", "", false, errPathClimb},
		{"/a/%2e./..", "", false, errPathClimb},
		{"/..", "", false, errPathClimb},
		{"/a/../..", "", false, errPathClimb},
		{"/...", "/...", false, nil},
		{"/%2F/..", "/", false, nil},
		{"/%5C", "/\\", false, nil},
		{"/%C3%A9", "/é", false, nil},
		{"/%C3/%A9", "", false, errPathUTF8},
		{"/%C0%AE", "", false, errPathUTF8},
		{"/%00", "", false, errPathNUL},
		{"/%", "", false, errPathEscape},
		{"/%a", "", false, errPathEscape},
		{"/%g0", "", false, errPathEscape},
		{"/%0:", "", false, errPathEscape},
		{"", "", false, errPathStart},
		{"a", "", false, errPathStart},
		{"/a b", "", false, errPathByte},
		{"/\\", "", false, errPathByte},
		{"/é", "", false, errPathByte},
		{"/a?b", "", false, errPathByte},
		{"/\x7f", "", false, errPathByte},
	} {
		path, escaped, err := AppendPath([]byte("head/"), []byte(c.raw))
		if string(path) != "head/"+c.path || escaped != c.escaped || err != c.err {
			t.Errorf("%q: %q, %v, %v; want %q, %v, %v", c.raw, path, escaped, err, c.path, c.escaped, c.err)
		}
	}
}

// FuzzAppendPath checks what must hold of every canonical path: it decodes once to what the raw path decodes to when
// there are no dot segments, has none itself, is no longer than the raw one, and is canonical already.
func FuzzAppendPath(f *testing.F) {
	for _, s := range []string{"/a/./b/../c", "/%2e%2e/%2F", "//%25//..", "/%C3%A9/.%2e", "/%zz"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		path, escaped, err := AppendPath(nil, raw)
		if err != nil {
			if len(path) != 0 {
				t.Fatalf("%q: %q beside %v", raw, path, err)
			}
			return
		}
		if len(path) > len(raw) || len(path) == 0 || path[0] != '/' || bytes.IndexByte(path, 0) >= 0 {
			t.Fatalf("%q: %q", raw, path)
		}
		if escaped != (bytes.IndexByte(path, '%') >= 0) {
			t.Fatalf("%q: %q, escaped %v", raw, path, escaped)
		}
		for s := range bytes.SplitSeq(path, []byte("/")) {
			if string(s) == "." || string(s) == ".." {
				t.Fatalf("%q: %q", raw, path)
			}
		}
		theirs, err := url.PathUnescape(string(raw))
		if err != nil {
			t.Fatalf("%q: accepted, but %v", raw, err)
		}
		if !bytes.Contains([]byte(theirs), []byte("/.")) {
			ours, err := url.PathUnescape(string(path))
			if err != nil || ours != theirs {
				t.Fatalf("%q: %q, want %q", raw, ours, theirs)
			}
		}
		// Encoded again, the canonical path has the same canonical form.
		again := make([]byte, 0, 3*len(path))
		for i := 0; i < len(path); i++ {
			if c := path[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' || c == '?' {
				const digits = "0123456789abcdef"
				again = append(again, '%', digits[c>>4], digits[c&15])
			} else {
				again = append(again, c)
			}
		}
		if same, _, err := AppendPath(nil, again); err != nil || !bytes.Equal(same, path) {
			t.Fatalf("%q: %q, then %q, %v", raw, path, same, err)
		}
	})
}

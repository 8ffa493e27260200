package mediatype

import (
	"mime"
	"testing"
)

func TestByName(t *testing.T) {
	for name, want := range map[string]string{
		"index.html": "text/html; charset=utf-8", "a/b/APP.JS": "text/javascript; charset=utf-8", "x.tar.gz": "application/gzip",
		"font.Woff2": "font/woff2", "none": "", "": "", ".": "", "a.": "", "a.b/c": "", "a.unknown": "",
		"a.averyveryverylongending": "", ".png": "image/png",
	} {
		if got := ByName(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
	for _, ext := range []string{".html", ".svg", ".docx", ".yaml", ".bin"} {
		if _, _, err := mime.ParseMediaType(ByName("x" + ext)); err != nil {
			t.Errorf("%s: %v", ext, err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { ByName("a/b/app.JS") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

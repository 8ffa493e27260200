package static

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/covetpy/covet"
)

// past is when the files of these tests were changed: long enough ago for strong tags.
var past = time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	// By renaming, as one should.
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path+"~", past, past); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

func zipped(t testing.TB, text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// site serves cfg below /s of an app over net/http.
func site(t testing.TB, cfg Config) *httptest.Server {
	t.Helper()
	app := covet.New(covet.WithLogger(slog.New(slog.DiscardHandler)))
	app.Mount("/s", New(cfg))
	h, err := covet.ToHTTP(app)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.Close()
		if err := app.Stopped(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request whose path is written as it is; fields are "name: value".
func ask(t testing.TB, s *httptest.Server, method, path string, fields ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = path
	r.Header.Set("Accept-Encoding", "identity")
	for _, f := range fields {
		name, v, _ := strings.Cut(f, ": ")
		r.Header.Set(name, v)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

var big = strings.Repeat("0123456789", 20_000)

func tree1(t testing.TB) string {
	dir := t.TempDir()
	write(t, dir, "index.html", "<p>home")
	write(t, dir, "a.txt", "0123456789")
	write(t, dir, "big.js", big)
	write(t, dir, "big.js.gz", zipped(t, big))
	write(t, dir, "both.css", "body{}")
	write(t, dir, "both.css.gz", zipped(t, "body{}"))
	write(t, dir, "both.css.br", "not really brotli")
	write(t, dir, "sub/index.html", "<p>sub")
	write(t, dir, "bare/x.txt", "x")
	write(t, dir, ".hidden", "no")
	write(t, dir, ".git/config", "no")
	write(t, dir, "50% of a+b.txt", "percent")
	write(t, dir, "%2F.txt", "escaped")
	write(t, dir, "app.3f9a1c7e.js", "hashed")
	write(t, dir, "noending", "x")
	return dir
}

func TestFiles(t *testing.T) {
	dir := tree1(t)
	s := site(t, Config{Dir: dir, Immutable: true, CacheControl: "max-age=60", Types: map[string]string{".txt": "text/x-test"}})
	for _, c := range []struct {
		path   string
		status int
		body   string // or the Location
		kind   string
	}{
		{"/s/", 200, "<p>home", "text/html; charset=utf-8"},
		{"/s", 301, "./s/", ""},
		{"/s?q=1", 301, "./s/?q=1", ""},
		{"/s/a.txt", 200, "0123456789", "text/x-test"},
		{"/s/big.js", 200, big, "text/javascript; charset=utf-8"},
		{"/s/sub", 301, "./sub/", ""},
		{"/s/sub?a=//b", 301, "./sub/?a=//b", ""},
		{"/s/sub/", 200, "<p>sub", "text/html; charset=utf-8"},
		{"/s/%61.txt", 200, "0123456789", "text/x-test"},
		{"/s/sub/../a.txt", 200, "0123456789", "text/x-test"},
		{"/s/50%25%20of%20a+b.txt", 200, "percent", "text/x-test"},
		{"/s/noending", 200, "x", "application/octet-stream"},
		{"/s/bare/", 404, "", ""},
		{"/s/bare", 301, "./bare/", ""},
		{"/s/none", 404, "", ""},
		{"/s/none/", 404, "", ""},
		{"/s/a.txt/", 404, "", ""},
		{"/s/a.txt/x", 404, "", ""},
		{"/s//a.txt", 404, "", ""},
		{"/s/sub//index.html", 404, "", ""},
		{"/s/sub%2Findex.html", 404, "", ""},
		{"/s/%2F.txt", 404, "", ""},
		{"/s/%252F.txt", 200, "escaped", "text/x-test"},
		{"/s/..%2Fa.txt", 404, "", ""},
		{"/s/%2e%2e/x", 404, "", ""},
		{"/s/..%5Ca.txt", 404, "", ""},
		{"/s/sub%5Cindex.html", 404, "", ""},
		{"/s/a.txt%01", 404, "", ""},
		{"/s/.hidden", 404, "", ""},
		{"/s/.git/config", 404, "", ""},
		{"/s/%2egit/config", 404, "", ""},
		{"/s/a.txt%00", 400, "", ""},
		{"/s/" + strings.Repeat("x", 5000), 404, "", ""},
	} {
		for range 2 { // from the file system, then from what is kept
			a := ask(t, s, "GET", c.path)
			body := a.body
			if a.status/100 == 3 {
				body = a.header.Get("Location")
			}
			if a.status != c.status || c.status < 400 && body != c.body || c.kind != "" && a.header.Get("Content-Type") != c.kind {
				t.Errorf("%s: %d %.40q %q", c.path, a.status, body, a.header.Get("Content-Type"))
			}
			if c.status == 200 && (a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Etag") == "" ||
				a.header.Get("Last-Modified") != "Thu, 02 Jan 2020 03:04:05 GMT" || a.header.Get("Cache-Control") != "max-age=60") {
				t.Errorf("%s: %v", c.path, a.header)
			}
		}
	}
	if a := ask(t, s, "GET", "/s/app.3f9a1c7e.js"); !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("a hashed name: %v", a.header)
	}
	if a := ask(t, s, "POST", "/s/a.txt"); a.status != 405 || !strings.Contains(a.header.Get("Allow"), "GET, HEAD") {
		t.Errorf("POST: %d %v", a.status, a.header)
	}
}

func TestConditionsAndRanges(t *testing.T) {
	s := site(t, Config{Dir: tree1(t)})
	for _, path := range []string{"/s/a.txt", "/s/big.js"} { // from memory, from a file
		text := ask(t, s, "GET", path).body
		etag := ask(t, s, "HEAD", path).header.Get("Etag")
		if etag == "" || strings.HasPrefix(etag, "W/") {
			t.Fatalf("%s has the tag %q", path, etag)
		}
		for _, c := range []struct {
			name, method string
			fields       []string
			status       int
			body         string
			length       string
		}{
			{"whole", "GET", nil, 200, text, ""},
			{"head", "HEAD", nil, 200, "", ask(t, s, "GET", path).header.Get("Content-Length")},
			{"not modified", "GET", []string{"If-None-Match: " + etag}, 304, "", ""},
			{"not modified since", "GET", []string{"If-Modified-Since: Thu, 02 Jan 2020 03:04:05 GMT"}, 304, "", ""},
			{"another tag", "GET", []string{`If-None-Match: "x"`}, 200, text, ""},
			{"failed", "GET", []string{`If-Match: "x"`}, 412, "-", ""},
			{"a part", "GET", []string{"Range: bytes=2-4"}, 206, "234", "3"},
			{"the end", "GET", []string{"Range: bytes=-3"}, 206, "789", "3"},
			{"head knows no ranges", "HEAD", []string{"Range: bytes=2-4"}, 200, "", ""},
			{"if range", "GET", []string{"Range: bytes=2-4", "If-Range: " + etag}, 206, "234", "3"},
			{"if range by date", "GET", []string{"Range: bytes=2-4", "If-Range: Thu, 02 Jan 2020 03:04:05 GMT"}, 206, "234", "3"},
			{"if range changed", "GET", []string{"Range: bytes=2-4", `If-Range: "x"`}, 200, text, ""},
			{"304 before a range", "GET", []string{"Range: bytes=2-4", "If-None-Match: " + etag}, 304, "", ""},
			{"beyond", "GET", []string{"Range: bytes=9999999-"}, 416, "-", ""},
			{"nonsense", "GET", []string{"Range: bytes=4-2"}, 200, text, ""},
		} {
			a := ask(t, s, c.method, path, c.fields...)
			if a.status != c.status || c.body != "-" && a.body != c.body || c.length != "" && a.header.Get("Content-Length") != c.length {
				t.Errorf("%s %s: %d, %d bytes, %v", path, c.name, a.status, len(a.body), a.header)
			}
			if c.status == 304 && (a.header.Get("Etag") != etag || a.header.Get("Content-Encoding") != "") {
				t.Errorf("%s %s: %v", path, c.name, a.header)
			}
			if c.status == 416 && a.header.Get("Content-Range") == "" {
				t.Errorf("%s %s: %v", path, c.name, a.header)
			}
		}
	}
	a := ask(t, s, "GET", "/s/big.js", "Range: bytes=199995-,0-4,1000-1004")
	boundary, ok := strings.CutPrefix(a.header.Get("Content-Type"), "multipart/byteranges; boundary=")
	if !ok || a.status != 206 {
		t.Fatalf("%d %v", a.status, a.header)
	}
	part := func(span, text string) string {
		return "--" + boundary + "\r\nContent-Type: text/javascript; charset=utf-8\r\nContent-Range: bytes " + span + "/200000\r\n\r\n" + text + "\r\n"
	}
	if want := part("199995-199999", "56789") + part("0-4", "01234") + part("1000-1004", "01234") + "--" + boundary + "--\r\n"; a.body != want {
		t.Errorf("several parts: %q", a.body)
	}
}

func TestPrecompressed(t *testing.T) {
	s := site(t, Config{Dir: tree1(t)})
	tags := map[string]bool{}
	for _, c := range []struct{ path, accept, want string }{
		{"/s/both.css", "gzip, deflate, br", "br"},
		{"/s/both.css", "gzip", "gzip"},
		{"/s/both.css", "gzip;q=1, br;q=0.5", "gzip"},
		{"/s/both.css", "br;q=0", ""},
		{"/s/both.css", "*", "br"},
		{"/s/both.css", "*, br;q=0", "gzip"},
		{"/s/both.css", "identity", ""},
		{"/s/both.css", "identity, gzip;q=0.9", ""},
		{"/s/both.css", "GZIP ; q=0.001", "gzip"},
		{"/s/both.css", "gzip;q=2", ""},
		{"/s/both.css", "zstd", ""},
		{"/s/both.css", "identity;q=0", ""},
		{"/s/big.js", "gzip", "gzip"},
		{"/s/a.txt", "gzip", ""},
	} {
		a := ask(t, s, "GET", c.path, "Accept-Encoding: "+c.accept)
		if a.status != 200 || a.header.Get("Content-Encoding") != c.want || (a.header.Get("Vary") != "") != (c.path != "/s/a.txt") {
			t.Errorf("%s with %q: %d %v", c.path, c.accept, a.status, a.header)
		}
		tags[c.path+c.want+a.header.Get("Etag")] = true
	}
	if len(tags) != 5 {
		t.Errorf("one tag a representation: %v", tags)
	}
	gz := zipped(t, big)
	a := ask(t, s, "GET", "/s/big.js", "Accept-Encoding: gzip", "Range: bytes=5-9")
	if a.status != 206 || a.body != gz[5:10] || a.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a range of a coded representation: %d %q %v", a.status, a.body, a.header)
	}
	// Content-Encoding of a multipart body would be its own.
	a = ask(t, s, "GET", "/s/big.js", "Accept-Encoding: gzip", "Range: bytes=0-4,300-304")
	if a.status != 200 || a.body != gz || a.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("several ranges of a coded representation: %d, %d bytes, %v", a.status, len(a.body), a.header)
	}
}

func TestListing(t *testing.T) {
	dir := tree1(t)
	write(t, dir, "bare/<script>.html", "x")
	write(t, dir, "bare/javascript:alert(1)", "x")
	write(t, dir, "bare/.secret", "x")
	s := site(t, Config{Dir: dir, Listing: true})
	a := ask(t, s, "GET", "/s/bare/", "Accept: text/html")
	if a.status != 200 || strings.Contains(a.body, "<script>") || strings.Contains(a.body, `"javascript:`) || strings.Contains(a.body, ".secret") ||
		!strings.Contains(a.body, `href="./%3Cscript%3E.html"`) || a.header.Get("Content-Security-Policy") == "" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	a = ask(t, s, "GET", "/s/bare/", "Accept: application/json")
	if a.header.Get("Content-Type") != "application/json" || !strings.Contains(a.body, `"name":"x.txt","dir":false,"size":1,"modified":"2020-01-02`) {
		t.Errorf("%v %s", a.header, a.body)
	}
	if a = ask(t, s, "GET", "/s/"); a.body != "<p>home" {
		t.Errorf("an index goes before a listing: %q", a.body)
	}
}

func TestFallback(t *testing.T) {
	s := site(t, Config{Dir: tree1(t), Fallback: "index.html"})
	// Caches may keep both (RFC 9111 section 4.2.2): Vary tells them apart.
	if a := ask(t, s, "GET", "/s/users/7", "Accept: text/html,*/*"); a.status != 200 || a.body != "<p>home" || a.header.Get("Vary") != "accept" {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
	if a := ask(t, s, "GET", "/s/missing.js", "Accept: */*"); a.status != 404 || a.header.Get("Vary") != "accept" {
		t.Errorf("a script that is missing: %d %v", a.status, a.header)
	}
}

func TestFileSystem(t *testing.T) {
	s := site(t, Config{FS: fstest.MapFS{
		"index.html": {Data: []byte("<p>home")}, "big.js": {Data: []byte(big), ModTime: past}, "d/x.txt": {Data: []byte("x")},
		"pipe": {Mode: fs.ModeNamedPipe},
	}})
	for path, want := range map[string]string{"/s/": "<p>home", "/s/big.js": big, "/s/d/x.txt": "x"} {
		if a := ask(t, s, "GET", path); a.status != 200 || a.body != want {
			t.Errorf("%s: %d, %d bytes", path, a.status, len(a.body))
		}
	}
	if a := ask(t, s, "GET", "/s/pipe"); a.status != 404 {
		t.Errorf("a pipe: %d", a.status)
	}
	if a := ask(t, s, "GET", "/s/big.js", "Range: bytes=-4"); a.body != "6789" {
		t.Errorf("a range: %q", a.body)
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "f", "x")
	for name, c := range map[string]Config{
		"nothing": {}, "both": {Dir: dir, FS: os.DirFS(dir)}, "missing": {Dir: filepath.Join(dir, "none")}, "a file": {Dir: filepath.Join(dir, "f")},
		"cache control": {Dir: dir, CacheControl: "a\r\nb: c"}, "index": {Dir: dir, Index: "../x"}, "fallback": {Dir: dir, Fallback: "/x"},
		"types": {Dir: dir, Types: map[string]string{"txt": "x"}},
	} {
		if New(c).Check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := New(Config{Dir: dir}).Check(); err != nil {
		t.Error(err)
	}
}

func TestHashed(t *testing.T) {
	for name, want := range map[string]bool{
		"app.3f9a1c7e.js": true, "a/index-Bd8x2kQa.css": true, "app.js": false, "app-settings.js": false, "report-20240101.pdf": false,
		"3f9a1c7e.js": false, "app.3f9a1c7": false, "a.3f9.js": false, "x.3f9a1c7e/app.js": false,
	} {
		if hashed(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"", "a/b", "a/", "../x", "a%2Fb", "%25", "a\\b", ".x", "a/.x", "a//b", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, _, ok := fileName(s, false)
		if !ok {
			return
		}
		if !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00") || name != "." && (strings.HasPrefix(name, ".") || strings.Contains(name, "/.")) {
			t.Fatalf("%q names %q", s, name)
		}
	})
}

func FuzzAcceptEncoding(f *testing.F) {
	for _, s := range []string{"gzip, br;q=0.5", "*;q=0", "identity;q=0, *", "zstd;q=1.000", ";;,,", "gzip;q=1.0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		there := [codings]bool{true, false, true, true}
		if got := choose([]byte(s), &there); !there[got] {
			t.Fatalf("%q chooses %d, which is not there", s, got)
		}
		if got := choose([]byte(s), &[codings]bool{identity: true}); got != identity {
			t.Fatalf("%q chooses %d", s, got)
		}
	})
}

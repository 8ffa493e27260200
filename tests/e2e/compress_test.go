package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const codingApp = "tests/e2e/testdata/compress_app.py:app"

// decodePy runs the client of testdata/decode.py.
func decodePy(t *testing.T, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, python(t), append([]string{filepath.Join(root(t), "tests/e2e/testdata/decode.py")}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("decode.py %q: %v: %s", args, err, out)
	}
	return out
}

// coded asks with exactly that Accept-Encoding and decodes nothing.
func (s *server) coded(method, path, accept string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", accept)
	resp, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true}}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// TestCompress asks a Python application for every kind of body, with real clients: net/http, Python's decoders, curl.
func TestCompress(t *testing.T) {
	s := start(t, codingApp, "--compress", "--workers", "1")
	for _, path := range []string{"/json?n=100", "/json?n=600", "/json?n=20000", "/stream?pieces=3", "/stream?pieces=5000", "/tag"} {
		want := s.coded("GET", path, "identity")
		if want.Header.Get("Content-Encoding") != "" || want.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s, not coded: %v", path, want.Header)
		}
		for _, coding := range []string{"gzip", "br", "zstd"} {
			if got := decodePy(t, "get", s.URL+path, coding); !bytes.Equal(got, want.Body) {
				t.Errorf("%s as %s decodes to %d bytes, want %d", path, coding, len(got), len(want.Body))
			}
			// Of the codings that curl offers it has no choice but this one.
			out, err := exec.Command("curl", "-sS", "--compressed", "-H", "Accept-Encoding: "+coding, s.URL+path).Output()
			if err != nil || !bytes.Equal(out, want.Body) {
				t.Errorf("curl: %s as %s: %d bytes, %v", path, coding, len(out), err)
			}
			if n := len(s.coded("GET", path, coding).Body); n*2 > len(want.Body) {
				t.Errorf("%s as %s takes %d of %d bytes", path, coding, n, len(want.Body))
			}
		}
		if got := s.get(path); !bytes.Equal(got.Body, want.Body) { // net/http decodes gzip by itself
			t.Errorf("%s by net/http: %d bytes", path, len(got.Body))
		}
	}
	tag := s.coded("GET", "/tag", "gzip")
	if h := tag.Header; h.Get("ETag") != `W/"abc"` || h.Get("Accept-Ranges") != "" || h.Get("Content-Length") != fmt.Sprint(len(tag.Body)) {
		t.Errorf("the head of a coded body: %v", h)
	}
	for path, why := range map[string]string{"/plain": "opted out", "/image": "an image", "/json?n=2": "small"} {
		got := s.coded("GET", path, "gzip, br, zstd")
		if h := got.Header; h.Get("Content-Encoding") != "" || h.Get("Vary") != "" {
			t.Errorf("%s (%s): %v", path, why, h)
		}
	}
	missing := s.coded("GET", "/nowhere", "gzip")
	if missing.Status != 404 || missing.Header.Get("Content-Encoding") != "" || !strings.Contains(string(missing.Body), "not_found") {
		t.Errorf("a small error: %d %v", missing.Status, missing.Header)
	}
	for _, coding := range []string{"gzip", "br", "zstd"} {
		if out := decodePy(t, "events", s.URL+"/events", s.URL+"/go-on", coding); strings.TrimSpace(string(out)) != "10" {
			t.Errorf("events as %s: %s", coding, out)
		}
	}
}

// TestCompressSettings checks that the settings reach the middleware, and that nothing is coded without them.
func TestCompressSettings(t *testing.T) {
	off := start(t, codingApp, "--workers", "1")
	if h := off.coded("GET", "/json", "gzip").Header; h.Get("Content-Encoding") != "" || h.Get("Vary") != "" {
		t.Errorf("without --compress: %v", h)
	}
	s := start(t, codingApp, "--workers", "1", "--compress", "--compress-codings", "gzip,br", "--compress-min-size", "100K",
		"--compress-level", "best", "--compress-types", "image/*")
	for path, want := range map[string]string{"/json?n=100": "", "/json?n=20000": "gzip", "/image": "", "/stream": "gzip"} {
		if got := s.coded("GET", path, "zstd, br, gzip").Header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if out, err := s.covet("run", codingApp, "--compress", "--compress-codings", "lzma"); err == nil || !strings.Contains(out, "lzma") {
		t.Errorf("a coding that does not exist: %v %s", err, out)
	}
}

// TestDecompress sends coded bodies to Python handlers, small and large, whole and in pieces of unknown length.
func TestDecompress(t *testing.T) {
	s := start(t, codingApp, "--decompress", "--workers", "1", "--max-body", "4M")
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		for _, size := range []int{0, 100, 60_000, 1_000_000} {
			for _, path := range []string{"/body", "/upload"} {
				for _, way := range []string{"whole", "pieces"} {
					out := string(decodePy(t, "post", s.URL+path, coding, fmt.Sprint(size), way))
					var status, n int
					var crc uint32
					if _, err := fmt.Sscan(out, &status, &n, &crc); err != nil {
						t.Fatalf("%q: %v", out, err)
					}
					if want := fmt.Sprintf(`"bytes":%d,"crc":%d`, n, crc); status != 200 || !strings.Contains(strings.ReplaceAll(out, " ", ""), want) {
						t.Errorf("%s %d %s %s: %s", coding, size, path, way, out)
					}
					if strings.Contains(out, "content-encoding") || size > 0 && strings.Contains(out, "content-length") {
						t.Errorf("%s %d %s %s: the handler sees the head of the coded body: %s", coding, size, path, way, out)
					}
				}
			}
		}
	}
	post := func(path, coding string, body io.Reader) answer {
		r, err := http.NewRequest("POST", s.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Encoding", coding)
		resp, err := (&http.Client{Timeout: patience}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return answer{resp.StatusCode, resp.Header, b}
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	z.Close()
	for _, path := range []string{"/body", "/upload"} {
		for _, c := range []struct {
			coding, code string
			status       int
			body         []byte
		}{
			{"gzip", "content_too_large", 413, bomb.Bytes()},
			{"gzip", "bad_request", 400, []byte("no gzip at all")},
			{"gzip", "bad_request", 400, bomb.Bytes()[:200]},
			{"gzip, br", "unsupported_media_type", 415, bomb.Bytes()},
			{"lzma", "unsupported_media_type", 415, bomb.Bytes()},
		} {
			for way, body := range map[string]io.Reader{"whole": bytes.NewReader(c.body), "pieces": io.MultiReader(bytes.NewReader(c.body))} {
				got := post(path, c.coding, body)
				if p := got.problem(t); got.Status != c.status || p.Error.Code != c.code {
					t.Errorf("%s %s %s: %d %s", path, c.coding, way, got.Status, got.Body)
				}
				if c.status == 415 && got.Header.Get("Accept-Encoding") == "" {
					t.Errorf("%s: 415 without Accept-Encoding", c.coding)
				}
			}
		}
	}
}

package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPythonTrailers sends and receives trailer sections, small and streamed, on every transport.
func TestPythonTrailers(t *testing.T) {
	for _, kind := range []string{"uring", "epoll", "net"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "uring" {
				kind = "auto" // where the system refuses io_uring the next best is tested twice
			}
			s := start(t, "tests/e2e/testdata/trailers.py:app", "--transport", kind, "--workers", "1")
			chunked := func(path string, size int) string {
				var b strings.Builder
				fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n", path)
				for n := 0; n < size; n += 1000 {
					fmt.Fprintf(&b, "3e8\r\n%s\r\n", strings.Repeat("x", 1000))
				}
				return b.String() + "0\r\nSum: 7\r\nX-Empty:\r\nAuthorization: Basic eA==\r\nHost: evil\r\n\r\n"
			}
			for _, size := range []int{1000, 500_000} {
				for _, one := range []struct{ path, want string }{
					{"/read", fmt.Sprintf(`{"size":%d,"before":{},"trailers":{"sum":"7","x-empty":""},"header":null}`, size)},
					{"/stream-read", fmt.Sprintf(`{"size":%d,"trailers":{"sum":"7","x-empty":""}}`, size)},
				} {
					resp, body, err := s.ask(t, chunked(one.path, size), "POST")
					if err != nil || body != one.want {
						t.Errorf("%s, %d bytes: %s %v", one.path, size, body, err)
					}
					_ = resp
				}
			}
			resp, body, err := s.ask(t, get("/fixed"), "GET")
			if err != nil || body != "onetwo" || resp.Trailer.Get("X-Fixed") != "1" || resp.Header.Get("X-Fixed") != "" {
				t.Errorf("fixed: %q %v %v", body, resp.Trailer, err)
			}
			resp, body, err = s.ask(t, get("/computed"), "GET")
			sum := sha256.Sum256([]byte(body))
			if err != nil || len(body) != 600_000 || resp.Trailer.Get("X-Digest") != hex.EncodeToString(sum[:]) {
				t.Errorf("computed: %d bytes, %v %v", len(body), resp.Trailer, err)
			}
			resp, body, err = s.ask(t, "HEAD /fixed HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD")
			if err != nil || body != "" || len(resp.Trailer) != 0 {
				t.Errorf("HEAD: %q %v %v", body, resp.Trailer, err)
			}
			resp, body, err = s.ask(t, "GET /fixed HTTP/1.0\r\n\r\n", "GET")
			if err != nil || body != "onetwo" || len(resp.Trailer) != 0 {
				t.Errorf("HTTP/1.0: %q %v %v", body, resp.Trailer, err)
			}
			if _, body, err = s.ask(t, get("/bad"), "GET"); err == nil {
				t.Errorf("a trailer field that must not be sent: %q looks complete", body)
			}
			for _, path := range []string{"/hints", "/hints-at-once"} {
				s.hinted(t, path)
			}
		})
	}
}

// ask sends text on a connection of its own and reads one response.
func (s *server) ask(t *testing.T, text, method string) (*http.Response, string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go io.WriteString(conn, text)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// hinted looks for a 103 before the answer.
func (s *server) hinted(t *testing.T, path string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, get(path)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	hint, err := http.ReadResponse(in, nil)
	if err != nil || hint.StatusCode != 103 || !strings.HasPrefix(hint.Header.Get("Link"), "</a.css>") {
		t.Fatalf("%s: %v %v", path, hint, err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Link") != "" {
		t.Fatalf("%s: %v %v", path, resp, err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "final" {
		t.Errorf("%s: %q", path, body)
	}
}

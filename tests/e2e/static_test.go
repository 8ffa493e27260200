package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// assets writes an application with a directory of files and returns where it is.
func assets(t *testing.T) (app, dir string) {
	base := t.TempDir()
	dir = filepath.Join(base, "public")
	put(t, dir, "index.html", []byte("<p>home"))
	put(t, dir, "a.txt", []byte("0123456789"))
	put(t, dir, "sub/index.html", []byte("<p>sub"))
	put(t, dir, "page.js", bytes.Repeat([]byte("let x = 1;\n"), 20000))
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	if _, err := w.Write(bytes.Repeat([]byte("let x = 1;\n"), 20000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "page.js.gz", gz.Bytes())
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	app = filepath.Join(base, "app.py")
	text := `from covet import App, Request, Response

app = App()
app.static("/assets", "public")


@app.get("/users/{id}")
async def user(id: int):
    return {"id": id}


@app.put("/doc")
async def doc(request: Request):
    return request.not_modified(etag='"v1"') or Response("changed", headers={"ETag": '"v1"'})


@app.get("/doc")
async def read(request: Request):
    return request.not_modified(etag='"v1"') or Response("doc", headers={"ETag": '"v1"'})
`
	if err := os.WriteFile(app, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return app + ":app", dir
}

// put writes a file as deployments should: beside its place, then renamed. It looks an hour old.
func put(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"~", b, 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path+"~", then, then); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// with is a GET with more fields, "Name: value" each.
func with(path string, fields ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}

// raw sends bytes over one connection and reads the answers to the requests, of these methods.
func (s *server) raw(t *testing.T, data string, methods ...string) (list []answer) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go io.WriteString(conn, data)
	in := bufio.NewReader(conn)
	for i, method := range methods {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		list = append(list, answer{resp.StatusCode, resp.Header, b})
	}
	return list
}

func TestStatic(t *testing.T) {
	app, dir := assets(t)
	for _, transport := range []string{"uring", "epoll", "net"} {
		t.Run(transport, func(t *testing.T) {
			s := start(t, app, "--transport", transport, "--workers", "1", "--static", "/more="+dir+";listing;cache-control=no-cache")
			page, err := os.ReadFile(filepath.Join(dir, "page.js"))
			if err != nil {
				t.Fatal(err)
			}
			etag := s.get("/assets/a.txt").Header.Get("Etag")
			// Everything in one piece, twice: from the file system and from what is kept.
			type expected struct {
				send, method string
				status       int
				body         string
			}
			list := []expected{
				{get("/assets/a.txt"), "GET", 200, "0123456789"},
				{get("/assets/page.js"), "GET", 200, string(page)},
				{"HEAD /assets/page.js HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD", 200, ""},
				{with("/assets/a.txt", "If-None-Match: "+etag), "GET", 304, ""},
				{with("/assets/a.txt", "Range: bytes=2-3"), "GET", 206, "23"},
				{with("/assets/page.js", "Range: bytes=-4"), "GET", 206, "= 1;\n"[1:]},
				{with("/assets/page.js", "Range: bytes=999999-"), "GET", 416, "-"},
				{with("/assets/a.txt", `If-Match: "x"`), "GET", 412, "-"},
				{get("/users/7"), "GET", 200, `{"id":7}`},
				{get("/assets"), "GET", 301, ""},
				{get("/assets/"), "GET", 200, "<p>home"},
				{get("/assets/sub"), "GET", 301, ""},
				{get("/assets/sub/"), "GET", 200, "<p>sub"},
				{get("/assets/none"), "GET", 404, "-"},
				{get("/assets/out"), "GET", 404, "-"},
				{get("/assets/fifo"), "GET", 404, "-"},
				{get("/assets/..%2fapp.py"), "GET", 404, "-"},
				{get("/assets/%2e%2e/app.py"), "GET", 404, "-"},
				{post("/assets/a.txt", "Content-Length: 5\r\n", "hello"), "POST", 405, "-"},
				{get("/more/a.txt"), "GET", 200, "0123456789"},
				{with("/doc", `If-None-Match: W/"v1"`), "GET", 304, ""},
				{"PUT /doc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nIf-Match: \"v0\"\r\n\r\n", "PUT", 412, "-"},
				{"PUT /doc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nIf-Match: \"v1\"\r\n\r\n", "PUT", 200, "changed"},
			}
			for range 2 {
				var data strings.Builder
				var methods []string
				for _, e := range list {
					data.WriteString(e.send)
					methods = append(methods, e.method)
				}
				for i, a := range s.raw(t, data.String(), methods...) {
					if e := list[i]; a.Status != e.status || e.body != "-" && string(a.Body) != e.body {
						t.Errorf("%q: %d, %d bytes %.40q", strings.TrimSpace(e.send), a.Status, len(a.Body), a.Body)
					}
				}
			}
			a := s.raw(t, with("/assets/page.js", "Accept-Encoding: gzip"), "GET")[0]
			if r, err := gzip.NewReader(bytes.NewReader(a.Body)); err != nil || a.Header.Get("Content-Encoding") != "gzip" || a.Header.Get("Vary") != "accept-encoding" {
				t.Errorf("precompressed: %v %v", a.Header, err)
			} else if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, page) {
				t.Errorf("precompressed: %d bytes, %v", len(b), err)
			}
			a = s.raw(t, with("/assets/page.js", "Range: bytes=0-4,100000-100004,-3"), "GET")[0]
			_, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
			if a.Status != 206 || err != nil || a.Header.Get("Content-Length") != fmt.Sprint(len(a.Body)) {
				t.Fatalf("several ranges: %d %v %v", a.Status, a.Header, err)
			}
			parts := multipart.NewReader(bytes.NewReader(a.Body), params["boundary"])
			for _, want := range []string{string(page[:5]), string(page[100000:100005]), string(page[len(page)-3:])} {
				p, err := parts.NextPart()
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(p); err != nil || string(b) != want || !strings.HasPrefix(p.Header.Get("Content-Range"), "bytes ") {
					t.Errorf("part %v: %q, %v", p.Header, b, err)
				}
			}
			if a := s.get("/more/a.txt"); a.Header.Get("Cache-Control") != "no-cache" {
				t.Errorf("--static with an option: %v", a.Header)
			}
		})
	}
}

// Many clients download a large file whose name is given to another one meanwhile: each gets one or the other, whole.
func TestStaticBigFileWhileItIsReplaced(t *testing.T) {
	app, dir := assets(t)
	blob := func(seed byte) ([]byte, string) {
		b := make([]byte, 8<<20+12345)
		r := rand.NewChaCha8([32]byte{seed})
		_, _ = r.Read(b) // never fails
		sum := sha256.Sum256(b)
		return b, hex.EncodeToString(sum[:])
	}
	one, oneSum := blob(1)
	two, twoSum := blob(2)
	for _, transport := range []string{"uring", "epoll", "net"} {
		t.Run(transport, func(t *testing.T) {
			put(t, dir, "blob.bin", one)
			s := start(t, app, "--transport", transport, "--workers", "1")
			const clients = 64
			sums := make([]string, clients)
			var all sync.WaitGroup
			var half sync.WaitGroup
			half.Add(clients / 2)
			for i := range clients {
				all.Go(func() {
					resp, err := http.Get(s.URL + "/assets/blob.bin")
					if i < clients/2 {
						half.Done()
					} else {
						half.Wait()
					}
					if err != nil {
						sums[i] = err.Error()
						return
					}
					defer resp.Body.Close()
					h := sha256.New()
					n, err := io.Copy(h, resp.Body)
					if sums[i] = hex.EncodeToString(h.Sum(nil)); err != nil {
						sums[i] = fmt.Sprintf("%d bytes, then %v", n, err)
					}
				})
			}
			half.Wait() // half of them have the head of the first
			put(t, dir, "blob.bin", two)
			all.Wait()
			seen := map[string]int{}
			for _, sum := range sums {
				seen[sum]++
			}
			if seen[oneSum]+seen[twoSum] != clients || seen[oneSum] == 0 {
				t.Errorf("%v", seen)
			}
			await(t, "the second file is served", func() bool {
				sum := sha256.Sum256(s.get("/assets/blob.bin").Body)
				return hex.EncodeToString(sum[:]) == twoSum
			})
			// In place is not how it is done: what is missing is never made up.
			if err := os.Truncate(filepath.Join(dir, "blob.bin"), 1<<20); err != nil {
				t.Fatal(err)
			}
			await(t, "the shorter file is served", func() bool {
				resp, err := http.Get(s.URL + "/assets/blob.bin")
				if err != nil {
					return false
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				if !bytes.HasPrefix(two, b) {
					t.Fatalf("%d bytes that were never in the file", len(b))
				}
				return err == nil && len(b) == 1<<20
			})
		})
	}
}

// A reload takes directories that the application no longer names away, and brings new ones.
func TestStaticReload(t *testing.T) {
	app, dir := assets(t)
	s := start(t, app, "--workers", "1")
	if a := s.get("/assets/a.txt"); a.Status != 200 {
		t.Fatalf("status %d", a.Status)
	}
	file := strings.TrimSuffix(app, ":app")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), `"/assets", "public"`, `"/moved", "public", cache_control="no-store"`, 1)
	if err := os.WriteFile(file, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.covet("reload", "--address", s.Addr); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if a := s.get("/moved/a.txt"); a.Status != 200 || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the new path: %d %v", a.Status, a.Header)
	}
	if a := s.get("/assets/a.txt"); a.Status != 404 {
		t.Errorf("the old path: %d", a.Status)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if out, err := s.covet("reload", "--address", s.Addr); err == nil || !strings.Contains(out, "cannot be served") {
		t.Errorf("a directory that is gone: %v: %s", err, out)
	}
}

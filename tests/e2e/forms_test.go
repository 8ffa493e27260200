package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const pairsType = "application/x-www-form-urlencoded"

// uploadForm is a form with a field and a file of size bytes, made as it is read.
func uploadForm(size int64) (body io.Reader, contentType string, length int64) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	_ = w.WriteField("title", "hi")
	_, _ = w.CreateFormFile("file", "big.bin")
	n := head.Len()
	_ = w.Close()
	tail := head.Bytes()[n:]
	return io.MultiReader(bytes.NewReader(head.Bytes()[:n]), io.LimitReader(letters{}, size), bytes.NewReader(tail)),
		w.FormDataContentType(), int64(head.Len()) + size
}

// letters never ends.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// send posts a body of a given type.
func (s *server) send(path, contentType string, body io.Reader, length int64) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.ContentLength = length
	r.Close = true // an answer that comes before the body's end may be the connection's last
	r.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

func TestForms(t *testing.T) {
	s := start(t, "tests/e2e/testdata/forms.py:app", "--workers", "1")
	const b = "multipart/form-data; boundary=b"
	part := func(disposition, data string) string {
		return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + data + "\r\n"
	}
	file := part(`name="f"; filename="../e.txt"`, "hello")
	for _, c := range []struct {
		name, path, contentType, body string
		status                        int
		want                          string
	}{
		{"pairs", "/form", pairsType, "a=1&a=%C3%A4+b", 200, `[["a","1"],["a","ä b"]]`},
		{"parts", "/form", b, part(`name="a"`, "ä") + file + "--b--", 200, `[["a","ä"],["f",{"filename":"e.txt","type":"","size":5,"disk":false}]]`},
		{"no file chosen", "/form", b, part(`name="f"; filename=""`, "") + "--b--", 200, `[]`},
		{"thread", "/sync", b, file + "--b--", 200, `"begin":["68656c6c6f"]`},
		{"thread, too many", "/sync", pairsType, "a&b&c&d", 413, "more than 3 fields"},
		{"large pairs in a thread", "/sync", pairsType, "a=" + strings.Repeat("x", 500_000), 200, "xxxx"},
		{"a million keys", "/form", pairsType, strings.Repeat("a&", 1_000_000), 413, "more than 1000 fields"},
		{"a thousand and one parts", "/form", b, strings.Repeat(part(`name="a"`, ""), 1001) + "--b--", 413, "more than 1000 fields"},
		{"a hundred and one files", "/form", b, strings.Repeat(file, 101) + "--b--", 413, "more than 100 files"},
		{"a large field", "/form", b, part(`name="a"`, strings.Repeat("x", 1<<20+1)) + "--b--", 413, "a field of the form is over 1048576 bytes"},
		{"a head without end", "/form", b, "--b\r\n" + strings.Repeat("X", 1<<20), 413, "the head of a part is over 8192 bytes"},
		{"megabytes of CR", "/form", b, strings.Repeat("\r", 4<<20) + "--b--", 413, "no boundary within the first 1024 bytes"},
		{"a giant epilogue", "/form", b, "--b--" + strings.Repeat("x", 4<<20), 413, "follow the last boundary"},
		{"cut", "/form", b, file, 400, "ends before its last boundary"},
		{"no name", "/form", b, part(`filename="x"`, "") + "--b--", 400, "a part has no name"},
		{"base64", "/form", b, "--b\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=a\r\n\r\n--b--", 400, "Content-Transfer-Encoding"},
		{"long boundary", "/form", "multipart/form-data; boundary=" + strings.Repeat("b", 71), "", 400, "no valid boundary"},
		{"not UTF-8", "/form", pairsType, "a=%ff", 400, "not UTF-8"},
		{"JSON", "/form", "application/json", "{}", 415, "unsupported_media_type"},
		{"streamed parts", "/parts", b, part(`name="a"`, "1") + file + "--b--", 200, `[["a","",1],["f","e.txt",5]]`},
		{"skipped parts", "/skip", b, part(`name="a"`, strings.Repeat("x", 3<<20)) + file + "--b--", 200, `["a","f"]`},
		{"streamed parts, cut", "/parts", b, part(`name="a"`, "1"), 400, "ends before its last boundary"},
		{"streamed pairs", "/parts", pairsType, "a=1", 415, "not multipart"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			got := s.send(c.path, c.contentType, strings.NewReader(c.body), int64(len(c.body)))
			if got.Status != c.status || !strings.Contains(string(got.Body), c.want) {
				t.Errorf("%d %.300s, want %d %s", got.Status, got.Body, c.status, c.want)
			}
		})
	}
	s.t = t
	if got := s.get("/query?" + strings.Repeat("a&", 1000)); got.Status != 400 {
		t.Errorf("1001 query parameters: %d %s", got.Status, got.Body)
	}
	got := s.get("/cookies")
	if want := "[__Host-sid=none; Max-Age=34560000; Path=/; Secure; HttpOnly; SameSite=Lax " +
		"__Secure-old=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure; SameSite=Lax]"; fmt.Sprint(got.Header["Set-Cookie"]) != want {
		t.Errorf("cookies: %q", got.Header["Set-Cookie"])
	}
	if log := s.Log(); strings.Contains(log, "ERROR") {
		t.Errorf("clients' mistakes are in the log:\n%s", log)
	}
}

// TestFormUpload sends a file that does not fit into what a form may keep in memory.
func TestFormUpload(t *testing.T) {
	s := start(t, "tests/e2e/testdata/forms.py:app", "--workers", "1")
	const size = 40 << 20
	body, contentType, length := uploadForm(1)
	before := s.send("/upload", contentType, body, length)
	for _, path := range []string{"/upload", "/parts"} {
		body, contentType, length = uploadForm(size)
		got := s.send(path, contentType, body, length)
		if got.Status != 200 || !strings.Contains(string(got.Body), fmt.Sprint(size)) {
			t.Fatalf("%s: %d %.300s", path, got.Status, got.Body)
		}
		grown := got.json(t)["peak"].(float64) - before.json(t)["peak"].(float64)
		t.Logf("%s: the worker's peak grew by %.0f KiB", path, grown)
		if grown > size>>11 {
			t.Errorf("%s: a file of %d KiB took %.0f KiB of memory", path, size>>10, grown)
		}
	}
}

// TestFormFilesVanish looks for what forms leave on disk, however their request ends.
func TestFormFilesVanish(t *testing.T) {
	dir := runtimeDir(t)
	t.Setenv("TMPDIR", dir)
	s := start(t, "tests/e2e/testdata/forms.py:app", "--workers", "1")
	pid := string(s.get("/pid").Body)
	left := func() (names, open []string) {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if !strings.HasPrefix(e.Name(), "cv") { // the server's own directory
				names = append(names, e.Name())
			}
		}
		links, _ := filepath.Glob("/proc/" + pid + "/fd/*")
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, dir) && strings.Contains(to, "deleted") {
				open = append(open, to)
			}
		}
		return names, open
	}
	gone := func(when string) {
		t.Helper()
		await(t, "no file is left "+when, func() bool {
			names, open := left()
			return len(names) == 0 && len(open) == 0
		})
	}
	const size = 4 << 20
	for path, status := range map[string]int{"/upload": 200, "/fail": 500, "/sync": 200} {
		body, contentType, length := uploadForm(size)
		if got := s.send(path, contentType, body, length); got.Status != status {
			t.Errorf("%s: %d %.300s", path, got.Status, got.Body)
		}
		gone("after " + path)
	}

	// A client that leaves: once in the middle of its file, once when the handler has the form.
	for _, share := range []int64{2, 1} {
		body, contentType, length := uploadForm(size)
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(conn, "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", contentType, length)
		if _, err := io.CopyN(conn, body, length/share); err != nil {
			t.Fatal(err)
		}
		await(t, "the file is on disk", func() bool {
			names, open := left()
			if len(names) > 0 {
				t.Errorf("a file of a form has a name: %v", names)
			}
			return len(open) == 1
		})
		conn.Close()
		gone("after a client that left")
	}

	// A worker that is killed.
	body, contentType, length := uploadForm(size)
	answered := make(chan error, 1)
	go func() {
		resp, err := http.Post(s.URL+"/hold", contentType, io.LimitReader(body, length))
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadGateway {
				err = errors.New(resp.Status)
			}
		}
		answered <- err
	}()
	await(t, "the file is on disk", func() bool { _, open := left(); return len(open) == 1 })
	var number int
	fmt.Sscan(pid, &number)
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the client of the killed worker: %v", err)
	}
	gone("after a kill")
}

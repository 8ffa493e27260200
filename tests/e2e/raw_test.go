package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const raw = "tests/e2e/testdata/raw.py:app"

// talk sends bytes as they are and reads all responses until the server closes. methods are those of the requests
// that are expected to be answered: the end of a response depends on them.
func (s *server) talk(t *testing.T, data string, methods ...string) (answers []string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go io.WriteString(conn, data) // the server may answer and close before it has read everything
	in := bufio.NewReader(conn)
	for _, method := range methods {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return append(answers, "broken: "+err.Error())
		}
		body, err := io.ReadAll(resp.Body)
		if strings.Contains(string(body), "secret") {
			t.Errorf("an error leaks internals: %s", body)
		}
		a := fmt.Sprint(resp.StatusCode)
		switch {
		case err != nil:
			a += " cut"
		case resp.StatusCode < 400 && len(body) > 0:
			a += " " + string(body)
		}
		answers = append(answers, a)
	}
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		answers = append(answers, fmt.Sprintf("and %q", rest))
	}
	return answers
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }

func post(path, fields, body string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body
}

func chunks(size, n int) string {
	return strings.Repeat(fmt.Sprintf("%x\r\n%s\r\n", size, strings.Repeat("c", size)), n) + "0\r\n\r\n"
}

// Conversations that go wrong, or only look so, over every transport: what one request does is never seen by another.
func TestRawConversations(t *testing.T) {
	const (
		last     = "GET /users/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
		answered = `200 {"id":7}`
		chunked  = "Transfer-Encoding: chunked\r\n"
	)
	for _, transport := range []string{"uring", "epoll", "net"} {
		t.Run(transport, func(t *testing.T) {
			s := start(t, raw, "--transport", transport, "--workers", "1", "--max-body", "100K", "--body-timeout", "300ms")
			for _, c := range []struct {
				name, send string
				methods    string // of the requests that are answered before the last
				want       []string
				closes     bool // the last request is not reached
			}{
				{"a mix in one piece",
					get("/slow?tag=A") + get("/users/1") + get("/pieces?tag=q") + get("/error") + post("/echo", "Content-Length: 5\r\n", "hello") +
						get("/nope") + post("/echo", chunked, "3\r\nabc\r\n0\r\nX-T: y\r\n\r\n") + post("/reject", "Content-Length: 5\r\n", "GET /") +
						"DELETE /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET " + get("/users/x") + get("/exit") + post("/count", chunked, chunks(1, 3000)),
					"GET GET GET GET POST GET POST POST DELETE GET GET POST",
					[]string{"200 A", `200 {"id":1}`, "200 q0;q1;q2;", "500", "200 hello", "404", "200 abc", "401", "405", "422", "500", "200 3000"}, false},
				{"HEAD", "HEAD /users/1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /pieces?tag=q HTTP/1.1\r\nHost: a\r\n\r\nHEAD /error HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD HEAD HEAD", []string{"200", "200", "500"}, false},
				{"HEAD of an endless stream", "HEAD /endless HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD", []string{"200"}, false},
				{"reset content", get("/reset"), "GET", []string{"205"}, false},
				{"escapes", get("/users/4%32") + get("/names/%25") + get("/names/%2561") + get("/names/a%2Fb"), "GET GET GET GET", []string{`200 {"id":42}`, "200 %", "200 %61", "200 a/b"}, false},
				{"forged fields", get("/forge?name=X-A&value=a%0d%0aX-B:1") + get("/forge?name=X-A%0d%0aX-B&value=1") + get("/forge?name=X-A&value=%00"), "GET GET GET", []string{"500", "500", "500"}, false},
				{"framing from a handler is not taken over", get("/forge?name=Content-Length&value=9") + get("/forge?name=Transfer-Encoding&value=chunked"), "GET GET", []string{"200 x", "200 x"}, false},
				{"impossible statuses", get("/status?code=99") + get("/status?code=1000") + get("/status?code=101"), "GET GET GET", []string{"500", "500", "500"}, false},
				{"length and coding", post("/echo", chunked+"Content-Length: 4\r\n", "0\r\n\r\n"), "POST", []string{"400"}, true},
				{"a broken chunk, later", post("/echo", chunked, "8000\r\n"+strings.Repeat("c", 0x8000)+"\r\n8000\r\n"+strings.Repeat("c", 0x8000)+"XX"), "POST", []string{"400"}, true},
				{"a body that stops", post("/echo", chunked, "5\r\nab"), "POST", []string{"408"}, true},
				{"a declared body over the limit", post("/echo", "Content-Length: 200000\r\n", ""), "POST", []string{"413"}, true},
				{"a chunked body over the limit, read whole", post("/echo", chunked, chunks(1000, 200)), "POST", []string{"413"}, true},
				{"a chunked body over the limit, streamed", post("/count", chunked, chunks(1000, 200)), "POST", []string{"413"}, true},
			} {
				t.Run(c.name, func(t *testing.T) {
					send, methods, want := c.send, strings.Fields(c.methods), c.want
					if !c.closes {
						send, methods, want = send+last, append(methods, "GET"), append(want, answered)
					} else if c.name != "a body that stops" {
						send += last
					}
					got := s.talk(t, send, methods...)
					if strings.Join(got, "\n") != strings.Join(want, "\n") {
						t.Errorf("got  %q\nwant %q", got, want)
					}
				})
			}
			if n := string(s.get("/closed").Body); n != "1" {
				t.Errorf("%s of 1 endless streams were closed", n)
			}
			if strings.Contains(s.Log(), "BridgeError") {
				t.Error("what clients did to their bodies is logged as an error of the handler")
			}
		})
	}
}

// The reader of the log may go away; the server stays.
func TestLogReaderGone(t *testing.T) {
	s := start(t, raw, "--workers", "1")
	link := fmt.Sprintf("/proc/%d/fd/2", s.cmd.Process.Pid)
	if kind, err := os.Readlink(link); err != nil || !strings.HasPrefix(kind, "pipe:") {
		t.Fatalf("standard error is %s, %v", kind, err)
	}
	s.out.Close()
	for range 3 {
		if a := s.get("/error"); a.Status != 500 {
			t.Fatalf("status %d", a.Status)
		}
	}
	if err := syscall.Kill(s.cmd.Process.Pid, 0); err != nil {
		t.Fatal(err)
	}
}

// The reader of the log may stay and not read; the server and its workers do not wait for it.
func TestLogReaderStuck(t *testing.T) {
	s := start(t, raw, "--workers", "1")
	s.holdLog()
	// Each answer logs an exception with its place, from the worker and from the engine: far more than a pipe holds.
	for range 3000 {
		if a := s.get("/error"); a.Status != 500 {
			t.Fatalf("status %d", a.Status)
		}
	}
	s.readLog()
	for deadline := time.Now().Add(patience); !strings.Contains(s.Log(), "log lines were dropped"); {
		if time.Now().After(deadline) {
			t.Fatal("nothing tells that lines were dropped")
		}
		s.get("/error")
	}
}

// A server that was killed leaves the name of its Unix socket behind; the next one takes it.
func TestSocketLeftBehind(t *testing.T) {
	path := filepath.Join(runtimeDir(t), "s")
	for _, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		s := start(t, raw, "--workers", "1", "--bind", "127.0.0.1:0", "--bind", "unix:"+path)
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if err := s.cmd.Process.Signal(end); err != nil {
			t.Fatal(err)
		}
		<-s.exited
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("after an orderly end: %v", err)
	}
}

// With few descriptors the server says so, serves what it can, and recovers.
func TestFewFiles(t *testing.T) {
	for _, transport := range []string{"uring", "epoll", "net"} {
		t.Run(transport, func(t *testing.T) {
			s := launch(t, root(t), "/bin/sh", "-c", `ulimit -n 48; exec "$0" "$@"`, binary(t), "run", raw,
				"--port", "0", "--workers", "1", "--python", python(t), "--transport", transport)
			s.awaitReady()
			if !strings.Contains(s.Log(), "descriptors=48") {
				t.Error("the log does not name the limit")
			}
			conns := make([]net.Conn, 64)
			for i := range conns {
				conn, err := net.Dial("tcp", s.Addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conns[i] = conn
			}
			if _, err := io.WriteString(conns[0], get("/users/1")); err != nil {
				t.Fatal(err)
			}
			_ = conns[0].SetReadDeadline(time.Now().Add(patience))
			if _, err := http.ReadResponse(bufio.NewReader(conns[0]), nil); err != nil {
				t.Errorf("the first connection: %v", err)
			}
			for _, conn := range conns {
				conn.Close()
			}
			if a := s.get("/users/2"); a.Status != 200 {
				t.Errorf("afterwards: status %d", a.Status)
			}
		})
	}
}

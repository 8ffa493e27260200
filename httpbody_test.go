package covet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// within fails when f does not return soon.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal(what + " does not return")
	}
}

// An http.Transport goes on reading the body of a request whose answer has come early, and closes it some time: neither
// may touch the request that has the Ctx by then.
func TestBodyOfHTTPEndsWithItsHandler(t *testing.T) {
	for _, length := range []int{100, 100_000} {
		a, _ := newTest(t, WithConcurrency(1, 4))
		var left io.ReadCloser
		results := make(chan error, 4)
		a.Post("/leaves", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			left = r.Body
			started := make(chan struct{})
			go func() {
				close(started)
				for {
					if _, err := r.Body.Read(make([]byte, 10)); err != nil {
						results <- err
						return
					}
				}
			}()
			<-started
			if length > 1000 {
				time.Sleep(10 * time.Millisecond) // it waits for what does not come
			}
		})))
		a.Post("/next", func(c *Ctx) error {
			_ = left.Close()
			if n, err := left.Read(make([]byte, 10)); n > 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Errorf("%d bytes, %v from a body that is over", n, err)
			}
			b, err := io.ReadAll(c.BodyReader())
			if err != nil {
				return err
			}
			return c.Text(http.StatusOK, fmt.Sprint(len(b)))
		})
		address, _ := serving(t, a)
		c, r := dial(t, address)
		sent := min(length, 1000)
		if resp := talk(t, c, r, fmt.Sprintf("POST /leaves HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("1", sent))); resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
		within(t, "a Read of a body whose handler has returned", func() {
			if err := <-results; !errors.Is(err, http.ErrBodyReadAfterClose) && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
		c, r = dial(t, address)
		resp := talk(t, c, r, fmt.Sprintf("POST /next HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("2", length)))
		if b, err := io.ReadAll(resp.Body); string(b) != fmt.Sprint(length) || err != nil {
			t.Errorf("the next request: %s %q %v", resp.Status, b, err)
		}
	}
}

// One goroutine may read while another writes: what one waits for must not wake the other only.
func TestReadBesideWrite(t *testing.T) {
	a, _ := newTest(t)
	const pieces = 300
	a.Post("/", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go func() { _, _ = io.Copy(io.Discard, r.Body) }()
		time.Sleep(10 * time.Millisecond) // it waits
		for range pieces {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
		}
	})))
	address, _ := serving(t, a)
	within(t, "the response", func() {
		c, r := dial(t, address)
		resp := talk(t, c, r, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome")
		if b, err := io.ReadAll(resp.Body); len(b) != pieces || err != nil {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
}

// A token that was left over, or taken by somebody else, neither loses a connection nor keeps its handler for ever.
func TestUpgradeAndTokens(t *testing.T) {
	a, _ := newTest(t)
	a.Get("/stale", func(c *Ctx) error {
		c.away.rouse()
		return c.Upgrade("echo", func(conn net.Conn) error { _, err := io.WriteString(conn, "taken"); return err })
	})
	gone := make(chan error, 2)
	a.Post("/gone", func(c *Ctx) error {
		_, err := io.Copy(io.Discard, c.BodyReader()) // takes the token
		if err == nil {
			t.Error("a body that was cut has no error")
		}
		<-c.Context().Done()
		select {
		case <-c.away.wake:
		default:
		}
		gone <- c.EarlyHints("</a.css>")
		gone <- c.Upgrade("echo", func(net.Conn) error { return nil })
		return nil
	})
	address, _ := serving(t, a)
	for range 40 {
		c, r := dial(t, address)
		resp := talk(t, c, r, "GET /stale HTTP/1.1\r\n"+upgradeHead)
		if b, err := io.ReadAll(r); resp.StatusCode != 101 || string(b) != "taken" || err != nil {
			t.Fatalf("%s %q %v", resp.Status, b, err)
		}
	}
	c, _ := dial(t, address)
	_, _ = io.WriteString(c, "POST /gone HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome")
	time.Sleep(20 * time.Millisecond)
	_ = c.SetLinger(0)
	c.Close()
	within(t, "what is asked of a client that has left", func() {
		for range 2 {
			if err := <-gone; err == nil {
				t.Error("no error, though the client has left")
			}
		}
	})
}

// After its handler a writer is nobody's: the Ctx may serve somebody else.
func TestWriterOfHTTPEndsWithItsHandler(t *testing.T) {
	a, _ := newTest(t, WithConcurrency(1, 4))
	var kept http.ResponseWriter
	a.Get("/first", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { kept = w })))
	a.Get("/second", func(c *Ctx) error {
		if _, _, err := kept.(http.Hijacker).Hijack(); err == nil {
			t.Error("hijacked somebody else's connection")
		}
		kept.WriteHeader(http.StatusTeapot)
		if _, err := kept.Write([]byte("x")); err == nil {
			t.Error("written into somebody else's response")
		}
		if err := kept.(interface{ FlushError() error }).FlushError(); err == nil {
			t.Error("flushed somebody else's response")
		}
		return c.Text(http.StatusOK, "second")
	})
	a.Get("/switch", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
		if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Errorf("content of 101: %v", err)
		}
	})))
	address, _ := serving(t, a)
	c, r := dial(t, address)
	talk(t, c, r, "GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
	resp := talk(t, c, r, "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
	if b, err := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(b) != "second" || err != nil {
		t.Errorf("%s %q %v", resp.Status, b, err)
	}
	if resp := talk(t, c, r, "GET /switch HTTP/1.1\r\nHost: a\r\n\r\n"); resp.StatusCode != 500 {
		t.Errorf("a switch to nothing: %s", resp.Status)
	}
}

// An interim response of a hosted app has its own fields only, and takes nothing from what the program has set.
func TestInformOfAHostedApp(t *testing.T) {
	a, _ := newTest(t)
	a.Get("/", func(c *Ctx) error {
		if err := c.EarlyHints("</a.css>"); err != nil {
			return err
		}
		return c.Text(http.StatusOK, "final")
	})
	h, err := ToHTTP(a)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Program", "1")
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	for _, version := range []string{"1.1", "1.0"} {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET / HTTP/%s\r\nHost: a\r\nConnection: close\r\n\r\n", version)
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if version == "1.1" {
			if resp.StatusCode != 103 || resp.Header.Get("Link") != "</a.css>" || resp.Header.Get("X-Program") != "" {
				t.Errorf("%s %v", resp.Status, resp.Header)
			}
			if resp, err = http.ReadResponse(r, nil); err != nil {
				t.Fatal(err)
			}
		}
		if resp.StatusCode != 200 || resp.Header.Get("X-Program") != "1" || resp.Header.Get("Link") != "" {
			t.Errorf("HTTP/%s: %s %v", version, resp.Status, resp.Header)
		}
		c.Close()
	}
}

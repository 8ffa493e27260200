package covet

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/transport"
)

// serving runs a on its own engine until the test ends, and returns its address.
func serving(t *testing.T, a *App) (address string, stop func() error) {
	t.Helper()
	l, err := transport.Open(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, l) }()
	var result error
	done := false
	stop = func() error {
		if !done {
			done = true
			cancel()
			result = <-ended
		}
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return l.Addr().String(), stop
}

func dial(t *testing.T, address string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), bufio.NewReader(c)
}

// talk sends text and reads the head of the answer.
func talk(t *testing.T, c net.Conn, r *bufio.Reader, text string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

const upgradeHead = "Host: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

func kinds() []string { return []string{"auto", "epoll", "net"} }

func TestUpgrade(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			a, l := newTest(t, WithTransport(kind), WithConcurrency(1, 4), WithDrainTimeout(5*time.Second))
			var done atomic.Int32
			a.Use(Middleware{
				After: func(c *Ctx, err error) error { c.SetHeader("x-after", "1"); return err },
				Done:  func(*Ctx) { done.Add(1) },
			})
			a.Get("/echo", func(c *Ctx) error {
				return c.Upgrade("echo", func(conn net.Conn) error {
					if done.Load() == 0 || c.Context().Err() != nil || conn.RemoteAddr().String() != c.Remote().String() {
						t.Error("the connection, or its context, is not what it should be")
					}
					_, err := io.Copy(conn, conn)
					return err
				})
			})
			a.Get("/replaced", func(c *Ctx) error {
				err := c.Upgrade("echo", func(net.Conn) error { return nil })
				if err == nil || err.Error() != errReplaced().Error() {
					t.Errorf("replaced: %v", err)
				}
				return err
			}, With(Middleware{After: func(c *Ctx, err error) error { return fault.New(fault.Forbidden, "") }}))
			a.Get("/inline", func(c *Ctx) error {
				return c.Upgrade("echo", func(net.Conn) error { return nil })
			}, Inline())
			a.Get("/fails", func(c *Ctx) error {
				return c.Upgrade("echo", func(net.Conn) error { return errors.New("protocol trouble") })
			})
			a.Get("/leaves", func(c *Ctx) error {
				return c.Upgrade("echo", func(conn net.Conn) error {
					<-c.Context().Done()
					_, err := io.WriteString(conn, "bye")
					return err
				})
			})
			address, stop := serving(t, a)

			// One goroutine in the pool: upgraded connections must not hold it.
			var open []*net.TCPConn
			for i := range 3 {
				c, r := dial(t, address)
				resp := talk(t, c, r, "GET /echo HTTP/1.1\r\n"+upgradeHead+"early")
				if resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "echo" || resp.Header.Get("X-After") != "1" {
					t.Fatalf("%d: %d %v", i, resp.StatusCode, resp.Header)
				}
				got := make([]byte, 5)
				if _, err := io.ReadFull(r, got); err != nil || string(got) != "early" {
					t.Fatalf("%q %v", got, err)
				}
				open = append(open, c)
			}
			// More than all the buffers on the way hold, both ways at once.
			big := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
			go func() { _, _ = open[0].Write(big); _ = open[0].CloseWrite() }()
			got, err := io.ReadAll(open[0])
			if err != nil || !bytes.Equal(got, big) {
				t.Errorf("%d bytes of %d came back: %v", len(got), len(big), err)
			}

			for _, one := range []struct {
				text   string
				status int
			}{
				{"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", 426},
				{"GET /echo HTTP/1.0\r\n" + upgradeHead, 426},
				{"GET /replaced HTTP/1.1\r\n" + upgradeHead, 403},
				{"GET /inline HTTP/1.1\r\n" + upgradeHead, 500},
			} {
				c, r := dial(t, address)
				resp := talk(t, c, r, one.text)
				if resp.StatusCode != one.status {
					t.Errorf("%q: %d", one.text, resp.StatusCode)
				}
				if one.status == 426 && resp.Header.Get("Upgrade") != "echo" {
					t.Errorf("no offer: %v", resp.Header)
				}
			}
			c, r := dial(t, address)
			talk(t, c, r, "GET /fails HTTP/1.1\r\n"+upgradeHead)
			if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("after the function has returned: %v", err)
			}
			c, r = dial(t, address)
			talk(t, c, r, "GET /leaves HTTP/1.1\r\n"+upgradeHead)
			for _, one := range open[1:] {
				_ = one.CloseWrite()
			}
			if err := stop(); err != nil {
				t.Errorf("Serve: %v", err)
			}
			if got, err := io.ReadAll(r); string(got) != "bye" || err != nil {
				t.Errorf("at the end: %q %v", got, err)
			}
			if err := a.Stopped(t.Context()); err != nil {
				t.Error(err)
			}
			if !strings.Contains(l.String(), "protocol trouble") {
				t.Errorf("log %s", l)
			}
		})
	}
}

// taken serves one connection that f speaks on, and returns the client's end.
func taken(t *testing.T, kind string, f func(conn net.Conn)) (*net.TCPConn, *bufio.Reader) {
	a, _ := newTest(t, WithTransport(kind))
	a.Get("/", func(c *Ctx) error {
		return c.Upgrade("echo", func(conn net.Conn) error { f(conn); return nil })
	})
	address, _ := serving(t, a)
	c, r := dial(t, address)
	if resp := talk(t, c, r, "GET / HTTP/1.1\r\n"+upgradeHead); resp.StatusCode != 101 {
		t.Fatal(resp.Status)
	}
	return c, r
}

func TestSocketDeadlines(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			results := make(chan error, 8)
			c, r := taken(t, kind, func(conn net.Conn) {
				defer close(results)
				p := make([]byte, 8)
				_ = conn.SetReadDeadline(time.Now().Add(-time.Second))
				_, err := conn.Read(p)
				results <- err
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
				_, err = conn.Read(p)
				results <- err
				// A deadline that is set while Read waits counts.
				_ = conn.SetReadDeadline(time.Time{})
				go func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) }()
				_, err = conn.Read(p)
				results <- err
				// The client reads nothing: at some time there is no room.
				_ = conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
				for err = nil; err == nil; {
					_, err = conn.Write(make([]byte, 1<<20))
				}
				results <- err
				// The deadline has not broken anything.
				_ = conn.SetDeadline(time.Time{})
				n, err := conn.Read(p)
				if string(p[:n]) != "go on" || err != nil {
					results <- fmt.Errorf("read %q %w", p[:n], err)
				}
			})
			for i := range 4 {
				var timeout net.Error
				if err := <-results; !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("%d: %v", i, err)
				}
			}
			if _, err := io.WriteString(c, "go on"); err != nil {
				t.Error(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				t.Error(err)
			}
			for err := range results {
				t.Error(err)
			}
		})
	}
}

func TestSocketEnds(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			type result struct {
				what string
				err  error
			}
			results := make(chan result, 8)
			c, r := taken(t, kind, func(conn net.Conn) {
				go func() {
					_, err := conn.Read(make([]byte, 1))
					results <- result{"a read that is waiting", err}
				}()
				_, _ = io.WriteString(conn, "last words")
				results <- result{"close", conn.Close()}
				_, err := conn.Write([]byte("x"))
				results <- result{"a write after it", err}
				_, err = conn.Read(make([]byte, 1))
				results <- result{"a read after it", err}
				results <- result{"a deadline after it", conn.SetDeadline(time.Now())}
				results <- result{"close again", conn.Close()}
			})
			if got, err := io.ReadAll(r); string(got) != "last words" || err != nil {
				t.Errorf("%q %v", got, err)
			}
			c.Close()
			for range 6 {
				one := <-results
				if want := one.what != "close"; errors.Is(one.err, net.ErrClosed) != want {
					t.Errorf("%s: %v", one.what, one.err)
				}
			}

			c, r = taken(t, kind, func(conn net.Conn) {
				_ = conn.(interface{ CloseWrite() error }).CloseWrite()
				_, err := conn.Write([]byte("x"))
				b, _ := io.ReadAll(conn)
				results <- result{string(b), err}
			})
			if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("after CloseWrite: %v", err)
			}
			_, _ = io.WriteString(c, "heard")
			_ = c.CloseWrite()
			if one := <-results; one.what != "heard" || !errors.Is(one.err, net.ErrClosed) {
				t.Errorf("%q %v", one.what, one.err)
			}

			c, _ = taken(t, kind, func(conn net.Conn) {
				_, err := conn.Read(make([]byte, 1))
				results <- result{"", err}
			})
			_ = c.SetLinger(0)
			c.Close()
			if one := <-results; one.err == nil {
				t.Error("a reset is no error")
			}
		})
	}
}

func TestHijack(t *testing.T) {
	a, _ := newTest(t)
	a.Get("/raw", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrHijacked) {
			t.Errorf("write: %v", err)
		}
		if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrHijacked) {
			t.Errorf("twice: %v", err)
		}
		// It may outlive the handler.
		go func() {
			defer conn.Close()
			line, _ := rw.ReadString('\n')
			_, _ = rw.WriteString("HTTP/1.1 101 Mine\r\nX-Line: " + strings.TrimSpace(line) + "\r\n\r\n")
			_ = rw.Flush()
		}()
	})))
	a.Get("/answered", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.Header().Set("X-Key", "k")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(conn, conn)
		conn.Close()
	})))
	a.Post("/unread", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := w.(http.Hijacker).Hijack(); err == nil {
			t.Error("hijacked with a body on its way")
		}
		_, _ = io.WriteString(w, "fine")
	})))
	a.Get("/101", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusSwitchingProtocols)
	})))
	address, _ := serving(t, a)
	c, r := dial(t, address)
	if resp := talk(t, c, r, "GET /raw HTTP/1.1\r\nHost: a\r\n\r\nline\r\n"); resp.Status != "101 Mine" || resp.Header.Get("X-Line") != "line" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	c, r = dial(t, address)
	resp := talk(t, c, r, "GET /answered HTTP/1.1\r\n"+upgradeHead+"ping")
	if resp.StatusCode != 101 || resp.Header.Get("X-Key") != "k" || len(resp.Header["Upgrade"]) != 1 || len(resp.Header["Connection"]) != 1 {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	_ = c.CloseWrite()
	if got, err := io.ReadAll(r); string(got) != "ping" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	c, r = dial(t, address)
	if resp := talk(t, c, r, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"); resp.StatusCode != 200 {
		t.Errorf("unread: %s", resp.Status)
	}
	c, r = dial(t, address)
	if resp := talk(t, c, r, "GET /101 HTTP/1.1\r\nHost: a\r\n\r\n"); resp.StatusCode != 500 {
		t.Errorf("a 101 that nobody goes on with: %s", resp.Status)
	}
}

// trailerApp has a route for each way of trailers.
func trailerApp(t *testing.T) *App {
	a, _ := newTest(t)
	echo := func(c *Ctx) error {
		if _, err := io.Copy(io.Discard, c.BodyReader()); err != nil {
			return err
		}
		c.AddTrailer("x-sum", c.Trailer("Sum")+fmt.Sprint(len(c.Trailers())))
		return c.Text(200, "read")
	}
	a.Post("/pooled", echo)
	a.Post("/inline", echo, Inline())
	a.Get("/stream", func(c *Ctx) error {
		c.AddTrailer("x-early", "1")
		return c.Stream(200, func(w io.Writer) error {
			_, _ = io.WriteString(w, "one")
			if err := w.(Flusher).Flush(); err != nil {
				return err
			}
			c.AddTrailer("x-late", "2")
			return nil
		})
	})
	a.Get("/bad", func(c *Ctx) error { c.AddTrailer("content-length", "2"); return c.Text(200, "x") })
	a.Get("/late", func(c *Ctx) error {
		return c.Stream(200, func(w io.Writer) error {
			_, _ = io.WriteString(w, "one")
			err := w.(Flusher).Flush()
			c.AddTrailer("a", "b\r\nc: d")
			return err
		})
	})
	a.Get("/failed", func(c *Ctx) error { c.AddTrailer("x-sum", "1"); return fault.New(fault.Conflict, "") })
	a.Post("/http", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, announced := r.Trailer["Sum"]
		w.Header().Set("Trailer", "X-Sum, X-Set")
		w.Header().Set("X-Set", "before")
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "read")
		w.Header().Set("X-Sum", fmt.Sprint(r.Trailer.Get("Sum"), len(r.Trailer), announced))
		w.Header().Set(http.TrailerPrefix+"X-Prefixed", "p")
		w.Header().Set("X-Forgotten", "not sent")
	})))
	return a
}

func TestTrailers(t *testing.T) {
	a := trailerApp(t)
	address, _ := serving(t, a)
	hosted := start(t, trailerApp(t))
	const sum = "10\r\n0123456789abcdef\r\n0\r\nSum: 7\r\nAuthorization: no\r\n\r\n"
	post := func(path, body string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n" + body
	}
	large := "20000\r\n" + strings.Repeat("x", 0x20000) + "\r\n" + sum
	for _, at := range []string{address, hosted.Listener.Addr().String()} {
		for _, one := range []struct {
			text, trailer, body string
			status              int
		}{
			{post("/pooled", sum), "map[X-Sum:[71]]", "read", 200},
			{post("/inline", sum), "map[X-Sum:[71]]", "read", 200},
			{post("/pooled", large), "map[X-Sum:[71]]", "read", 200},
			{post("/inline", large), "map[X-Sum:[71]]", "read", 200},
			{post("/http", sum), "map[X-Prefixed:[p] X-Set:[before] X-Sum:[71 true]]", "read", 200},
			{post("/http", large), "map[X-Prefixed:[p] X-Set:[before] X-Sum:[71 true]]", "read", 200},
			{"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "map[X-Early:[1] X-Late:[2]]", "one", 200},
			{"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n", "map[]", "", 500},
			{"GET /failed HTTP/1.1\r\nHost: a\r\n\r\n", "map[]", "", 409},
		} {
			c, r := dial(t, at)
			resp := talk(t, c, r, one.text)
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != one.status || one.body != "" && string(body) != one.body {
				t.Errorf("%.20s: %d %q %v", one.text, resp.StatusCode, body, err)
			}
			if got := fmt.Sprint(resp.Trailer); got != one.trailer {
				t.Errorf("%.20s: trailer %s, want %s", one.text, got, one.trailer)
			}
			for name := range resp.Trailer {
				if resp.Header.Get(name) != "" {
					t.Errorf("%s is a header field, too", name)
				}
			}
		}
		c, r := dial(t, at)
		resp := talk(t, c, r, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("a stream with a trailer field that cannot be sent looks complete")
		}
	}
}

func TestEarlyHints(t *testing.T) {
	a, _ := newTest(t)
	hints := func(c *Ctx) error {
		c.SetHeader("x-final", "1")
		if err := c.EarlyHints("</a.css>; rel=preload", "</b.css>"); err != nil {
			return err
		}
		if err := c.EarlyHints("a\r\nb: c"); err == nil {
			t.Error("a link that splits the response was taken")
		}
		return c.Text(200, "final")
	}
	both(a, "/hints", hints)
	a.Get("/http", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "final")
	})))
	address, _ := serving(t, a)
	for _, one := range []struct {
		line, want string
	}{
		{"GET /hints HTTP/1.1", "103 [</a.css>; rel=preload </b.css>] 200 final"},
		{"GET /inline/hints HTTP/1.1", "103 [</a.css>; rel=preload </b.css>] 200 final"},
		{"GET /http HTTP/1.1", "103 [</a.css>] 102 [</a.css>] 200 final"},
		{"GET /hints HTTP/1.0", "200 final"},
	} {
		c, r := dial(t, address)
		got := ""
		for resp := talk(t, c, r, one.line+"\r\nHost: a\r\n\r\n"); ; resp = talk(t, c, r, "") {
			if resp.StatusCode >= 200 {
				b, err := io.ReadAll(resp.Body)
				if err != nil || resp.Header.Get("Link") != "" {
					t.Errorf("%s: %v %v", one.line, resp.Header, err)
				}
				got += fmt.Sprint(resp.StatusCode, " ", string(b))
				break
			}
			if resp.Header.Get("X-Final") != "" {
				t.Errorf("%s: a hint with the fields of the final response", one.line)
			}
			got += fmt.Sprint(resp.StatusCode, " ", resp.Header["Link"], " ")
		}
		if got != one.want {
			t.Errorf("%s: %s, want %s", one.line, got, one.want)
		}
	}
}

// What package net promises for a Conn: any of its methods, from any goroutine, at any time.
func TestSocketFromManyGoroutines(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			for round := range 6 {
				ended := make(chan struct{})
				c, r := taken(t, kind, func(conn net.Conn) {
					defer close(ended)
					var all sync.WaitGroup
					for range 2 {
						all.Go(func() { _, _ = io.Copy(io.Discard, conn) })
						all.Go(func() {
							for err := error(nil); err == nil || errors.Is(err, os.ErrDeadlineExceeded); {
								_, err = conn.Write(make([]byte, 40_000))
							}
						})
						all.Go(func() {
							for range 100 {
								_ = conn.SetDeadline(time.Now().Add(time.Millisecond))
								time.Sleep(100 * time.Microsecond)
							}
						})
					}
					if round%2 == 0 {
						all.Go(func() {
							time.Sleep(5 * time.Millisecond)
							_ = conn.Close()
						})
					}
					if round%3 == 0 {
						all.Go(func() { _ = conn.(interface{ CloseWrite() error }).CloseWrite() })
					}
					all.Wait()
				})
				go func() { _, _ = io.Copy(c, strings.NewReader(strings.Repeat("x", 1<<20))) }()
				if round%4 < 2 {
					go func() { _, _ = io.Copy(io.Discard, r) }()
				}
				if round%2 == 1 {
					time.Sleep(5 * time.Millisecond)
					_ = c.SetLinger(0)
					c.Close()
				}
				within(t, "what uses a connection that is gone", func() { <-ended })
			}
		})
	}
}

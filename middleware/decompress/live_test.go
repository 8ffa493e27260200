package decompress

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/transport"
)

// patience bounds every wait of these tests; it only ever ends one that has failed.
const patience = 60 * time.Second

func serve(t testing.TB, app *covet.App) (url string, stop func()) {
	t.Helper()
	l, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the server does not end")
		}
	})
	t.Cleanup(stop)
	return "http://" + l.Addr().String(), stop
}

func newApp(kind string) *covet.App {
	return covet.New(covet.WithLogger(slog.New(slog.DiscardHandler)), covet.WithTransport(kind), covet.WithDrainTimeout(patience))
}

var names = []string{"gzip", "deflate", "br", "zstd"}

// encoder writes what is coded as name to w.
func encoder(t testing.TB, name string, w io.Writer) io.WriteCloser {
	t.Helper()
	switch name {
	case "gzip":
		return gzip.NewWriter(w)
	case "deflate":
		return zlib.NewWriter(w)
	case "br":
		return brotli.NewWriterLevel(w, 4)
	case "zstd":
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	t.Fatalf("unknown coding %q", name)
	return nil
}

func encode(t testing.TB, name string, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := encoder(t, name, &b)
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise does not shrink by much.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return b
}

// post sends body; chunked hides its length.
func post(t testing.TB, url, coding string, body []byte, chunked bool) (status int, answer string, header http.Header) {
	t.Helper()
	var from io.Reader = bytes.NewReader(body)
	if chunked {
		from = io.MultiReader(from)
	}
	r, err := http.NewRequest("POST", url, from)
	if err != nil {
		t.Fatal(err)
	}
	if coding != "" {
		r.Header.Set("Content-Encoding", coding)
	}
	// Not http.Client: it fails, at times, when the answer comes before the body is sent.
	conn, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go func() { _ = r.Write(conn) }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatalf("%s %s: %v", url, coding, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// echoes adds the ways in which handlers take a body; they answer with its length and sum.
func echoes(app *covet.App) {
	describe := func(c *covet.Ctx, b []byte) error {
		return c.Text(200, fmt.Sprintf("%d %x|%s|%s", len(b), sum(b), c.Header("Content-Encoding"), c.Header("Content-Length")))
	}
	app.Post("/body", func(c *covet.Ctx) error {
		b, err := c.Body()
		if err != nil {
			return err
		}
		return describe(c, b)
	})
	app.Post("/inline", func(c *covet.Ctx) error {
		b, err := c.Body()
		if err != nil {
			return err
		}
		return describe(c, b)
	}, covet.Inline())
	app.Post("/reader", func(c *covet.Ctx) error {
		b, err := io.ReadAll(io.LimitReader(c.BodyReader(), 1<<30))
		if err != nil {
			return err
		}
		return describe(c, b)
	})
	app.Post("/unread", func(c *covet.Ctx) error { return c.Text(200, "unread") })
	app.Post("/some", func(c *covet.Ctx) error {
		_, err := io.ReadFull(c.BodyReader(), make([]byte, 10))
		if err != nil {
			return err
		}
		return c.Text(200, "some")
	})
}

func sum(b []byte) (h uint64) {
	h = 14695981039346656037
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func TestBodies(t *testing.T) {
	for _, kind := range []string{"auto", "epoll", "net"} {
		t.Run(kind, func(t *testing.T) {
			m := newDecompressor(Config{})
			app := newApp(kind)
			app.Use(covet.Middleware{Name: "decompress", Before: m.before, Done: m.done})
			echoes(app)
			url, stop := serve(t, app)
			for _, name := range names {
				for what, body := range map[string][]byte{
					"empty": {}, "tiny": []byte("x"), "small": noise(5000), "inline": noise(60 << 10), "swells": bytes.Repeat([]byte("a"), 300<<10),
					"streams": noise(400 << 10), "swells a lot": bytes.Repeat([]byte("b"), 3<<20),
				} {
					coded := encode(t, name, body)
					for _, path := range []string{"/body", "/inline", "/reader", "/unread", "/some"} {
						for _, chunked := range []bool{false, true} {
							status, answer, _ := post(t, url+path, name, coded, chunked)
							want := fmt.Sprintf("200 %d %x||", len(body), sum(body))
							switch {
							case path == "/unread":
								want = "200 unread"
							case path == "/some" && len(body) < 10:
								want = "500"
							case path == "/some":
								want = "200 some"
							}
							if got := fmt.Sprint(status, " ", answer); !strings.HasPrefix(got, want) {
								t.Errorf("%s %s %s chunked=%v: %.200s, want %s", name, what, path, chunked, got, want)
							}
						}
					}
				}
			}
			if status, answer, _ := post(t, url+"/body", "identity", []byte("abc"), false); status != 200 || !strings.HasSuffix(answer, "|identity|3") {
				t.Errorf("identity: %d %s", status, answer)
			}
			stop()
			settled(t, m)
		})
	}
}

// settled checks that nothing is left of the bodies.
func settled(t *testing.T, m *decompressor) {
	t.Helper()
	if n := m.open.Load(); n != 0 {
		t.Errorf("%d bodies are still open", n)
	}
	deadline := time.Now().Add(patience)
	for {
		m.memory.mu.Lock()
		room := m.memory.room
		m.memory.mu.Unlock()
		if room == defaultMaxMemory {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of the memory are lost", defaultMaxMemory-room)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestRefusals(t *testing.T) {
	app := newApp("auto")
	app.Use(New(Config{MaxBody: 1 << 20}))
	echoes(app)
	url, _ := serve(t, app)
	text := noise(3000)
	large := noise(300 << 10)
	for _, name := range names {
		coded, stream := encode(t, name, text), encode(t, name, large)
		flip := func(b []byte) []byte {
			b = bytes.Clone(b)
			for i := len(b) / 2; i < len(b)/2+20; i++ {
				b[i] ^= 0x5a
			}
			return b
		}
		for _, c := range []struct {
			what   string
			body   []byte
			status int
		}{
			{"whole", coded, 200},
			{"cut off", coded[:len(coded)-1], 400},
			{"half", coded[:len(coded)/2], 400},
			{"first byte", coded[:1], 400},
			{"garbage behind", append(bytes.Clone(coded), "garbage that is no body"...), 400},
			{"a zero behind", append(bytes.Clone(coded), 0), 400},
			{"not coded", []byte("hello, hello, hello"), 400},
			{"streamed", stream, 200},
			{"streamed, cut off", stream[:len(stream)-1], 400},
			{"streamed, half", stream[:len(stream)/2], 400},
			{"streamed, garbage behind", append(bytes.Clone(stream), bytes.Repeat([]byte("garbage"), 20000)...), 400},
			{"streamed, a zero behind", append(bytes.Clone(stream), 0), 400},
			{"too large", encode(t, name, make([]byte, 1<<20+1)), 413},
			{"just not too large", encode(t, name, make([]byte, 1<<20)), 200},
		} {
			for _, chunked := range []bool{false, true} {
				if status, answer, _ := post(t, url+"/body", name, c.body, chunked); status != c.status {
					t.Errorf("%s %s chunked=%v: %d %.200s, want %d", name, c.what, chunked, status, answer, c.status)
				}
			}
		}
		// Of the checks inside of the codings only some have a sum; those must find every damage.
		if name == "gzip" || name == "deflate" || name == "zstd" {
			for _, b := range [][]byte{flip(coded), flip(stream)} {
				if status, _, _ := post(t, url+"/body", name, b, false); status != 400 {
					t.Errorf("%s damaged: %d", name, status)
				}
			}
		}
	}
	for _, c := range []string{"gzip, gzip", "gzip, br", "compress", "aws-chunked", "gzip, identity, br", "x", "gzip;q=1"} {
		status, _, header := post(t, url+"/body", c, text, false)
		if status != 415 || header.Get("Accept-Encoding") != "zstd, br, gzip, deflate" {
			t.Errorf("%s: %d %q", c, status, header.Get("Accept-Encoding"))
		}
	}
	two := encode(t, "gzip", text)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Encoding: br\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(two), two)
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 415 ") {
		t.Errorf("two lines: %.100s, %v", answer, err)
	}
}

func TestRouteLimitCountsDecodedBytes(t *testing.T) {
	app := newApp("auto")
	app.Use(New(Config{}))
	app.Post("/", func(c *covet.Ctx) error {
		if _, err := c.Body(); err != nil {
			return err
		}
		return c.NoContent()
	}, covet.BodyLimit(100<<10))
	url, _ := serve(t, app)
	for n, want := range map[int]int{50 << 10: 204, 100 << 10: 204, 101 << 10: 413, 8 << 20: 413} {
		if status, answer, _ := post(t, url, "gzip", encode(t, "gzip", make([]byte, n)), false); status != want {
			t.Errorf("%d bytes: %d %s, want %d", n, status, answer, want)
		}
	}
}

// zeros are n bytes of nothing.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := int(min(z.n, int64(len(p))))
	z.n -= int64(n)
	clear(p[:n])
	return n, nil
}

// TestBombs sends bodies of 80 MB of zeros, more than the limit. The server stops there, and its memory stays as it was.
// The body is made before it is sent: what br makes of zeros, as it makes it, is below the least rate of bodies.
func TestBombs(t *testing.T) {
	app := newApp("auto")
	app.Use(New(Config{}))
	app.Post("/", func(c *covet.Ctx) error {
		n, err := io.Copy(io.Discard, c.BodyReader())
		if err != nil {
			return err
		}
		return c.Text(200, fmt.Sprint(n))
	})
	url, _ := serve(t, app)
	const size = defaultMaxBody * 5 / 4
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var made bytes.Buffer
			e := encoder(t, name, &made)
			_, err := io.CopyBuffer(struct{ io.Writer }{e}, &zeros{size}, make([]byte, 1<<20))
			if err := errors.Join(err, e.Close()); err != nil {
				t.Fatal(err)
			}
			q, _ := http.NewRequest("POST", url, &made)
			q.Header.Set("Content-Encoding", name)
			resp, err := (&http.Client{Timeout: 3 * patience}).Do(q)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 413 {
				t.Errorf("status %d", resp.StatusCode)
			}
			runtime.ReadMemStats(&after)
			// The sum of everything that was ever allocated, the client's share included: the bound is far from the 10 GB.
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 160<<20 {
				t.Errorf("%d MB were allocated", grown>>20)
			}
		})
	}
}

// TestClientLeaves lets clients leave in the middle of their bodies.
func TestClientLeaves(t *testing.T) {
	m := newDecompressor(Config{})
	app := newApp("auto")
	app.Use(covet.Middleware{Name: "decompress", Before: m.before, Done: m.done})
	begun, over := make(chan bool), make(chan error, 64)
	app.Post("/", func(c *covet.Ctx) error {
		begun <- true
		_, err := io.Copy(io.Discard, c.BodyReader())
		over <- err
		return err
	})
	url, stop := serve(t, app)
	for i := range 16 {
		name := names[i%len(names)]
		coded := encode(t, name, noise(400<<10))
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n", name, len(coded))
		<-begun // a reset would take an unread head with it
		_, _ = conn.Write(coded[:len(coded)/3*(i%3)])
		if i%2 == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		conn.Close()
	}
	for range 16 {
		select {
		case err := <-over:
			if err == nil {
				t.Error("a body that was cut off looks complete")
			}
		case <-time.After(patience):
			t.Fatal("a handler goes on without its client")
		}
	}
	stop()
	settled(t, m)
}

// TestSlowHandler stops the client while the handler does not read.
func TestSlowHandler(t *testing.T) {
	app := newApp("auto")
	app.Use(New(Config{MaxBody: -1}))
	begin := make(chan bool)
	app.Post("/", func(c *covet.Ctx) error {
		r := c.BodyReader()
		if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
			return err
		}
		<-begin
		n, err := io.Copy(io.Discard, r)
		if err != nil {
			return err
		}
		return c.Text(200, fmt.Sprint(n+1))
	})
	url, _ := serve(t, app)
	body := noise(24 << 20)
	coded := encode(t, "zstd", body)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: zstd\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(coded))
	sent, err := conn.Write(coded)
	if err == nil {
		t.Fatalf("all of %d bytes were taken from a client whose handler does not read", len(coded))
	}
	close(begin)
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(coded[sent:]); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(answer), fmt.Sprint(len(body))) {
		t.Errorf("%.300s, %v", answer, err)
	}
}

// TestMemoryIsShared lets bodies wait for the memory of each other's windows.
func TestMemoryIsShared(t *testing.T) {
	m := newDecompressor(Config{MaxMemory: 1}) // 32 MiB: two windows of brotli
	app := newApp("auto")
	app.Use(covet.Middleware{Name: "decompress", Before: m.before, Done: m.done})
	echoes(app)
	url, _ := serve(t, app)
	body := noise(500 << 10)
	var b bytes.Buffer
	w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 1, LGWin: 24})
	_, _ = w.Write(body)
	w.Close()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if status, answer, _ := post(t, url+"/body", "br", b.Bytes(), true); status != 200 {
				t.Errorf("%d %.100s", status, answer)
			}
		})
	}
	all.Wait()
}

func TestTooManyStreams(t *testing.T) {
	m := newDecompressor(Config{})
	m.maxStreams = 0
	app := newApp("auto")
	app.Use(covet.Middleware{Name: "decompress", Before: m.before, Done: m.done})
	echoes(app)
	url, _ := serve(t, app)
	status, _, header := post(t, url+"/body", "gzip", encode(t, "gzip", noise(400<<10)), false)
	if status != 503 || header.Get("Retry-After") == "" {
		t.Errorf("%d %v", status, header)
	}
}

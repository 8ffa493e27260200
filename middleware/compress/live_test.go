package compress

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
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

// serve runs app on a loopback port until the test ends, and returns its URL and what ends it.
func serve(t testing.TB, app *covet.App) (url string, stop func()) {
	t.Helper()
	l, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "http://" + l.Addr().String()
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
	return url, stop
}

func newApp(kind string) *covet.App {
	return covet.New(covet.WithLogger(slog.New(slog.DiscardHandler)), covet.WithTransport(kind), covet.WithDrainTimeout(patience))
}

var plain = &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: patience}

// ask sends a request with the given Accept-Encoding, "" for none.
func ask(t testing.TB, method, url, accept string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	resp, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// decode reads what is coded as name.
func decode(t testing.TB, name string, r io.Reader) io.Reader {
	t.Helper()
	switch name {
	case "":
		return r
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		return z
	case "br":
		return brotli.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(z.Close)
		return z
	}
	t.Fatalf("unknown coding %q", name)
	return nil
}

// sample is JSON of n bytes, as APIs send it.
func sample(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"id":%d,"name":"Item number %d","price":%d.%02d,"tags":["alpha","beta-%d"],"active":%v,"text":"The quick %d fox"},`,
			i, i*7919%1000, i*31%500, i%100, i%13, i%3 == 0, i*17)
	}
	return b.Bytes()[:n]
}

func TestRoundTrip(t *testing.T) {
	sizes := map[string]int{"small": 2 << 10, "middle": 16 << 10, "large": 17 << 10, "huge": 900 << 10}
	for _, kind := range []string{"auto", "epoll", "net"} {
		for _, level := range []Level{Fast, Balanced, Best} {
			if kind != "auto" && level != Fast {
				continue
			}
			t.Run(fmt.Sprint(kind, level), func(t *testing.T) {
				app := newApp(kind)
				app.Use(New(Config{Level: level}))
				for name, n := range sizes {
					body := sample(n)
					whole := func(c *covet.Ctx) error { return c.Bytes(200, "application/json", body) }
					app.Get("/whole/"+name, whole, covet.Inline())
					app.Get("/pooled/"+name, whole)
					app.Get("/stream/"+name, func(c *covet.Ctx) error {
						c.SetHeader("content-type", "application/json")
						return c.Stream(200, func(w io.Writer) error {
							for at := 0; at < len(body); at += 1000 {
								if _, err := w.Write(body[at:min(at+1000, len(body))]); err != nil {
									return err
								}
								if at%7000 == 0 {
									if err := w.(covet.Flusher).Flush(); err != nil {
										return err
									}
								}
							}
							return nil
						})
					})
				}
				url, _ := serve(t, app)
				for _, way := range []string{"whole", "pooled", "stream"} {
					for name, n := range sizes {
						for _, coding := range []string{"", "gzip", "br", "zstd"} {
							resp := ask(t, "GET", url+"/"+way+"/"+name, coding)
							if got := resp.Header.Get("Content-Encoding"); got != coding {
								t.Fatalf("%s/%s: Content-Encoding %q, want %q", way, name, got, coding)
							}
							if got := resp.Header.Get("Vary"); got != "Accept-Encoding" {
								t.Errorf("%s/%s %q: Vary %q", way, name, coding, got)
							}
							wire := &counted{r: resp.Body}
							got, err := io.ReadAll(decode(t, coding, wire))
							if err != nil || !bytes.Equal(got, sample(n)) {
								t.Fatalf("%s/%s %s: %d bytes, %v", way, name, coding, len(got), err)
							}
							if coding != "" && wire.n*2 > n {
								t.Errorf("%s/%s %s: %d of %d bytes", way, name, coding, wire.n, n)
							}
							resp.Body.Close()
						}
					}
				}
			})
		}
	}
}

type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// TestEventsArriveAtOnce sends an event only when the one before it was read: without a flush that never ends.
func TestEventsArriveAtOnce(t *testing.T) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		t.Run(coding, func(t *testing.T) {
			read := make(chan bool)
			app := newApp("auto")
			app.Use(New(Config{}))
			app.Get("/events", func(c *covet.Ctx) error {
				c.SetHeader("content-type", "text/event-stream")
				return c.Stream(200, func(w io.Writer) error {
					for i := range 20 {
						fmt.Fprintf(w, "data: event %d\n\n", i)
						if err := w.(covet.Flusher).Flush(); err != nil {
							return err
						}
						select {
						case <-read:
						case <-c.Context().Done():
							return c.Context().Err()
						}
					}
					return nil
				})
			})
			url, _ := serve(t, app)
			resp := ask(t, "GET", url+"/events", coding)
			if resp.Header.Get("Content-Encoding") != coding {
				t.Fatal(resp.Header)
			}
			r := decode(t, coding, resp.Body)
			for i := range 20 {
				want := fmt.Sprintf("data: event %d\n\n", i)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
					t.Fatalf("event %d: %q, %v", i, got, err)
				}
				read <- true
			}
			if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
				t.Errorf("at the end %q, %v", rest, err)
			}
		})
	}
}

// TestCutStreamLooksCut checks that a coded body whose handler fails does not look complete, and that the encoder is
// free again.
func TestCutStreamLooksCut(t *testing.T) {
	m := newCompressor(Config{})
	app := newApp("auto")
	app.Use(covet.Middleware{Name: "compress", Before: m.before, After: m.after})
	app.Get("/cut", func(c *covet.Ctx) error {
		c.SetHeader("content-type", "text/plain")
		return c.Stream(200, func(w io.Writer) error {
			_, _ = w.Write(sample(200 << 10))
			return errors.New("the middle")
		})
	})
	url, stop := serve(t, app)
	for _, coding := range []string{"gzip", "br", "zstd"} {
		resp := ask(t, "GET", url+"/cut", coding)
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: a body that was cut off looks complete", coding)
		}
	}
	stop()
	if n := m.open.Load(); n != 0 {
		t.Errorf("%d encoders are still taken", n)
	}
}

// TestClientLeaves lets clients leave while their bodies are encoded and while they stream.
func TestClientLeaves(t *testing.T) {
	m := newCompressor(Config{})
	app := newApp("auto")
	app.Use(covet.Middleware{Name: "compress", Before: m.before, After: m.after})
	body := sample(1 << 20)
	app.Get("/whole", func(c *covet.Ctx) error { return c.Bytes(200, "text/plain", body) })
	over := make(chan error, 64)
	app.Get("/stream", func(c *covet.Ctx) error {
		c.SetHeader("content-type", "text/plain")
		err := c.Stream(200, func(w io.Writer) error {
			for {
				if _, err := w.Write(body[:64<<10]); err != nil {
					return err
				}
			}
		})
		over <- err
		return err
	})
	url, stop := serve(t, app)
	address := strings.TrimPrefix(url, "http://")
	for i := range 24 {
		path := [...]string{"/whole", "/stream"}[i%2]
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %s\r\n\r\n", path, [...]string{"gzip", "br", "zstd"}[i%3])
		if i%2 == 1 {
			_, _ = io.ReadFull(conn, make([]byte, 2000))
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	for range 12 {
		select {
		case <-over:
		case <-time.After(patience):
			t.Fatal("a stream goes on without its client")
		}
	}
	// Others are served meanwhile.
	resp := ask(t, "GET", url+"/whole", "zstd")
	if got, err := io.ReadAll(decode(t, "zstd", resp.Body)); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	stop()
	settled(t, m)
}

// settled checks that nothing is left: encoders, room, goroutines.
func settled(t *testing.T, m *compressor) {
	t.Helper()
	if n := m.open.Load(); n != 0 {
		t.Errorf("%d encoders of streams are still taken", n)
	}
	deadline := time.Now().Add(patience)
	for {
		m.crew.mu.Lock()
		running := m.crew.running
		m.crew.mu.Unlock()
		if running == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines still encode", running)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestDrain stops the server while bodies are being encoded: every client gets its whole answer.
func TestDrain(t *testing.T) {
	m := newCompressor(Config{})
	m.crew.limit = 1 // so that most bodies wait for their turn
	app := newApp("auto")
	body := sample(256 << 10)
	const clients = 16
	var answered sync.WaitGroup
	answered.Add(clients)
	app.Use(covet.Middleware{Name: "compress", Before: m.before, After: m.after, Done: func(*covet.Ctx) { answered.Done() }})
	app.Get("/", func(c *covet.Ctx) error { return c.Bytes(200, "text/plain", body) })
	url, stop := serve(t, app)
	results := make(chan error, clients)
	for range clients {
		go func() {
			r, _ := http.NewRequest("GET", url, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			resp, err := plain.Do(r)
			if err != nil {
				results <- err
				return
			}
			defer resp.Body.Close()
			z, err := gzip.NewReader(resp.Body)
			if err != nil {
				results <- err
				return
			}
			got, err := io.ReadAll(z)
			if err == nil && !bytes.Equal(got, body) {
				err = fmt.Errorf("%d bytes", len(got))
			}
			results <- err
		}()
	}
	answered.Wait() // the handlers have answered, the bodies are still to be encoded
	stop()
	for range clients {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	settled(t, m)
	if m.crew.room != defaultMaxWaiting {
		t.Errorf("%d bytes of room are lost", defaultMaxWaiting-m.crew.room)
	}
}

// TestOverload checks that bodies that find no room, and streams over the bound, go out as they are.
func TestOverload(t *testing.T) {
	m := newCompressor(Config{MaxWaiting: 1, MaxStreams: 1})
	m.maxStreams = 0
	app := newApp("auto")
	app.Use(covet.Middleware{Name: "compress", Before: m.before, After: m.after})
	body := sample(100 << 10)
	app.Get("/whole", func(c *covet.Ctx) error { return c.Bytes(200, "text/plain", body) })
	app.Get("/stream", func(c *covet.Ctx) error {
		c.SetHeader("content-type", "text/plain")
		return c.Stream(200, func(w io.Writer) error { _, err := w.Write(body); return err })
	})
	url, _ := serve(t, app)
	for _, path := range []string{"/whole", "/stream"} {
		resp := ask(t, "GET", url+path, "gzip")
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, body) || resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %d bytes, %v, %v", path, len(got), err, resp.Header)
		}
	}
}

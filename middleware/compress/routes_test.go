package compress

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/message"
)

// TestRoutes checks opting out, links at several places of a chain, errors, and responses that another link replaces.
func TestRoutes(t *testing.T) {
	body := sample(3000)
	text := func(c *covet.Ctx) error { return c.Text(200, string(body)) }
	build := func() *covet.App {
		app := newApp("auto")
		app.Use(New(Config{}))
		app.Get("/on", text)
		app.Get("/off", text, covet.With(Off()))
		app.Get("/twice", text, covet.With(New(Config{Codings: []string{"gzip"}})))
		app.Get("/bigger", text, covet.With(New(Config{MinSize: 5000}), Off()))
		app.Get("/failed", func(c *covet.Ctx) error {
			_ = text(c)
			c.SetHeader("etag", `"of the reply"`)
			return &covet.Error{Code: "conflict", Message: string(bytes.Repeat([]byte("again "), 500))}
		})
		return app
	}
	url, _ := serve(t, build())
	hosted, err := covet.ToHTTP(build())
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewServer(hosted)
	defer other.Close()
	for _, at := range []string{url, other.URL} {
		for path, want := range map[string]string{"/on": "zstd", "/off": "", "/twice": "gzip", "/bigger": "", "/failed": "zstd"} {
			resp := ask(t, "GET", at+path, "gzip, br, zstd")
			coding := resp.Header.Get("Content-Encoding")
			if coding != want || len(resp.Header.Values("Content-Encoding")) > 1 {
				t.Errorf("%s: %q, want %q", path, resp.Header.Values("Content-Encoding"), want)
			}
			got, err := io.ReadAll(decode(t, coding, resp.Body))
			if err != nil || path != "/failed" && !bytes.Equal(got, body) || path == "/failed" && !bytes.Contains(got, []byte("again again")) {
				t.Errorf("%s: %d bytes, %v", path, len(got), err)
			}
			if vary := resp.Header.Values("Vary"); (len(vary) == 1) != (want != "") {
				t.Errorf("%s: Vary %q", path, vary)
			}
			head := ask(t, http.MethodHead, at+path, "gzip, br, zstd")
			for _, name := range []string{"Content-Encoding", "Vary", "Etag", "Content-Type"} {
				if g, h := resp.Header.Get(name), head.Header.Get(name); g != h {
					t.Errorf("HEAD %s: %s is %q, for GET %q", path, name, h, g)
				}
			}
			if want != "" && head.ContentLength >= 0 {
				t.Errorf("HEAD %s tells a length of %d", path, head.ContentLength)
			}
		}
	}
}

// TestChainAllocatesNothing drives whole requests through an app: the links around a response that stays as it is
// allocate nothing, whether the client accepts codings or not.
func TestChainAllocatesNothing(t *testing.T) {
	app := newApp("auto")
	app.Use(New(Config{}))
	app.Get("/", func(c *covet.Ctx) error { return c.Text(200, "small") }, covet.Inline())
	h, err := app.Handler()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []*message.Request{request(), request("gzip, deflate, br, zstd")} {
		x := &message.Exchange{}
		x.Reset()
		at := uint32(len(q.Head))
		q.Head = append(q.Head, '/')
		q.Method, q.Version, q.BodyComplete = message.MethodGet, message.HTTP11, true
		q.Path = message.Span{Off: at, Len: 1}
		below := &silent{}
		serve := func() {
			x.Response.Reset()
			x.Request, x.Stream = *q, below
			h.Serve(x)
		}
		serve() // makes the Ctx
		if n := testing.AllocsPerRun(100, serve); n != 0 {
			t.Errorf("%q: %v allocations", q.Head, n)
		}
	}
}

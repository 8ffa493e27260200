package covet

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/covetpy/covet/fault"
)

func TestSendFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	a, _ := newTest(t)
	send := func(c *Ctx) error { return c.SendFile(name) }
	a.Get("/file", send)
	a.Get("/inline", send, Inline())
	a.Get("/missing", func(c *Ctx) error { return c.SendFile(name + "x") })
	a.Get("/dir", func(c *Ctx) error { return c.SendFile(dir) })
	a.Get("/fs", func(c *Ctx) error { return c.SendFileFS(os.DirFS(dir), "a.txt") })
	a.Get("/memory", func(c *Ctx) error {
		return c.SendFileFS(fstest.MapFS{"a.html": {Data: []byte("0123456789"), ModTime: old}}, "a.html")
	})
	a.Get("/climb", func(c *Ctx) error { return c.SendFileFS(os.DirFS(dir), "../a.txt") })
	a.Get("/typed", func(c *Ctx) error {
		c.SetHeader("content-type", "text/x-mine")
		return c.SendFile(name)
	})
	a.Get("/status", func(c *Ctx) error { c.Status(404); return c.SendFile(name) })
	a.Get("/void", func(c *Ctx) error { return errors.Join(c.SendFile(name), fault.New(fault.Conflict, "")) })
	a.Get("/again", func(c *Ctx) error {
		if err := c.SendFile(name); err != nil {
			return err
		}
		return c.Text(200, "instead")
	})
	a.Get("/streamed", func(c *Ctx) error {
		if err := c.SendFile(name); err != nil {
			return err
		}
		return c.Stream(200, func(w io.Writer) error { _, err := io.WriteString(w, "instead"); return err })
	})
	a.Get("/after", send, With(Middleware{After: func(c *Ctx, err error) error { return c.Text(200, "instead") }}))
	s := start(t, a)
	for _, c := range []struct {
		path, fields string
		status       int
		body, kind   string
	}{
		{"/file", "", 200, "0123456789", "text/plain; charset=utf-8"},
		{"/file", "Range: bytes=3-4", 206, "34", "text/plain; charset=utf-8"},
		{"/file", "If-Modified-Since: Thu, 02 Jan 2020 03:04:05 GMT", 304, "", ""},
		{"/file", `If-Match: "x"`, 412, "-", ""},
		{"/file", "Range: bytes=10-", 416, "-", ""},
		{"/inline", "", 500, "-", ""},
		{"/missing", "", 404, "-", ""},
		{"/dir", "", 404, "-", ""},
		{"/fs", "Range: bytes=-1", 206, "9", "text/plain; charset=utf-8"},
		{"/memory", "Range: bytes=0-0", 206, "0", "text/html; charset=utf-8"},
		{"/climb", "", 404, "-", ""},
		{"/typed", "", 200, "0123456789", "text/x-mine"},
		{"/status", "Range: bytes=0-0", 404, "0123456789", "text/plain; charset=utf-8"},
		{"/void", "", 409, "-", ""},
		{"/again", "", 200, "instead", "text/plain; charset=utf-8"},
		{"/streamed", "", 200, "instead", ""},
		{"/after", "", 200, "instead", "text/plain; charset=utf-8"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name, v, ok := strings.Cut(c.fields, ": "); ok {
			r.Header.Set(name, v)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || c.body != "-" && string(b) != c.body ||
			c.kind != "" && resp.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s with %q: %d %q %v, %v", c.path, c.fields, resp.StatusCode, b, resp.Header, err)
		}
	}
}

func TestCheckPreconditions(t *testing.T) {
	a, _ := newTest(t)
	changed := 0
	a.Put("/doc", func(c *Ctx) error {
		if done, err := c.CheckPreconditions(`"v2"`, time.Time{}); done {
			return err
		}
		changed++
		return c.NoContent()
	})
	a.Get("/bad", func(c *Ctx) error {
		_, err := c.CheckPreconditions("v2", time.Time{})
		return err
	})
	a.Get("/future", func(c *Ctx) error {
		_, err := c.CheckPreconditions("", time.Now().Add(time.Hour))
		return errors.Join(err, c.Text(200, c.ResponseHeader("last-modified")))
	})
	s := start(t, a)
	for _, c := range []struct {
		method, path, tag string
		status            int
	}{
		{"PUT", "/doc", `"v1"`, 412}, {"PUT", "/doc", `"v2"`, 204}, {"PUT", "/doc", "*", 204}, {"GET", "/bad", "", 500},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("If-Match", c.tag)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s %s with %s: %d", c.method, c.path, c.tag, resp.StatusCode)
		}
	}
	if changed != 2 {
		t.Errorf("changed %d times", changed)
	}
	if got := ask(t, s, "GET", "/future", ""); got.body != "" {
		t.Errorf("Last-Modified in the future: %q", got.body)
	}
}

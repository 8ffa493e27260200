package covet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/covetpy/covet/fault"
)

// logged is a log to look into.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newLogger(l *logged) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// newTest returns an app that logs to the returned buffer.
func newTest(t testing.TB, opts ...Option) (*App, *logged) {
	l := &logged{}
	a := New(append([]Option{WithLogger(newLogger(l))}, opts...)...)
	t.Cleanup(func() {
		if err := a.Stopped(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return a, l
}

// start serves a on loopback by net/http.
func start(t testing.TB, a *App) *httptest.Server {
	t.Helper()
	h, err := ToHTTP(a)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func ask(t testing.TB, s *httptest.Server, method, path, body string, fields ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

// both registers a handler twice: pooled at pattern, inline at /inline + pattern.
func both(a *App, pattern string, h Handler) {
	a.Get(pattern, h)
	a.Get("/inline"+pattern, h, Inline())
}

func TestRequestAndReply(t *testing.T) {
	a, _ := newTest(t)
	both(a, "/text", func(c *Ctx) error { return c.Text(200, "hello") })
	both(a, "/html", func(c *Ctx) error { return c.HTML(201, "<p>") })
	both(a, "/json", func(c *Ctx) error { return c.JSON(200, map[string]int{"a": 1}) })
	both(a, "/bytes", func(c *Ctx) error { return c.Bytes(200, "image/x", []byte{1}) })
	both(a, "/none", func(c *Ctx) error { return nil })
	both(a, "/gone", func(c *Ctx) error { return c.NoContent() })
	both(a, "/to", func(c *Ctx) error { return c.Redirect(302, "/x") })
	both(a, "/twice", func(c *Ctx) error { _ = c.Bytes(200, "a/b", nil); return c.Text(200, "b") })
	both(a, "/params/{a}/{b:int}/{c...}", func(c *Ctx) error {
		n, err := c.ParamInt("b")
		if err != nil {
			return err
		}
		return c.Text(200, fmt.Sprintf("%s|%d|%s|%s|%s", c.Param("a"), n, c.Param("c"), c.Param("zz"), c.Path()))
	})
	both(a, "/query", func(c *Ctx) error {
		return c.Text(200, c.Query("a")+"|"+strings.Join(c.QueryAll("a"), ",")+"|"+c.Query("ü")+"|"+c.Query("none"))
	})
	both(a, "/fields", func(c *Ctx) error {
		v, ok := c.Cookie("sid")
		c.AddHeader("x-a", "1")
		c.AddHeader("x-a", "2")
		c.SetCookie(&http.Cookie{Name: "n", Value: "v"})
		return c.Text(200, fmt.Sprint(c.Method(), c.Header("X-In"), v, ok, len(c.RequestID()), c.Host() != "", c.Remote().IsValid()))
	})
	s := start(t, a)
	for _, c := range []struct {
		path, body string
		status     int
		header     string
	}{
		{"/text", "hello", 200, "Content-Type: text/plain; charset=utf-8"},
		{"/html", "<p>", 201, "Content-Type: text/html; charset=utf-8"},
		{"/json", `{"a":1}`, 200, "Content-Type: application/json"},
		{"/bytes", "\x01", 200, "Content-Type: image/x"},
		{"/none", "", 204, ""},
		{"/gone", "", 204, ""},
		{"/to", "", 302, "Location: /x"},
		{"/twice", "b", 200, "Content-Type: text/plain; charset=utf-8"},
		{"/params/x/-7/y/z", "x|-7|y/z||PATH", 200, ""},
		{"/params/a%2Fb/1/", "a/b|1|||PATH", 200, ""},
		{"/params/a%252Fb/1/%25", "a%2Fb|1|%||PATH", 200, ""},
		{"/query?a=1&a=%32+3&%C3%BC=%zz", "2 3|1,2 3|%zz|", 200, ""},
		{"/fields", "GETintrue 32truetrue", 200, "X-A: 1"},
	} {
		for _, prefix := range []string{"", "/inline"} {
			got := ask(t, s, "GET", prefix+c.path, "", "x-in", "in", "cookie", `a=b; sid=""`)
			want := strings.ReplaceAll(c.body, "PATH", prefix+strings.NewReplacer("%252F", "%252F").Replace(c.path))
			if c.path == "/fields" {
				want = "GETintrue32 true true"
				got.body = strings.Join(strings.Fields(got.body), "")
				want = strings.ReplaceAll(want, " ", "")
			}
			if got.status != c.status || got.body != want {
				t.Errorf("%s%s: %d %q %v, want %d %q", prefix, c.path, got.status, got.body, got.err, c.status, want)
			}
			if name, v, ok := strings.Cut(c.header, ": "); ok && got.header.Get(name) != v {
				t.Errorf("%s%s: %s is %q", prefix, c.path, name, got.header.Get(name))
			}
		}
	}
	if got := ask(t, s, "GET", "/fields", ""); !slices.Equal(got.header["X-A"], []string{"1", "2"}) || got.header.Get("Set-Cookie") != "n=v" {
		t.Errorf("fields: %v", got.header)
	}
}

func TestMethods(t *testing.T) {
	a, _ := newTest(t)
	var seen []string
	var mu sync.Mutex
	a.Use(Middleware{Name: "seen", Before: func(c *Ctx) error {
		_, p, _, ok := c.Route()
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(c.Method(), " ", p, ok))
		return nil
	}})
	a.Get("/a", func(c *Ctx) error { return c.Text(200, "a") })
	a.Post("/a", func(c *Ctx) error { return c.Text(200, "p") })
	a.Handle("PURGE", "/a", func(c *Ctx) error { return c.Text(200, "purged") })
	a.Handle("*", "/any", func(c *Ctx) error { return c.Text(200, c.Method()) })
	a.Options("/own", func(c *Ctx) error { return c.Text(200, "mine") })
	s := start(t, a)
	for _, c := range []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"GET", "/a", 200, "a", ""},
		{"HEAD", "/a", 200, "", ""},
		{"POST", "/a", 200, "p", ""},
		{"PURGE", "/a", 200, "purged", ""},
		{"BREW", "/any", 200, "BREW", ""},
		{"OPTIONS", "/a", 204, "", "GET, HEAD, OPTIONS, POST, PURGE"},
		{"OPTIONS", "/own", 200, "mine", ""},
		{"DELETE", "/a", 405, "method_not_allowed", "GET, HEAD, OPTIONS, POST, PURGE"},
		{"BREW", "/a", 405, "method_not_allowed", "GET, HEAD, OPTIONS, POST, PURGE"},
		{"GET", "/a/", 404, "not_found", ""},
		{"OPTIONS", "/none", 404, "not_found", ""},
	} {
		got := ask(t, s, c.method, c.path, "")
		if got.status != c.status || !strings.Contains(got.body, c.body) || got.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q, Allow %q", c.method, c.path, got.status, got.body, got.header.Get("Allow"))
		}
	}
	if n := len(seen); n != 11 {
		t.Errorf("the middleware saw %d of 11 requests: %q", n, seen)
	}
}

func TestHealth(t *testing.T) {
	refuse := Middleware{Name: "auth", Before: func(*Ctx) error { return fault.New(fault.Unauthorized, "") }}
	a, _ := newTest(t)
	a.Use(refuse)
	s := start(t, a)
	if got := ask(t, s, "GET", "/healthz", ""); got.status != 200 {
		t.Errorf("healthz: %d", got.status)
	}
	if got := ask(t, s, "HEAD", "/readyz", ""); got.status != 200 {
		t.Errorf("readyz: %d", got.status)
	}
	a.Draining()
	if got := ask(t, s, "GET", "/readyz", ""); got.status != 503 || !strings.Contains(got.body, "shutting_down") {
		t.Errorf("readyz: %d %s", got.status, got.body)
	}
	own, _ := newTest(t)
	own.Get("/healthz", func(c *Ctx) error { return c.Text(200, "mine") })
	if got := ask(t, start(t, own), "GET", "/healthz", ""); got.body != "mine" {
		t.Errorf("own healthz: %q", got.body)
	}
	without, _ := newTest(t, WithoutHealth())
	if got := ask(t, start(t, without), "GET", "/readyz", ""); got.status != 404 {
		t.Errorf("switched off: %d", got.status)
	}
}

// trace is middleware that notes each of its calls.
func trace(name string, log *[]string) Middleware {
	return Middleware{
		Name:   name,
		Before: func(*Ctx) error { *log = append(*log, name+"<"); return nil },
		After:  func(_ *Ctx, err error) error { *log = append(*log, name+">"); return err },
		Done:   func(*Ctx) { *log = append(*log, name+".") },
	}
}

func TestChain(t *testing.T) {
	var log []string
	a, _ := newTest(t)
	a.Use(trace("app", &log))
	g := a.Group("/g", trace("group", &log))
	inner := g.Group("/{x}")
	stop := Middleware{Name: "stop", Before: func(c *Ctx) error { return c.Text(418, "stopped") },
		After: func(*Ctx, error) error { log = append(log, "never"); return nil }}
	fail := Middleware{Name: "fail", Before: func(*Ctx) error { return fault.New(fault.Forbidden, "no") }}
	work := func(c *Ctx) error { log = append(log, "work"); return c.Text(200, "ok") }
	inner.Get("/pooled", work, With(trace("own", &log)))
	inner.Get("/inline", work, With(trace("own", &log)), Inline())
	inner.HandleAsync("GET", "/async", AsyncFunc(func(c *Ctx) { c.Finish(work(c)) }), With(trace("own", &log)))
	inner.Get("/stop", work, With(stop, trace("own", &log)))
	inner.Get("/fail", work, With(fail, trace("own", &log)))
	inner.Get("/error", func(*Ctx) error { return fault.New(fault.Conflict, "") })
	g.Use(trace("late", &log))
	s := start(t, a)
	const down, up = "app< group< late< ", "late> group> app> "
	const done = "late. group. app."
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/g/1/pooled", 200, down + "own< work own> " + up + "own. " + done},
		{"GET", "/g/1/inline", 200, down + "own< work own> " + up + "own. " + done},
		{"GET", "/g/1/async", 200, down + "own< work own> " + up + "own. " + done},
		{"GET", "/g/1/stop", 418, down + up + done},
		{"GET", "/g/1/fail", 403, down + up + done},
		{"GET", "/g/1/error", 409, down + up + done},
		{"PUT", "/g/1/inline", 405, down + up + done},
		{"OPTIONS", "/g/1/inline", 204, down + up + done},
		{"GET", "/none", 404, "app< app> app."},
	} {
		log = nil
		got := ask(t, s, c.method, c.path, "")
		if have := strings.Join(log, " "); got.status != c.status || have != c.want {
			t.Errorf("%s %s: %d\n have %s\n want %s", c.method, c.path, got.status, have, c.want)
		}
	}
	for _, r := range a.Routes() {
		if r.Pattern == "/g/{x}/async" && (!slices.Equal(r.Middleware, []string{"app", "group", "late", "own"}) || r.Mode != "async") {
			t.Errorf("listed as %+v", r)
		}
	}
}

func TestAfterMayReplaceTheResponse(t *testing.T) {
	boom := errors.New("boom")
	a, l := newTest(t)
	a.Get("/mask", func(*Ctx) error { return boom }, With(Middleware{After: func(c *Ctx, err error) error {
		if c.StatusCode() != 500 || !errors.Is(err, boom) {
			t.Errorf("After saw %d, %v", c.StatusCode(), err)
		}
		return c.Text(200, "masked")
	}}))
	a.Get("/break", func(c *Ctx) error { return c.Text(200, "fine") }, With(Middleware{After: func(c *Ctx, err error) error {
		return fault.New(fault.Conflict, "")
	}}))
	a.Get("/panic", func(c *Ctx) error { return c.Text(200, "fine") }, With(Middleware{After: func(*Ctx, error) error { panic("after") }}))
	a.Get("/field", func(*Ctx) error { return fault.New(fault.NotFound, "") }, With(Middleware{After: func(c *Ctx, err error) error {
		c.SetHeader("x-after", "1")
		return err
	}}))
	s := start(t, a)
	for path, want := range map[string]answer{
		"/mask": {status: 200, body: "masked"}, "/break": {status: 409, body: "conflict"},
		"/panic": {status: 500, body: "internal_error"}, "/field": {status: 404, body: "not_found"},
	} {
		got := ask(t, s, "GET", path, "")
		if got.status != want.status || !strings.Contains(got.body, want.body) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		if path == "/field" && got.header.Get("X-After") != "1" {
			t.Error("the field of After is missing")
		}
	}
	a.faults.wait()
	if strings.Contains(l.String(), "boom") || !strings.Contains(l.String(), "panic: after") {
		t.Errorf("logged: %s", l)
	}
}

func TestWrap(t *testing.T) {
	wrap := Middleware{Name: "tx", Wrap: func(next Handler) Handler {
		return func(c *Ctx) error {
			c.AddHeader("x-order", "outer")
			return next(c)
		}
	}}
	inner := Middleware{Name: "in", Wrap: func(next Handler) Handler {
		return func(c *Ctx) error { c.AddHeader("x-order", "inner"); return next(c) }
	}}
	a, _ := newTest(t)
	a.Get("/w", func(c *Ctx) error { return c.Text(200, "") }, With(wrap, inner))
	if got := ask(t, start(t, a), "GET", "/w", ""); !slices.Equal(got.header["X-Order"], []string{"outer", "inner"}) {
		t.Errorf("order %q", got.header["X-Order"])
	}
	bad, _ := newTest(t)
	bad.Use(wrap)
	bad.Get("/inline", func(c *Ctx) error { return nil }, Inline())
	bad.HandleAsync("GET", "/async", AsyncFunc(func(*Ctx) {}))
	err := bad.Build()
	for _, want := range []string{`"tx"`, "GET /inline at ", "app_test.go:", "GET /async", "is inline", "is async"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestBuildErrors(t *testing.T) {
	h := func(*Ctx) error { return nil }
	a, _ := newTest(t)
	a.Get("/a/{x}", h)
	a.Group("/a").Get("/{y}", h)
	a.Get("nope", h)
	err := a.Build()
	for _, want := range []string{"/a/{y} at ", "conflicts with GET /a/{x} at ", "app_test.go:", "starts with '/'"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	b, _ := newTest(t)
	b.Get("/nil", nil)
	b.Handle("NO WAY", "/m", h)
	if err := b.Build(); err == nil || !strings.Contains(err.Error(), "handler is nil") || !strings.Contains(err.Error(), `"NO WAY" is not a method`) {
		t.Errorf("err = %v", err)
	}
	c, _ := newTest(t)
	if err := c.Build(); err != nil {
		t.Fatal(err)
	}
	c.Get("/late", h)
	if err := c.Build(); err == nil || !strings.Contains(err.Error(), "after the app was built") {
		t.Errorf("err = %v", err)
	}
}

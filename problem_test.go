package covet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/covetpy/covet/fault"
)

type teapot struct{ temperature int }

func (e *teapot) Error() string { return "teapot" }

func TestErrors(t *testing.T) {
	a, l := newTest(t)
	OnError(a, func(c *Ctx, e *teapot) error {
		if e.temperature < 0 {
			return errors.New("rule failed")
		}
		return c.Text(418, fmt.Sprint(e.temperature))
	})
	OnError(a, func(c *Ctx, e *fs.PathError) error { return fault.New(fault.NotFound, "no such file") })
	for path, h := range map[string]Handler{
		"/plain": func(*Ctx) error { return errors.New("secret password") },
		"/fault": func(*Ctx) error {
			return &fault.Error{Code: fault.TooManyRequests, Fields: [][2]string{{"retry-after", "7"}}}
		},
		"/wrapped": func(*Ctx) error { return fmt.Errorf("secret: %w", fault.New(fault.Conflict, "public")) },
		"/panic":   func(*Ctx) error { panic("secret panic") },
		"/tea":     func(*Ctx) error { return fmt.Errorf("brew: %w", &teapot{90}) },
		"/cold":    func(*Ctx) error { return &teapot{-1} },
		"/file":    func(*Ctx) error { return &fs.PathError{Op: "open", Path: "secret", Err: fs.ErrNotExist} },
		"/split":   func(c *Ctx) error { c.SetHeader("x-a", "a\r\nSet-Cookie: b"); return c.Text(200, "x") },
		"/cookie":  func(c *Ctx) error { c.SetCookie(&http.Cookie{Name: "a;b"}); return nil },
		"/status":  func(c *Ctx) error { return c.Text(99, "") },
		"/json":    func(c *Ctx) error { return c.JSON(200, func() {}) },
		"/after": func(c *Ctx) error {
			c.SetHeader("etag", `"1"`)
			c.SetHeader("x-kept", "1")
			_ = c.HTML(200, "page")
			return fault.New(fault.Forbidden, "")
		},
	} {
		both(a, path, h)
	}
	s := start(t, a)
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/plain", 500, "internal_error"}, {"/fault", 429, "too_many_requests"}, {"/wrapped", 409, "public"},
		{"/panic", 500, "internal_error"}, {"/tea", 418, "90"}, {"/cold", 500, "internal_error"},
		{"/file", 404, "no such file"}, {"/split", 500, "internal_error"}, {"/cookie", 500, "internal_error"},
		{"/status", 500, "internal_error"}, {"/json", 500, "internal_error"}, {"/after", 403, "forbidden"},
		{"/missing", 404, "not_found"},
	} {
		for _, prefix := range []string{"", "/inline"} {
			got := ask(t, s, "GET", prefix+c.path, "")
			if got.status != c.status || !strings.Contains(got.body, c.body) || strings.Contains(got.body, "secret") {
				t.Errorf("%s%s: %d %s", prefix, c.path, got.status, got.body)
			}
			if got.header.Get("Set-Cookie") != "" || got.header.Get("Etag") != "" {
				t.Errorf("%s: fields %v", c.path, got.header)
			}
			if c.path == "/fault" && got.header.Get("Retry-After") != "7" || c.path == "/after" && got.header.Get("X-Kept") != "1" {
				t.Errorf("%s: fields %v", c.path, got.header)
			}
		}
	}
	a.faults.wait()
	for _, want := range []string{"secret password", "secret panic", "problem_test.go", "rule failed", "path=/inline/plain", "x-a"} {
		if !strings.Contains(l.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	for _, not := range []string{"path=/wrapped", "path=/fault", "path=/missing"} {
		if strings.Contains(l.String(), not) {
			t.Errorf("the log says %q", not)
		}
	}
	if n := strings.Count(l.String(), "path=/plain"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

func TestErrorBodies(t *testing.T) {
	a, _ := newTest(t)
	s := start(t, a)
	plain := ask(t, s, "GET", "/x", "")
	var body struct {
		Error struct {
			Code      string `json:"code"`
			RequestID string `json:"request_id"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(plain.body), &body); err != nil || body.Error.Code != "not_found" || len(body.Error.RequestID) != 32 {
		t.Errorf("%s: %v", plain.body, err)
	}
	problem := ask(t, s, "GET", "/x", "", "accept", "text/html, Application/Problem+JSON;q=1")
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	if err := json.Unmarshal([]byte(problem.body), &p); err != nil || p.Status != 404 || p.Title != "Not Found" || p.Code != "not_found" {
		t.Errorf("%s: %v", problem.body, err)
	}
	if ct := problem.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q", ct)
	}
}

func TestAbort(t *testing.T) {
	a, l := newTest(t)
	both(a, "/abort", func(*Ctx) error { panic(http.ErrAbortHandler) })
	s := start(t, a)
	for _, path := range []string{"/abort", "/inline/abort"} {
		if got := ask(t, s, "GET", path, ""); got.err == nil {
			t.Errorf("%s: answered %d", path, got.status)
		}
	}
	if strings.Contains(l.String(), "request failed") {
		t.Errorf("logged %s", l)
	}
}

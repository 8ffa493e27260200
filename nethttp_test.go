package covet

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestFromHTTP(t *testing.T) {
	a, _ := newTest(t)
	a.Handle("*", "/h/{name}/{rest...}", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		w.Header().Set("X-Info", fmt.Sprint(r.Method, r.PathValue("name"), r.PathValue("rest"), r.URL.Query().Get("q"),
			r.Header.Get("X-In"), r.Host != "", r.RemoteAddr != "", len(b), r.Proto))
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "<html>hi")
	})))
	a.Get("/sniff", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>hi") })))
	a.Get("/empty", FromHTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	a.Get("/flush", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "a")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "b")
	})))
	a.Get("/big", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 100_000))
	})))
	a.Get("/split", FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", "a\nb")
		fmt.Fprint(w, "x")
	})))
	a.Get("/inline", FromHTTP(http.NotFoundHandler()), Inline())
	s := start(t, a)
	got := ask(t, s, "PUT", "/h/n/a/b?q=1", "body", "x-in", "in")
	if got.status != 202 || got.header.Get("X-Info") != "PUTna/b1intrue true 4HTTP/1.1" {
		t.Errorf("%d %q", got.status, got.header.Get("X-Info"))
	}
	if len(got.header["X-Two"]) != 2 || got.body != "<html>hi" {
		t.Errorf("%v %q", got.header, got.body)
	}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/sniff", "<html>hi", 200}, {"/empty", "", 200}, {"/flush", "ab", 200}, {"/big", strings.Repeat("x", 100_000), 200},
		{"/split", "internal_error", 500}, {"/inline", "internal_error", 500},
	} {
		got := ask(t, s, "GET", c.path, "")
		if got.status != c.status || got.body != c.body && c.status == 200 {
			t.Errorf("%s: %d, %d bytes", c.path, got.status, len(got.body))
		}
	}
	if got := ask(t, s, "GET", "/sniff", ""); got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("sniffed %q", got.header.Get("Content-Type"))
	}
	if got := ask(t, s, "HEAD", "/big", ""); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
}

func TestToHTTPBehindStripPrefix(t *testing.T) {
	a, _ := newTest(t)
	a.Get("/users/{id}", func(c *Ctx) error { return c.Text(200, c.Param("id")) })
	h, err := ToHTTP(a)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := newTest(t)
	b.Get("/api/{rest...}", FromHTTP(http.StripPrefix("/api", h)))
	if got := ask(t, start(t, b), "GET", "/api/users/7", ""); got.body != "7" {
		t.Errorf("%d %q", got.status, got.body)
	}
}

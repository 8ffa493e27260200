package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestHello(t *testing.T) {
	for _, transport := range []string{"auto", "epoll", "net"} {
		t.Run(transport, func(t *testing.T) {
			s := start(t, "examples/hello/app.py:app", "--workers", "2", "--transport", transport)
			if a := s.get("/users/42"); a.Status != 200 || a.json(t)["id"] != 42.0 {
				t.Errorf("GET /users/42: %d %s", a.Status, a.Body)
			}
			a := s.get("/users/x")
			if a.Status != 422 {
				t.Fatalf("GET /users/x: %d %s", a.Status, a.Body)
			}
			p := a.problem(t)
			var details []struct{ Field, Reason, Type string }
			if err := json.Unmarshal(p.Error.Details, &details); err != nil || len(details) != 1 {
				t.Fatalf("details %s: %v", p.Error.Details, err)
			}
			if d := details[0]; d.Field != "path.id" || d.Reason == "" || d.Type != "int" {
				t.Errorf("details name %+v", d)
			}
			if a := s.get("/nothing/here"); a.Status != 404 || a.problem(t).Error.Code != "not_found" {
				t.Errorf("GET /nothing/here: %d %s", a.Status, a.Body)
			}
			if a := s.do("DELETE", "/users/42", nil); a.Status != 405 || !strings.Contains(a.Header.Get("Allow"), "GET") {
				t.Errorf("DELETE /users/42: %d, Allow %q", a.Status, a.Header.Get("Allow"))
			}
		})
	}
}

// The ways to start the same application.
func TestWaysToStart(t *testing.T) {
	hello := filepath.Join(root(t), "examples", "hello")
	for name, args := range map[string][]string{
		"binary with a module":  {binary(t), "run", "app:app", "--python", python(t), "--port", "0", "--workers", "1"},
		"python -m covet":       {python(t), "-m", "covet", "run", "app:app", "--port", "0", "--workers", "1"},
		"python app.py":         {python(t), "app.py"},
		"binary without a name": {binary(t), "run", "app", "--python", python(t), "--port", "0", "--workers", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("COVET_PORT", "0")
			t.Setenv("COVET_BINARY", binary(t))
			s := launch(t, hello, args[0], args[1:]...)
			s.awaitReady()
			if a := s.get("/users/7"); a.Status != 200 || a.json(t)["id"] != 7.0 {
				t.Errorf("GET /users/7: %d %s", a.Status, a.Body)
			}
		})
	}
}

func TestShop(t *testing.T) {
	s := start(t, "examples/shop/app.py:app", "--workers", "1")
	if a := s.get("/"); a.Status != 200 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("GET /: %d %q", a.Status, a.Header.Get("Content-Type"))
	}
	if a := s.get("/products"); a.Status != 200 || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		t.Errorf("GET /products: %d %s", a.Status, a.Body)
	}
	if a := s.get("/products/999999"); a.Status != 404 {
		t.Errorf("GET /products/999999: %d %s", a.Status, a.Body)
	}
	if a := s.get("/products/x"); a.Status != 422 {
		t.Errorf("GET /products/x: %d %s", a.Status, a.Body)
	}
}

// A Go program with Go routes and a Python application in one tree.
func TestHybrid(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "hybrid")
	build := exec.Command("go", "build", "-o", program, "./examples/hybrid")
	build.Dir = root(t)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("COVET_PYTHON", python(t))
	s := launch(t, filepath.Join(root(t), "examples", "hybrid"), program, "127.0.0.1:0")
	s.awaitReady()
	for path, want := range map[string]string{"/go/hello": "go", "/py/users/5": "5", "/http/": "net/http"} {
		if a := s.get(path); a.Status != 200 || !bytes.Contains(a.Body, []byte(want)) {
			t.Errorf("GET %s: %d %s", path, a.Status, a.Body)
		}
	}
	if a := s.get("/py/users/x"); a.Status != 422 {
		t.Errorf("GET /py/users/x: %d %s", a.Status, a.Body)
	}
}

func TestHandlers(t *testing.T) {
	s := start(t, faults, "--workers", "1")
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/started", "", 200, `{"started":true}`},
		{"GET", "/sync", "", 200, `"pid"`},
		{"GET", "/slow?ms=1", "", 200, `"pid"`},
		{"GET", "/slow?ms=x", "", 422, `"query.ms"`},
		{"POST", "/echo", "hello", 200, "hello"},
		{"POST", "/upload", strings.Repeat("x", 300_000), 200, `{"bytes":300000}`},
		{"GET", "/stream?pieces=100&size=10000", "", 200, strings.Repeat("x", 1_000_000)},
		{"GET", "/missing", "", 404, "no such thing"},
		{"GET", "/error", "", 500, "internal_error"},
		{"GET", "/unserializable", "", 500, "internal_error"},
	} {
		a := s.do(c.method, c.path, strings.NewReader(c.body))
		if a.Status != c.status || !bytes.Contains(a.Body, []byte(c.want)) {
			t.Errorf("%s %s: %d %.200s", c.method, c.path, a.Status, a.Body)
		}
		if bytes.Contains(a.Body, []byte("secret")) {
			t.Errorf("%s %s: the client sees inner details: %s", c.method, c.path, a.Body)
		}
	}
	s.awaitLog("the secret is 42")
	// The log names the handler, the type and the path to the value.
	for _, text := range []string{"unserializable", "object", "$.items[1].bad"} {
		s.awaitLog(text)
	}
	// A stream that breaks must not look complete.
	r, err := http.Get(s.URL + "/broken-stream")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(r.Body); err == nil {
		t.Errorf("the broken stream ended properly after %d bytes", got.Len())
	}
	if a := s.get("/pid"); a.Status != 200 {
		t.Errorf("after all that: %d", a.Status)
	}
}

func TestRoutesAndDoctor(t *testing.T) {
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(binary(t), append(args, "--python", python(t))...)
		cmd.Dir = root(t)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("covet %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	plain := run("routes", "examples/shop/app.py:app", "-v")
	for _, want := range []string{"/products/{id}", "products.get_product", filepath.Join("examples", "shop", "products.py") + ":"} {
		if !strings.Contains(plain, want) {
			t.Errorf("the list does not name %q:\n%s", want, plain)
		}
	}
	var table struct {
		Routes []struct{ Path string }
	}
	if err := json.Unmarshal([]byte(run("routes", "examples/shop/app.py:app", "--json")), &table); err != nil || len(table.Routes) < 5 {
		t.Errorf("%d routes, %v", len(table.Routes), err)
	}
	var findings []struct {
		Name       string
		OK, Needed bool
	}
	if err := json.Unmarshal([]byte(run("doctor", "--json")), &findings); err != nil || len(findings) < 5 {
		t.Errorf("%d findings, %v", len(findings), err)
	}
	for _, f := range findings {
		if f.Needed && !f.OK {
			t.Errorf("%s is needed and missing", f.Name)
		}
	}
}

package bridge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/worker"
	"github.com/covetpy/covet/internal/worker/workertest"
)

func TestMain(m *testing.M) {
	workertest.Main()
	os.Exit(m.Run())
}

// patience bounds every wait. It only ever ends a test that has failed.
const patience = 30 * time.Second

// fake is an application whose workers are this binary.
func fake(t testing.TB, target string, workers int) *Application {
	t.Helper()
	python, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{
		Spec:   worker.Spec{Target: target + ":app", Python: python, Workers: workers},
		Policy: worker.Policy{BackoffMin: time.Millisecond, DrainTimeout: patience},
		Log:    slog.New(slog.DiscardHandler),
	})
}

// served is an app that runs.
type served struct {
	t      *testing.T
	url    string
	client *http.Client
	// ended brings what Serve returned.
	ended chan error
}

// serve runs the app on loopback and returns when it answers.
func serve(t *testing.T, a *covet.App) *served {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l, err := transport.Open(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, url: "http://" + l.Addr().String(), client: &http.Client{Transport: &http.Transport{}, Timeout: patience}, ended: make(chan error, 1)}
	running := make(chan error, 1)
	go func() { running <- a.Serve(ctx, l) }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	})
	go func() { s.ended <- <-running }()
	// The kernel queues the first connection until the start hooks have run.
	eventually(t, "it is ready", func() bool {
		status, _ := s.ask("GET", "/readyz")
		return status == 200
	})
	return s
}

func (s *served) do(method, path string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp
}

func (s *served) ask(method, path string) (status int, body string) {
	s.t.Helper()
	resp := s.do(method, path)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return resp.StatusCode, string(b)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func quiet() covet.Option { return covet.WithLogger(slog.New(slog.DiscardHandler)) }

func TestPythonRoutesInAGoTree(t *testing.T) {
	a := covet.New(quiet())
	var before, after, done atomic.Int64
	a.Use(covet.Middleware{
		Name:   "count",
		Before: func(*covet.Ctx) error { before.Add(1); return nil },
		After: func(c *covet.Ctx, err error) error {
			after.Add(1)
			c.SetHeader("x-after", "yes")
			return err
		},
		Done: func(*covet.Ctx) { done.Add(1) },
	})
	a.Get("/go", func(c *covet.Ctx) error { return c.Text(200, "go") })
	py := fake(t, "good", 2)
	if py.Workers() != nil || py.Restarts() != 0 || py.Reload(t.Context()) == nil {
		t.Error("workers before the start")
	}
	a.Mount("/py", py)
	s := serve(t, a)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/go", 200, "go"},
		{"GET", "/py/echo/there", 200, "there"},
		{"POST", "/py/echo/there", 200, "there"},
		{"GET", "/py/stream", 200, "one two three"},
		{"GET", "/py/error", 409, "it was there before"},
		{"DELETE", "/py/stream", 405, ""},
		{"GET", "/py/none", 404, ""},
		{"GET", "/echo/there", 404, ""},
	} {
		b, f, d := before.Load(), after.Load(), done.Load()
		resp := s.do(c.method, c.path)
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(body), c.body) || resp.Header.Get("X-After") != "yes" {
			t.Errorf("%s %s: %d %q %v %v", c.method, c.path, resp.StatusCode, body, resp.Header, err)
		}
		eventually(t, "the chain has run once, all of it", func() bool {
			return before.Load() == b+1 && after.Load() == f+1 && done.Load() == d+1
		})
	}
	if list := py.Workers(); len(list) != 2 || list[0].State != "ready" {
		t.Errorf("%+v", list)
	}
}

func TestMiddlewareAnswersInPythonsPlace(t *testing.T) {
	a := covet.New(quiet())
	a.Use(covet.Middleware{
		Name: "gate",
		Before: func(c *covet.Ctx) error {
			if c.Path() == "/echo/shut" {
				return c.Text(403, "shut")
			}
			return nil
		},
		After: func(c *covet.Ctx, err error) error {
			if c.Path() == "/stream" {
				return c.Text(418, "not this stream")
			}
			return err
		},
	})
	py := fake(t, "good", 1)
	a.Mount("/", py)
	s := serve(t, a)
	for path, want := range map[string]string{"/echo/shut": "shut", "/stream": "not this stream", "/echo/open": "open"} {
		if _, body := s.ask("GET", path); body != want {
			t.Errorf("%s: %q", path, body)
		}
	}
	eventually(t, "the worker is told that nobody wants its stream", func() bool { return py.Workers()[0].InFlight == 0 })
}

func TestClientGone(t *testing.T) {
	a := covet.New(quiet())
	var done atomic.Int64
	a.Use(covet.Middleware{Name: "done", Done: func(*covet.Ctx) { done.Add(1) }})
	py := fake(t, "good", 1)
	a.Mount("/", py)
	s := serve(t, a)
	n := done.Load()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /forever HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len("begun"))
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "begun" {
		t.Fatalf("%q, %v", b, err)
	}
	if py.Workers()[0].InFlight != 1 {
		t.Error("the stream is not in flight")
	}
	// A reset: the mere end of its sending side would leave it the right to read on.
	if err := errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close()); err != nil {
		t.Error(err)
	}
	eventually(t, "the worker gives the stream up", func() bool { return py.Workers()[0].InFlight == 0 })
	eventually(t, "the chain ends", func() bool { return done.Load() == n+1 })
}

func TestLostWorker(t *testing.T) {
	a := covet.New(quiet())
	py := fake(t, "good", 1)
	a.Mount("/", py)
	s := serve(t, a)
	if status, body := s.ask("POST", "/exit"); status != 502 || !strings.Contains(body, "worker_lost") && !strings.Contains(body, "502") {
		t.Errorf("%d %q", status, body)
	}
	if status, body := s.ask("GET", "/echo/again"); status != 200 || body != "again" { // waits for the next worker
		t.Errorf("%d %q", status, body)
	}
	if py.Restarts() != 1 {
		t.Errorf("%d restarts", py.Restarts())
	}
}

// TestReload swaps the routes under load: no request fails.
func TestReload(t *testing.T) {
	a := covet.New(quiet())
	py := fake(t, "changes-later", 2) // two at once: the later ones have numbers above 1
	py.cfg.Spec.Workers = 1
	a.Mount("/", py)
	s := serve(t, a)
	if status, _ := s.ask("GET", "/new"); status != 404 {
		t.Errorf("the new route answers %d before the reload", status)
	}
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if status, body := s.ask("GET", "/echo/x"); status != 200 || body != "x" {
					t.Errorf("%d %q", status, body)
				}
			}
		})
	}
	for range 3 {
		if err := py.Reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
	if status, _ := s.ask("GET", "/new"); status != 200 {
		t.Errorf("the new route answers %d after the reload", status)
	}
	if list := py.Workers(); len(list) != 1 || list[0].Generation != 4 {
		t.Errorf("%+v", list)
	}
}

func TestConflictOnReloadChangesNothing(t *testing.T) {
	a := covet.New(quiet())
	a.Get("/go", func(c *covet.Ctx) error { return c.Text(200, "go") })
	py := fake(t, "conflicts-later", 1)
	a.Mount("/", py)
	s := serve(t, a)
	var e *worker.StartError
	err := py.Reload(t.Context())
	if !errors.As(err, &e) || e.Stage != "routes" || !strings.Contains(e.Message, "fake.py:16") || !strings.Contains(e.Message, "application_test.go:") {
		t.Errorf("%v", err)
	}
	for path, want := range map[string]string{"/go": "go", "/echo/x": "x"} {
		if status, body := s.ask("GET", path); status != 200 || body != want {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	if list := py.Workers(); len(list) != 1 || list[0].ID != 1 {
		t.Errorf("%+v", list)
	}
}

func TestStartFails(t *testing.T) {
	for target, want := range map[string]string{
		"conflict":     "fake.py:16",
		"fails-import": "no module named shop",
		"nosuch":       "no module named nosuch",
	} {
		t.Run(target, func(t *testing.T) {
			var log bytes.Buffer
			a := covet.New(covet.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			a.Get("/go", func(c *covet.Ctx) error { return c.Text(200, "go") })
			a.Mount("/", fake(t, target, 1))
			l, err := transport.Open(t.Context(), "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			err = a.Serve(t.Context(), l)
			var e *worker.StartError
			if !errors.As(err, &e) || !strings.Contains(e.Message, want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestMountFails(t *testing.T) {
	t.Run("twice", func(t *testing.T) {
		a, py := covet.New(quiet()), fake(t, "good", 1)
		a.Mount("/a", py)
		a.Mount("/b", py)
		if err := a.Build(); err == nil || !strings.Contains(err.Error(), "mounted twice") {
			t.Errorf("%v", err)
		}
	})
	t.Run("no interpreter", func(t *testing.T) {
		a := covet.New(quiet())
		a.Mount("/", Python("good:app", Interpreter("/nonexistent/python"), Workers(1), Logger(slog.New(slog.DiscardHandler))))
		var e *worker.StartError
		if err := a.Build(); !errors.As(err, &e) || e.Stage != "interpreter" {
			t.Errorf("%v", err)
		}
	})
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	for target, want := range map[string]string{
		"shop":            "shop:app",
		"shop.web:site.a": "shop.web:site.a",
		"web.py":          dir + "/web.py:app",
		"web/app.py:x":    dir + "/web/app.py:x",
		"/abs/app.py":     "/abs/app.py:app",
		"shop:":           "shop:app",
	} {
		a := fake(t, target, 1)
		a = New(Config{Spec: worker.Spec{Target: target, Dir: dir, Python: a.cfg.Spec.Python}})
		s, err := a.Spec()
		if err != nil || s.Target != want || s.Dir != dir || s.Workers < 1 {
			t.Errorf("%s: %+v, %v", target, s, err)
		}
	}
}

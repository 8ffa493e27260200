package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts a server and returns settings that load it.
func serve(t *testing.T, h http.HandlerFunc) settings {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return settings{
		addr: strings.TrimPrefix(s.URL, "http://"), connections: 4, depth: 1, warmup: 20 * time.Millisecond,
		length: 200 * time.Millisecond, timeout: 5 * time.Second,
	}
}

func measured(t *testing.T, s settings, asks ...ask) *report {
	t.Helper()
	l, err := newLoop(s, asks)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var out bytes.Buffer
	r, err := l.measure(&out)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != "BEGIN\nEND\n" {
		t.Errorf("printed %q", out.String())
	}
	return r
}

func get(path, body string) ask {
	return ask{Head: []byte("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"), Status: 200, Body: []byte(body)}
}

func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }

func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*settings)
	}{
		{"one by one", func(*settings) {}},
		{"pipelined", func(s *settings) { s.depth = 16 }},
		{"new connections", func(s *settings) { s.perConn = 10 }},
		{"at a rate", func(s *settings) { s.rate = 500 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, echo)
			c.change(&s)
			r := measured(t, s, get("/a", "/a"), get("/bb", "/bb"))
			if r.Failed > 0 || r.Requests == 0 {
				t.Fatalf("%+v", r)
			}
			if s.perConn > 0 && r.Opened < 5 {
				t.Errorf("%d connections", r.Opened)
			}
			// 100 were due; an overloaded machine may answer some of them later, but every one is in the latencies.
			if s.rate > 0 && r.Requests > 105 {
				t.Errorf("%d requests at %v a second", r.Requests, s.rate)
			}
		})
	}
}

func TestLongBodies(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if n != 3_000_000 {
			w.WriteHeader(400)
		}
		_, _ = io.WriteString(w, "ok")
	})
	a := ask{Head: []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"), Fill: 3_000_000, Status: 200, Body: []byte("ok")}
	if r := measured(t, s, a); r.Failed > 0 || r.Requests == 0 {
		t.Fatalf("%+v", r)
	}
}

func TestWrongAnswersCount(t *testing.T) {
	var n atomic.Int64
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		body := "right"
		if n.Add(1)%50 == 0 {
			body = "wrong"
		}
		_, _ = io.WriteString(w, body)
	})
	r := measured(t, s, get("/", "right"))
	if r.Failed == 0 || r.Failure != errBody.Error() {
		t.Fatalf("%+v", r)
	}
}

// A server that stops for a while makes every request late that was due meanwhile: all of them are in the latencies,
// not just those that were under way.
func TestOmission(t *testing.T) {
	var stopped atomic.Bool
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if stopped.CompareAndSwap(false, true) {
			time.Sleep(300 * time.Millisecond)
		}
		_, _ = io.WriteString(w, "ok")
	})
	s.connections, s.rate, s.warmup, s.length = 1, 1000, 0, 400*time.Millisecond
	l, err := newLoop(s, []ask{get("/", "ok")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	r, err := l.measure(io.Discard)
	if err != nil || r.Failed > 0 {
		t.Fatal(r, err)
	}
	if l.latency.total < 395 {
		t.Errorf("%d of 400 requests are in the latencies", l.latency.total)
	}
	// Requests were due for 300 ms while nothing was answered: half of them waited longer than 100 ms.
	if r.P50 < int64(100*time.Millisecond) {
		t.Errorf("p50 %v", time.Duration(r.P50))
	}
}

func TestHold(t *testing.T) {
	s := serve(t, echo)
	s.connections, s.idle = 300, true
	l, err := newLoop(s, []ask{get("/", "/")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var out bytes.Buffer
	r, err := l.hold(strings.NewReader("\n"), &out)
	if err != nil || r.Alive != 300 || out.String() != "BEGIN\nEND\n" {
		t.Fatal(r, err, out.String())
	}
}

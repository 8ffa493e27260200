package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

var errEOF = io.EOF

// The short forms run always; the long ones when COVET_SOAK is set (make soak).
func soak(short, long int) int {
	if os.Getenv("COVET_SOAK") != "" {
		return long
	}
	return short
}

// A streamed upload runs in bounded memory.
func TestSoakUpload(t *testing.T) { upload(t, int64(soak(256<<20, 1<<30))) }

// Idle connections hold little memory.
func TestSoakIdle(t *testing.T) {
	n := soak(1000, 10000)
	s := start(t, faults, "--workers", "1")
	l := startLoad(t, s, 64, request("GET", "/users/1"))
	l.awaitMore(t, 5000)
	l.finish()
	pid := s.status().PID
	before := memory(t, pid)
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	buf := make([]byte, 4096)
	for range n {
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		// Each has served a request: it is a kept-alive connection, not a fresh one.
		if _, err := io.WriteString(c, request("GET", "/users/1")); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	grown := memory(t, pid) - before
	t.Logf("%d idle connections: %d bytes of engine memory each", n, grown/int64(n))
	if per := grown / int64(n); n >= 10000 && per > 4<<10 {
		t.Errorf("an idle connection holds %d bytes", per)
	}
}

// Memory and descriptors return to the start after many requests of mixed kinds.
func TestSoakLeaks(t *testing.T) {
	n := soak(50_000, 1_000_000)
	s := start(t, faults, "--workers", "1")
	st := s.status()
	engine, worker := st.PID, st.Workers[0].PID
	run := func(n int) {
		l := startLoad(t, s, 32, request("GET", "/users/42")+request("GET", "/users/x")+request("GET", "/nothing")+
			"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello")
		l.awaitMore(t, n)
		if _, broken := l.finish(); len(broken) > 0 {
			t.Fatalf("%d connections broke, first: %s", len(broken), broken[0])
		}
	}
	run(max(n/10, 20_000)) // warm-up: pools, caches, the interpreter's arenas
	em, wm, ef := memory(t, engine), memory(t, worker), descriptors(t, engine)
	run(n)
	await(t, "descriptors are back", func() bool { return descriptors(t, engine) <= ef })
	eg, wg := memory(t, engine)-em, memory(t, worker)-wm
	t.Logf("%d requests: engine grew by %d KiB, worker by %d KiB", n, eg>>10, wg>>10)
	if wg > 4<<20 || eg > 16<<20 {
		t.Errorf("memory grew: engine %d KiB, worker %d KiB", eg>>10, wg>>10)
	}
}

func descriptors(t testing.TB, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

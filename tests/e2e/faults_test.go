package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A worker killed under load costs at most the requests that were in flight on it, each one 502; reads are retried.
func TestKillUnderLoad(t *testing.T) {
	for _, c := range []struct {
		name, request string
		retried       bool
	}{
		{"reads", request("GET", "/slow?ms=5"), true},
		{"writes", "POST /slow-post?ms=5 HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, faults, "--workers", "2", "--dispatch", "least-loaded")
			l := startLoad(t, s, 32, c.request)
			const kills = 3
			for range kills {
				l.awaitMore(t, 500)
				st := s.status()
				victim := st.Workers[0]
				if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				await(t, "the worker is back", func() bool {
					now := s.status()
					ready := 0
					for _, w := range now.Workers {
						if w.State == "ready" && w.PID != victim.PID {
							ready++
						}
					}
					return ready == 2
				})
			}
			l.awaitMore(t, 500)
			status, broken := l.finish()
			t.Logf("answers by status: %v", status)
			if len(broken) > 0 {
				t.Errorf("%d connections broke, first: %s", len(broken), broken[0])
			}
			for code, n := range status {
				switch {
				case code == 200:
				case code == 502 && !c.retried && n <= kills*32:
				case code == 502 && c.retried: // a request may meet two deaths: it is retried once only
					if n > kills {
						t.Errorf("%d reads were not retried", n)
					}
				default:
					t.Errorf("%d answers with status %d", n, code)
				}
			}
			if s.status().Restarts != kills {
				t.Errorf("%d restarts, want %d", s.status().Restarts, kills)
			}
		})
	}
}

// A handler that kills its own worker is answered 502, after one retry elsewhere, and the server lives on.
func TestCrash(t *testing.T) {
	s := start(t, faults, "--workers", "2")
	a := s.get("/crash")
	if a.Status != 502 || a.problem(t).Error.Code != "worker_lost" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.get("/pid"); a.Status != 200 {
		t.Errorf("afterwards: %d %s", a.Status, a.Body)
	}
}

// Ten reloads under load lose nothing.
func TestReloadUnderLoad(t *testing.T) {
	s := start(t, faults, "--workers", "2")
	l := startLoad(t, s, 64, request("GET", "/users/42"))
	for i := range 10 {
		l.awaitMore(t, 1000)
		if i%2 == 0 {
			if out, err := s.covet("reload", "--address", s.Addr); err != nil {
				t.Fatalf("covet reload: %v: %s", err, out)
			}
			continue
		}
		before := s.status().Workers[0].Generation
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		await(t, "SIGHUP has reloaded", func() bool { return s.status().Workers[0].Generation > before })
	}
	l.awaitMore(t, 1000)
	status, broken := l.finish()
	t.Logf("answers by status: %v", status)
	if len(broken) > 0 {
		t.Errorf("%d connections broke, first: %s", len(broken), broken[0])
	}
	if len(status) != 1 || status[200] == 0 {
		t.Errorf("answers by status: %v", status)
	}
}

// SIGTERM lets requests in flight finish, and only them.
func TestDrain(t *testing.T) {
	s := start(t, faults, "--workers", "1")
	slow := make(chan answer, 1)
	go func() { slow <- s.get("/slow?ms=1500") }()
	await(t, "the request is in flight", func() bool { return s.status().Workers[0].InFlight == 1 })
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", s.Addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if a := <-slow; a.Status != 200 {
		t.Errorf("the request in flight: %d %s", a.Status, a.Body)
	}
	<-s.exited
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestHandlerTimeout(t *testing.T) {
	s := start(t, faults, "--workers", "1", "--handler-timeout", "300ms")
	a := s.get("/wait?name=timeout")
	if a.Status != 504 || a.problem(t).Error.Code != "handler_timeout" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	await(t, "the task is cancelled", func() bool { return strings.Contains(string(s.get("/cancelled").Body), "timeout") })
}

// A client that leaves cancels its task.
func TestClientGone(t *testing.T) {
	s := start(t, faults, "--workers", "1")
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		await(t, "the request is in flight", func() bool { return s.status().Workers[0].InFlight == 1 })
		cancel()
	}()
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/wait?name=gone", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(r); err == nil {
		resp.Body.Close()
		t.Fatalf("answered %d", resp.StatusCode)
	}
	await(t, "the task is cancelled", func() bool { return strings.Contains(string(s.get("/cancelled").Body), "gone") })
}

// A handler that blocks the event loop takes its worker out of service; others go on; it comes back by itself.
func TestBlockedLoop(t *testing.T) {
	s := start(t, faults, "--workers", "2", "--blocked-after", "200ms", "--blocked-limit", "30s")
	blocked := make(chan answer, 1)
	go func() { blocked <- s.get("/block?ms=3000") }()
	await(t, "a worker is busy", func() bool {
		for _, w := range s.status().Workers {
			if w.State == "busy" {
				return true
			}
		}
		return false
	})
	for range 50 {
		if a := s.get("/pid"); a.Status != 200 {
			t.Fatalf("meanwhile: %d %s", a.Status, a.Body)
		}
	}
	s.awaitLog("blocks the event loop")
	s.awaitLog("in block") // the stacks name the function that blocks
	if a := <-blocked; a.Status != 200 {
		t.Errorf("the blocking request: %d %s", a.Status, a.Body)
	}
	await(t, "the worker is ready again", func() bool {
		for _, w := range s.status().Workers {
			if w.State != "ready" {
				return false
			}
		}
		return true
	})
}

// One that goes on blocking has its worker replaced, and is answered 502.
func TestBlockedForGood(t *testing.T) {
	s := start(t, faults, "--workers", "2", "--blocked-after", "200ms", "--blocked-limit", "600ms")
	a := s.do("POST", "/block-post", nil)
	if a.Status != 404 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	a = s.get("/block?ms=60000")
	if a.Status != 502 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	await(t, "both workers are ready", func() bool {
		n := 0
		for _, w := range s.status().Workers {
			if w.State == "ready" {
				n++
			}
		}
		return n == 2
	})
}

// When no worker can take more, requests wait, and over the queue's bound they are refused with Retry-After.
func TestQueueFull(t *testing.T) {
	s := start(t, faults, "--workers", "1", "--credit", "2", "--queue", "2", "--loops", "1")
	var mu sync.Mutex
	codes := map[int]int{}
	var retry string
	var wg sync.WaitGroup
	for range 12 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			a := s.get("/slow?ms=500")
			mu.Lock()
			defer mu.Unlock()
			codes[a.Status]++
			if a.Status == 503 {
				retry = a.Header.Get("Retry-After")
			}
		}()
	}
	wg.Wait()
	if codes[200] < 4 || codes[503] < 1 || codes[200]+codes[503] != 12 {
		t.Errorf("answers by status: %v", codes)
	}
	if retry == "" {
		t.Error("503 without Retry-After")
	}
}

// Workers are replaced after so many requests, without a lost request.
func TestRecycling(t *testing.T) {
	s := start(t, faults, "--workers", "2", "--max-requests", "300")
	l := startLoad(t, s, 16, request("GET", "/users/1"))
	pids := map[int]bool{}
	await(t, "six different workers have served", func() bool {
		for _, w := range s.status().Workers {
			pids[w.PID] = true
		}
		return len(pids) >= 6
	})
	status, broken := l.finish()
	if len(broken) > 0 || len(status) != 1 || status[200] == 0 {
		t.Errorf("answers by status: %v, %d connections broke", status, len(broken))
	}
}

// With SIGSTOP a worker hangs without dying: its requests time out, the others are served.
func TestStoppedWorker(t *testing.T) {
	s := start(t, faults, "--workers", "2", "--dispatch", "round-robin", "--handler-timeout", "500ms")
	victim := s.status().Workers[0].PID
	if err := syscall.Kill(victim, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	codes := map[int]int{}
	for range 6 {
		codes[s.get("/pid").Status]++
	}
	if codes[200] == 0 || codes[200]+codes[504] != 6 {
		t.Errorf("answers by status: %v", codes)
	}
	if err := syscall.Kill(victim, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await(t, "both serve again", func() bool {
		seen := map[any]bool{}
		for range 8 {
			a := s.get("/pid")
			if a.Status != 200 {
				return false
			}
			var v map[string]any
			if json.Unmarshal(a.Body, &v) != nil {
				return false
			}
			seen[v["pid"]] = true
		}
		return len(seen) == 2
	})
}

// The engine killed: its workers must not stay behind.
func TestEngineKilled(t *testing.T) {
	s := start(t, faults, "--workers", "2")
	workers := s.status().Workers
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.exited
	for _, w := range workers {
		await(t, "the worker has ended", func() bool { return syscall.Kill(w.PID, 0) != nil })
	}
}

func upload(t *testing.T, total int64) {
	s := start(t, faults, "--workers", "1", "--max-body", "4G")
	// One upload before the measure, so that pools and the interpreter have their working set.
	s.do("POST", "/upload", bytes.NewReader(make([]byte, 8<<20)))
	st := s.status()
	before := memory(t, st.PID) + memory(t, st.Workers[0].PID)
	var most int64
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, memory(t, st.PID)+memory(t, st.Workers[0].PID))
			}
		}
	}()
	a := s.do("POST", "/upload", &zeros{total})
	close(stop)
	<-watched
	if a.Status != 200 || a.json(t)["bytes"] != float64(total) {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	growth := most - before
	t.Logf("%d MiB uploaded; engine and worker grew by %.1f MiB at most", total>>20, float64(growth)/(1<<20))
	if growth > 100<<20 {
		t.Errorf("memory grew by %d MiB", growth>>20)
	}
}

// zeros is a body of so many bytes, sent chunked.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, errEOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

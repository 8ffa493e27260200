package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests. It is generous: it only ever ends a test that has failed.
const patience = 60 * time.Second

// root is the repository.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func fromEnv(t testing.TB, name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return filepath.Join(root(t), otherwise)
}

func binary(t testing.TB) string { return fromEnv(t, "COVET_BINARY", "bin/covet") }
func python(t testing.TB) string { return fromEnv(t, "COVET_TEST_PYTHON", ".venv/bin/python") }

// server is a running covet.
type server struct {
	t       testing.TB
	cmd     *exec.Cmd
	URL     string
	Addr    string
	exited  chan struct{}
	out     *os.File   // what reads the log
	held    sync.Mutex // locked while the log is not read
	holding bool
	sources int // client addresses that crowds have used

	mu  sync.Mutex
	log bytes.Buffer
}

var listening = regexp.MustCompile(`(?:http://|address=)(127\.0\.0\.1:\d+)`)

// start runs "covet run" on the application with a free port and waits until it is ready.
func start(t testing.TB, app string, options ...string) *server {
	t.Helper()
	args := append([]string{"run", app, "--port", "0", "--python", python(t)}, options...)
	s := launch(t, root(t), binary(t), args...)
	s.awaitReady()
	return s
}

// holdLog stops reading the log, readLog goes on.
func (s *server) holdLog() { s.held.Lock(); s.holding = true }
func (s *server) readLog() { s.holding = false; s.held.Unlock() }

// launch starts any command that will serve, without waiting.
func launch(t testing.TB, dir, name string, args ...string) *server {
	t.Helper()
	s := &server{t: t, exited: make(chan struct{})}
	s.cmd = exec.Command(name, args...)
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+runtimeDir(t))
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = out
	s.cmd.Stdout, s.cmd.Stderr = w, w
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to end a script with all that it has started
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	found := make(chan string, 1)
	go func() {
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			s.held.Lock()
			s.held.Unlock() //nolint:staticcheck // it is waited for, nothing is guarded
			s.mu.Lock()
			s.log.Write(in.Bytes())
			s.log.WriteByte('\n')
			s.mu.Unlock()
			if m := listening.FindStringSubmatch(in.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		if s.holding {
			s.readLog()
		}
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-s.exited:
		case <-time.After(patience):
			t.Errorf("the server did not stop; its log:\n%s", s.Log())
			_ = s.cmd.Process.Kill()
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.Log())
		}
	})
	select {
	case s.Addr = <-found:
		s.URL = "http://" + s.Addr
	case <-s.exited:
		t.Fatalf("the server ended: %s", s.Log())
	case <-time.After(patience):
		t.Fatalf("the server does not say where it listens: %s", s.Log())
	}
	return s
}

// runtimeDir is a short path: a Unix socket's may not be longer than 107 bytes.
func runtimeDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "cv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Log is what the server and its workers have printed.
func (s *server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *server) awaitReady() {
	s.t.Helper()
	await(s.t, "the server is ready", func() bool {
		r, err := http.Get(s.URL + "/readyz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == 200
	})
}

// awaitLog waits for a text in the log.
func (s *server) awaitLog(text string) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("the log says %q", text), func() bool { return strings.Contains(s.Log(), text) })
}

// await polls until ok: what it waits for happens in another process, which cannot be asked to call back.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// answer is a response read whole.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// do sends one request.
func (s *server) do(method, path string, body io.Reader) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

func (s *server) get(path string) answer { s.t.Helper(); return s.do("GET", path, nil) }

// json decodes the body of an answer.
func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("body %q: %v", a.Body, err)
	}
	return v
}

// problem is the structured error of an answer.
type problem struct {
	Error struct {
		Code      string          `json:"code"`
		Message   string          `json:"message"`
		Details   json.RawMessage `json:"details"`
		RequestID string          `json:"request_id"`
		Timestamp time.Time       `json:"timestamp"`
	} `json:"error"`
}

func (a answer) problem(t testing.TB) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(a.Body, &p); err != nil {
		t.Fatalf("body %q: %v", a.Body, err)
	}
	if p.Error.Code == "" || len(p.Error.RequestID) != 32 || p.Error.Timestamp.IsZero() {
		t.Errorf("structured error lacks a part: %s", a.Body)
	}
	return p
}

// status asks the running server for its workers.
func (s *server) status() (st struct {
	PID     int `json:"pid"`
	Workers []struct {
		ID         int    `json:"id"`
		PID        int    `json:"pid"`
		Generation int    `json:"generation"`
		State      string `json:"state"`
		Handled    uint64 `json:"handled"`
		InFlight   int    `json:"in_flight"`
		Memory     int64  `json:"memory_bytes"`
	} `json:"workers"`
	Restarts int `json:"worker_restarts"`
}) {
	s.t.Helper()
	out, err := s.covet("status", "--address", s.Addr, "--json")
	if err != nil {
		s.t.Fatalf("covet status: %v: %s", err, out)
	}
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		s.t.Fatalf("covet status: %v: %s", err, out)
	}
	return st
}

// covet runs another command of the binary in the server's environment.
func (s *server) covet(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.cmd.Path, args...)
	cmd.Env = s.cmd.Env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// memory is the resident memory of a process, in bytes.
func memory(t testing.TB, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var kb int64
	for line := range strings.Lines(string(text)) {
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	t.Fatalf("no VmRSS of process %d", pid)
	return 0
}

const faults = "tests/e2e/testdata/app.py:app"

package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/transport/epollloop"
	"github.com/covetpy/covet/internal/transport/netloop"
	"github.com/covetpy/covet/internal/worker/workertest"
)

// TestMain lets the test binary be its own Python: see workertest.Main.
func TestMain(m *testing.M) {
	workertest.Main()
	os.Exit(m.Run())
}

// patience bounds every wait of the tests of the supervisor. It only ever ends a test that has failed.
const patience = 30 * time.Second

// eventually waits for a state that can be seen.
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

// journal is a log to look into.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) has(text string) func() bool {
	return func() bool { return strings.Contains(j.String(), text) }
}

// descriptors counts the open ones, 0 where the system does not list them.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// noLeaks fails the test when goroutines or descriptors are left at its end.
func noLeaks(t *testing.T) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), descriptors()
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		end := time.Now().Add(patience)
		for runtime.NumGoroutine() > goroutines || descriptors() > files {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines became %d, %d descriptors became %d\n%s", goroutines, runtime.NumGoroutine(),
					files, descriptors(), stacks[:runtime.Stack(stacks, true)])
			}
			runtime.Gosched()
		}
	})
}

// crew is a supervisor over real loops whose workers are fakes.
type crew struct {
	*running
	t   *testing.T
	s   *Supervisor
	log journal
	// refuse is the answer of publish.
	refuse    error
	published atomic.Pointer[Generation]
}

func newCrew(t *testing.T, target string, workers int, policy Policy) *crew {
	t.Helper()
	noLeaks(t)
	// A descriptor that the runtime opens with the first poll is not a leak.
	var g transport.Group
	var err error
	if runtime.GOOS == "linux" {
		g, err = epollloop.New(transport.Config{Loops: 2})
	} else {
		g, err = netloop.New(transport.Config{Loops: 2})
	}
	python, e := os.Executable()
	if e != nil {
		t.Fatal(e)
	}
	c := &crew{t: t, running: overGroup(t, g, err, DispatchConfig{})}
	if policy.BackoffMin == 0 {
		policy.BackoffMin = time.Millisecond
	}
	spec := Spec{Python: python, Target: target + ":app", Workers: workers}
	c.s = NewSupervisor(spec, policy, DispatchConfig{QueueTimeout: patience}, c.loops, func(g *Generation) error {
		if c.refuse != nil {
			return c.refuse
		}
		c.published.Store(g)
		return nil
	}, slog.New(slog.NewTextHandler(&c.log, nil)))
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			t.Log(c.log.String())
		}
	})
	return c
}

// start starts the crew, and fails the test when that fails.
func (c *crew) start() *crew {
	c.t.Helper()
	if err := c.s.Start(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// stop is Stop with as much time as the tests have.
func (c *crew) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.s.Stop(ctx)
}

// ready reports whether the worker in the first seat has at least that number and serves.
func (c *crew) ready(number int) func() bool {
	return func() bool {
		list := c.s.Workers()
		return len(list) > 0 && list[0].ID >= number && list[0].State == "ready"
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// errand of a client: what became of one request.
type request struct {
	x    *message.Exchange
	s    *workertest.Stream
	done chan error
}

func (r *request) Answered(_ *message.Exchange, err error) { r.done <- err }
func (r *request) Started(*message.Exchange) bool          { return true }
func (r *request) Ended(_ *message.Exchange, err error)    { r.done <- err }
func (r *request) Gone(*message.Exchange)                  { r.done <- context.Canceled }

// ask dispatches a request to the generation that was published last.
func (c *crew) ask(method message.Method, path string) *request {
	r := &request{done: make(chan error, 1)}
	r.x, r.s = workertest.NewExchange(method, path)
	d := c.published.Load().Dispatcher
	c.on(0, func() { d.Dispatch(r.x, 0, nil, r) })
	return r
}

// answer waits for the answer.
func (r *request) answer(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(patience):
		t.Fatal("no answer")
		return nil
	}
}

func lost(err error) bool {
	var e *fault.Error
	return errors.As(err, &e) && e.Code == fault.WorkerLost
}

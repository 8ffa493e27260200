package worker

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/transport/epollloop"
	"github.com/covetpy/covet/internal/transport/netloop"
	"github.com/covetpy/covet/internal/worker/workertest"
)

// chain is a client that sends its next request when the answer to the last one has come, all on its loop.
type chain struct {
	d    *Dispatcher
	x    *message.Exchange
	left int
	lost int
	err  error
	done *sync.WaitGroup
}

func (c *chain) next() {
	c.x.Generation++
	c.d.Dispatch(c.x, 0, nil, c)
}

func (c *chain) Answered(x *message.Exchange, err error) {
	var e *fault.Error
	switch {
	case err == nil && string(x.Response.Body) != "/x":
		c.err = fmt.Errorf("body %q", x.Response.Body)
	case errors.As(err, &e) && e.Code == fault.WorkerLost:
		c.lost++
	case err != nil:
		c.err = err
	}
	c.left--
	if c.left == 0 || c.err != nil {
		c.done.Done()
		return
	}
	x.Response.Reset()
	c.next()
}
func (c *chain) Started(*message.Exchange) bool { panic("not streamed") }
func (c *chain) Ended(*message.Exchange, error) { panic("not streamed") }
func (c *chain) Gone(*message.Exchange)         { panic("nobody leaves") }

type running struct {
	d     *Dispatcher
	loops []transport.Loop
}

// on runs f on loop i and returns when it has.
func (r *running) on(i int, f func()) {
	done := make(chan struct{})
	e := &errand{run: func() { f(); close(done) }}
	e.task.Do = e
	r.loops[i].Post(&e.task)
	<-done
}

// overGroup is startLoops with the loops of a real transport.
func overGroup(t *testing.T, g transport.Group, err error, cfg DispatchConfig) *running {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return &running{d: NewDispatcher(g.Loops(), cfg), loops: g.Loops()}
}

func startLoops(t *testing.T, loops int, cfg DispatchConfig) *running {
	t.Helper()
	r := &running{}
	var own []*workertest.Loop
	for i := range loops {
		l, err := workertest.NewLoop(i)
		if err != nil {
			t.Fatal(err)
		}
		r.loops, own = append(r.loops, l), append(own, l)
	}
	r.d = NewDispatcher(r.loops, cfg)
	for _, l := range own {
		go l.Run()
	}
	t.Cleanup(func() {
		for _, l := range own {
			l.Stop()
		}
	})
	return r
}

// start adds a worker that runs on a goroutine of its own; end stops it, as if its process had died.
func (r *running) start(t *testing.T, id int) (remote *Remote, end func()) {
	t.Helper()
	remote, files, err := NewRemote(id, len(r.loops), testRing)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		_ = f.Close()
	}
	w := workertest.NewWorker(remote.Region, remote.Wake, remote.Answers)
	go w.Run()
	if err := r.d.Add(remote); err != nil {
		t.Fatal(err)
	}
	return remote, w.Stop
}

// TestLoopsAndWorkersSleepAndWake runs two loops and two workers on goroutines of their own. A lost wake-up would
// make it wait for ever; a mixed-up answer would be seen.
func TestLoopsAndWorkersSleepAndWake(t *testing.T) {
	for _, strategy := range []string{"least-loaded", "round-robin", "prefer-awake"} {
		sleepAndWake(t, strategy, startLoops(t, 2, DispatchConfig{Strategy: strategy, Credit: 6, QueueTimeout: hour}))
	}
}

// TestRealLoops is the same over the transports.
func TestRealLoops(t *testing.T) {
	cfg := DispatchConfig{Credit: 6, QueueTimeout: hour}
	g, err := netloop.New(transport.Config{Loops: 2})
	sleepAndWake(t, "net", overGroup(t, g, err, cfg))
	if runtime.GOOS == "linux" {
		g, err := epollloop.New(transport.Config{Loops: 2})
		sleepAndWake(t, "epoll", overGroup(t, g, err, cfg))
	}
}

func sleepAndWake(t *testing.T, name string, r *running) {
	t.Helper()
	var ends []func()
	var remotes []*Remote
	for id := range 2 {
		remote, end := r.start(t, id)
		remotes, ends = append(remotes, remote), append(ends, end)
	}
	var wg sync.WaitGroup
	var chains []*chain
	for i := range 20 { // more than the credit of both workers
		x, _ := workertest.NewExchange(message.MethodPost, "/x")
		x.Loop = i % 2
		c := &chain{d: r.d, x: x, left: 1000, done: &wg}
		wg.Add(1)
		chains = append(chains, c)
		r.on(x.Loop, c.next)
	}
	wg.Wait()
	for i, c := range chains {
		if c.err != nil || c.lost > 0 {
			t.Errorf("%s: chain %d: %v, %d lost", name, i, c.err, c.lost)
		}
	}
	for i, remote := range remotes {
		if n := r.d.InFlight(remote); n != 0 {
			t.Errorf("%s: %d in flight", name, n)
		}
		r.d.Remove(remote, nil)
		ends[i]()
		remote.Close()
	}
}

// TestWorkersDieUnderLoad replaces a worker again and again while requests run: each is answered, with 502 at worst.
func TestWorkersDieUnderLoad(t *testing.T) {
	r := startLoops(t, 2, DispatchConfig{QueueTimeout: hour})
	var wg sync.WaitGroup
	var chains []*chain
	for i := range 16 {
		x, _ := workertest.NewExchange([]message.Method{message.MethodGet, message.MethodPost}[i/2%2], "/x")
		x.Loop = i % 2
		chains = append(chains, &chain{d: r.d, x: x, left: 2000, done: &wg})
		wg.Add(1)
		r.on(x.Loop, chains[i].next) // waits for the first worker
	}
	const generations = 20
	var last func()
	for id := range generations {
		remote, end := r.start(t, id)
		if last != nil {
			last()
		}
		last = func() {
			end()
			r.d.Remove(remote, errors.New("killed"))
			if n := r.d.InFlight(remote); n != 0 {
				t.Errorf("%d slots of a dead worker are taken", n)
			}
			remote.Close()
		}
	}
	wg.Wait()
	last()
	for i, c := range chains {
		if c.err != nil {
			t.Errorf("chain %d: %v", i, c.err)
		}
	}
	if !r.d.Drained() {
		t.Errorf("%+v", r.d.Stats())
	}
}

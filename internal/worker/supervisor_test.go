package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/message"
)

func TestSupervisorServesAndStops(t *testing.T) {
	c := newCrew(t, "good", 2, Policy{}).start()
	list := c.s.Workers()
	if len(list) != 2 || c.published.Load().Number != 1 || c.published.Load().Table.Title != "Fake" {
		t.Fatalf("%+v", list)
	}
	for _, w := range list {
		if w.State != "ready" || w.Python != "3.11.7" || w.EventLoop != "fake" || w.Memory == 0 || w.Generation != 1 {
			t.Errorf("%+v", w)
		}
	}
	for range 50 {
		if err := c.ask(message.MethodGet, "/x").answer(t); err != nil {
			t.Fatal(err)
		}
	}
	c.stop()
	for _, w := range list {
		if err := syscall.Kill(w.PID, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("worker %d is still there: %v", w.ID, err)
		}
	}
	c.stop() // does nothing
	if err := c.s.Reload(t.Context()); !errors.Is(err, errStopped) {
		t.Errorf("reload after the end: %v", err)
	}
	if c.s.Workers() != nil || c.s.Restarts() != 0 {
		t.Error("workers after the end")
	}
	if strings.Contains(c.log.String(), "level=ERROR") || strings.Contains(c.log.String(), "level=WARN") {
		t.Error("a calm life is not logged as such")
	}
}

func TestStartFails(t *testing.T) {
	for target, want := range map[string]struct{ stage, message string }{
		"nosuch":       {"import", "no module named nosuch"},
		"fails-import": {"import", "no module named shop"},
		"exits":        {"exit", "code 4"},
		"exits-late":   {"exit", "code 5"},
		"silent":       {"timeout", "not ready within"},
		"never-ready":  {"timeout", "not ready within"},
		"no-routes":    {"protocol", "out of order"},
		"no-hello":     {"protocol", "out of order"},
		"two-hellos":   {"protocol", "out of order"},
		"floods-start": {"protocol", "out of order"},
		"unknown":      {"protocol", `unknown message type "nonsense"`},
		"no-json":      {"protocol", "not JSON"},
		"endless-line": {"protocol", "too long"},
		"other-layout": {"bridge", "covet 9.9.9 has version 2"},
		"every-other":  {"routes", "different routes"},
		"second-fails": {"import", "no module named shop"},
	} {
		t.Run(target, func(t *testing.T) {
			policy := Policy{StartTimeout: patience}
			if want.stage == "timeout" {
				policy.StartTimeout = 50 * time.Millisecond
			}
			c := newCrew(t, target, 2, policy)
			err := c.s.Start(t.Context())
			var e *StartError
			if !errors.As(err, &e) || e.Stage != want.stage || !strings.Contains(e.Message, want.message) {
				t.Errorf("%#v, want %v", err, want)
			}
			if c.s.Workers() != nil || c.published.Load() != nil {
				t.Error("it was published")
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	c := newCrew(t, "never-ready", 2, Policy{})
	ctx, cancel := context.WithCancel(t.Context())
	failure := make(chan error, 1)
	go func() { failure <- c.s.Start(ctx) }()
	eventually(t, "two workers start", func() bool { return c.s.nextID.Load() == 2 })
	cancel()
	if err := <-failure; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestStopEndsAStartAndWhoWaitsForIt(t *testing.T) {
	c := newCrew(t, "never-ready", 1, Policy{})
	failures := make(chan error, 2)
	for range 2 { // one starts, one waits for it
		go func() { failures <- c.s.Reload(context.Background()) }()
	}
	eventually(t, "a worker starts", func() bool { return c.s.nextID.Load() == 1 })
	c.stop()
	for range 2 {
		if err := <-failures; !errors.Is(err, errStopped) {
			t.Error(err)
		}
	}
}

func TestReloadWaitsForItsTurnNoLongerThanItsContext(t *testing.T) {
	c := newCrew(t, "never-ready", 1, Policy{})
	failure := make(chan error, 1)
	go func() { failure <- c.s.Start(context.Background()) }()
	eventually(t, "a worker starts", func() bool { return c.s.nextID.Load() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.s.Reload(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.stop()
	<-failure
}

func TestRefusedGenerationIsDropped(t *testing.T) {
	for _, target := range []string{"good", "floods-stop"} {
		t.Run(target, func(t *testing.T) {
			c := newCrew(t, target, 1, Policy{})
			c.refuse = errors.New("no room in the tree")
			if err := c.s.Start(t.Context()); !errors.Is(err, c.refuse) {
				t.Error(err)
			}
			if c.s.Workers() != nil {
				t.Error("its workers are still there")
			}
		})
	}
}

func TestReload(t *testing.T) {
	c := newCrew(t, "flaky", 1, Policy{}).start()
	var e *StartError
	if err := c.s.Reload(t.Context()); !errors.As(err, &e) || e.Stage != "import" || e.Traceback == "" {
		t.Errorf("%v", err)
	}
	if list := c.s.Workers(); len(list) != 1 || list[0].ID != 1 {
		t.Errorf("after a failed reload: %+v", list)
	}
	if err := c.ask(message.MethodGet, "/x").answer(t); err != nil {
		t.Error(err)
	}
	old := c.ask(message.MethodPost, "/hold")
	pid := c.s.Workers()[0].PID
	if err := c.s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := c.s.Workers(); len(list) != 1 || list[0].ID != 3 || list[0].Generation != 3 {
		t.Errorf("after a reload: %+v", list)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the old worker does not finish its request: %v", err)
	}
	if err := c.ask(message.MethodGet, "/x").answer(t); err != nil {
		t.Error(err)
	}
	c.on(0, func() { old.x.Receiver.Gone(old.x) }) // its last client leaves
	_ = old.answer(t)
	eventually(t, "the old worker ends", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

func TestRetiringGenerationHasADeadline(t *testing.T) {
	c := newCrew(t, "good", 1, Policy{DrainTimeout: 50 * time.Millisecond}).start()
	held := c.ask(message.MethodPost, "/hold")
	if err := c.s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := held.answer(t); !lost(err) {
		t.Errorf("%v", err)
	}
}

// A Stop that is short of time takes it from the generations that were retiring before, too.
func TestStopHurriesEverybody(t *testing.T) {
	c := newCrew(t, "good", 1, Policy{DrainTimeout: time.Hour}).start()
	first := c.ask(message.MethodPost, "/hold")
	if err := c.s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := c.ask(message.MethodPost, "/hold")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.s.Stop(ctx)
	for _, r := range []*request{first, second} {
		if err := r.answer(t); !lost(err) {
			t.Errorf("%v", err)
		}
	}
}

func TestDeathsAreMended(t *testing.T) {
	for target, reason := range map[string]string{
		"exits-ready":  "it exited with code 0",
		"floods":       "a message that nobody waits for",
		"closes":       "signal 9",
		"blocks-on":    "one handler step held its event loop",
		"breaks-rings": "it broke the rules of the shared memory",
	} {
		t.Run(target, func(t *testing.T) {
			c := newCrew(t, target, 1, Policy{BlockedAfter: time.Millisecond, BlockedLimit: 10 * time.Millisecond, ExitTimeout: 20 * time.Millisecond})
			c.start()
			eventually(t, "another worker serves", c.ready(2))
			if !c.log.has(reason)() || c.s.Restarts() != 1 {
				t.Errorf("%d restarts, without %q", c.s.Restarts(), reason)
			}
			if err := c.ask(message.MethodGet, "/x").answer(t); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTwoKilledAtOnce(t *testing.T) {
	c := newCrew(t, "good", 2, Policy{}).start()
	held := []*request{c.ask(message.MethodPost, "/hold"), c.ask(message.MethodPost, "/hold")}
	for _, w := range c.s.Workers() {
		kill(t, w.PID)
	}
	for _, r := range held {
		if err := r.answer(t); !lost(err) {
			t.Errorf("%v", err)
		}
	}
	if err := c.ask(message.MethodGet, "/x").answer(t); err != nil { // waits for a new worker
		t.Error(err)
	}
	eventually(t, "both seats are taken again", func() bool {
		list := c.s.Workers()
		return list[0].ID > 2 && list[1].ID > 2 && list[0].State == "ready" && list[1].State == "ready"
	})
	if c.s.Restarts() != 2 {
		t.Errorf("%d restarts", c.s.Restarts())
	}
}

func TestStopDoesNotWaitForTheBackoff(t *testing.T) {
	c := newCrew(t, "always-exits", 1, Policy{BackoffMin: time.Hour, BackoffMax: time.Hour}).start()
	eventually(t, "it dies", func() bool { return c.s.Restarts() == 1 && c.s.Workers()[0].State == "dead" })
	c.stop()
}

func TestBlockedWorkerRecovers(t *testing.T) {
	c := newCrew(t, "blocks", 1, Policy{BlockedAfter: time.Millisecond, BlockedLimit: time.Hour}).start()
	eventually(t, "the block is seen", c.log.has("blocks the event loop"))
	eventually(t, "the end of it is seen", c.log.has("event loop runs again"))
	if err := c.ask(message.MethodGet, "/x").answer(t); err != nil {
		t.Error(err)
	}
	if !c.ready(1)() || c.s.Restarts() != 0 {
		t.Errorf("%+v", c.s.Workers())
	}
}

func TestRecycling(t *testing.T) {
	for name, k := range map[string]struct {
		target string
		policy Policy
		reason string
		number int
	}{
		"requests": {"worn", Policy{MaxRequests: 50}, "it has handled", 2},
		"age":      {"good", Policy{MaxAge: 10 * time.Millisecond}, "old", 2},
		"memory":   {"good", Policy{MaxMemory: 1}, "MiB of memory", 2},
		"retried":  {"worn-unlucky", Policy{MaxAge: 10 * time.Millisecond}, "no replacement for a worker that is due", 3},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrew(t, k.target, 1, k.policy).start()
			eventually(t, "a replacement serves", c.ready(k.number))
			if !c.log.has(k.reason)() || c.s.Restarts() != 0 {
				t.Errorf("%d restarts, without %q", c.s.Restarts(), k.reason)
			}
		})
	}
}

func TestReplacementWithOtherRoutesIsRefused(t *testing.T) {
	c := newCrew(t, "changes-later", 1, Policy{MaxRequests: 50}).start()
	eventually(t, "it is refused", c.log.has("the application's routes have changed on disk"))
	if !c.ready(1)() || c.s.Workers()[0].ID != 1 {
		t.Errorf("%+v", c.s.Workers())
	}
	if err := c.ask(message.MethodGet, "/x").answer(t); err != nil {
		t.Error(err)
	}
}

// A worker whose replacement takes long to start is watched meanwhile: its death settles what it owed at once.
func TestDeathWhileTheReplacementStarts(t *testing.T) {
	c := newCrew(t, "worn-stuck", 1, Policy{MaxRequests: 50, StartTimeout: time.Hour}).start()
	held := c.ask(message.MethodPost, "/hold")
	eventually(t, "the replacement starts", func() bool { return c.s.nextID.Load() == 2 })
	kill(t, c.s.Workers()[0].PID)
	if err := held.answer(t); !lost(err) {
		t.Errorf("%v", err)
	}
	c.stop() // does not wait for the replacement
}

func TestStopWhileTheReplacementStarts(t *testing.T) {
	c := newCrew(t, "worn-stuck", 1, Policy{MaxRequests: 50, StartTimeout: time.Hour}).start()
	eventually(t, "the replacement starts", func() bool { return c.s.nextID.Load() == 2 })
	c.stop()
	if c.log.has("no replacement")() {
		t.Error("a replacement that nobody wants any more is missed")
	}
}

func TestLeavingBadly(t *testing.T) {
	for target, want := range map[string]string{
		"deaf":          "did not exit when it was told to",
		"fails-leaving": "no module named shop",
		"floods-drain":  "",
	} {
		t.Run(target, func(t *testing.T) {
			c := newCrew(t, target, 1, Policy{ExitTimeout: 10 * time.Millisecond}).start()
			c.stop()
			if !c.log.has(want)() {
				t.Errorf("%q is not logged", want)
			}
		})
	}
}

// A blocked event loop shuts no lifespan down, so its worker is not waited for as long as others.
func TestStopWhileBlocked(t *testing.T) {
	c := newCrew(t, "blocks-on", 1, Policy{BlockedAfter: time.Millisecond, BlockedLimit: time.Hour, ExitTimeout: time.Hour}).start()
	eventually(t, "the block is seen", c.log.has("blocks the event loop"))
	c.stop()
}

// TestEverythingAtOnce reloads, kills, asks and looks from many sides, then stops in the middle of it.
func TestEverythingAtOnce(t *testing.T) {
	c := newCrew(t, "good", 2, Policy{MaxAge: 150 * time.Millisecond, DrainTimeout: 100 * time.Millisecond}).start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	during := func(f func()) {
		wg.Go(func() {
			for ctx.Err() == nil {
				f()
			}
		})
	}
	for range 2 {
		during(func() {
			if err := c.s.Reload(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, errStopped) {
				t.Error(err)
			}
		})
	}
	during(func() {
		for _, w := range c.s.Workers() {
			if w.State == "ready" && w.ID%3 == 0 {
				_ = syscall.Kill(w.PID, syscall.SIGKILL) // it may have ended
			}
		}
	})
	asked := 0
	eventually(t, "six reloads and three deaths", func() bool {
		if err := c.ask(message.MethodGet, "/x").answer(t); err != nil && !lost(err) {
			t.Error(err)
		}
		asked++
		return c.published.Load().Number > 6 && c.s.Restarts() >= 3
	})
	c.stop()
	cancel()
	wg.Wait()
	if c.s.Workers() != nil {
		t.Errorf("%+v", c.s.Workers())
	}
	t.Logf("%d requests, %d generations, %d workers, %d restarts", asked, c.published.Load().Number, c.s.nextID.Load(), c.s.Restarts())
}

func TestDescribe(t *testing.T) {
	noLeaks(t)
	c := newCrew(t, "good", 1, Policy{})
	table, err := Describe(t.Context(), c.s.spec)
	if err != nil || table.Title != "Fake" || len(table.Routes) == 0 || table.Routes[0].Path != "/echo/{x}" {
		t.Errorf("%+v, %v", table, err)
	}
	spec := c.s.spec
	spec.Target = "fails-import:app"
	var e *StartError
	if _, err := Describe(t.Context(), spec); !errors.As(err, &e) || e.Stage != "import" || e.Traceback == "" {
		t.Errorf("%v", err)
	}
	spec.Python = "/nonexistent/python"
	if _, err := Describe(t.Context(), spec); !errors.As(err, &e) || e.Stage != "interpreter" {
		t.Errorf("%v", err)
	}
}

package covet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/transport"
)

// guest is a Mounter whose routes the test sets.
type guest struct {
	site *Site
	err  error
	log  []string
}

func (g *guest) Mount(s *Site) error {
	g.site = s
	s.OnStart(func(context.Context, Runtime) error { g.log = append(g.log, "start"); return nil })
	s.OnStop(func(context.Context) error { g.log = append(g.log, "stop"); return nil })
	return g.err
}

func say(text string) AsyncHandler {
	return AsyncFunc(func(c *Ctx) { c.Finish(c.Text(200, text+string(c.Exchange().Request.Bytes(c.ParamSpans()[0])))) })
}

func TestMount(t *testing.T) {
	a, _ := newTest(t)
	g := &guest{}
	var log []string
	a.Use(trace("app", &log))
	a.Get("/go", func(c *Ctx) error { return c.Text(200, "go") })
	a.Mount("/", g)
	early := []DynamicRoute{{Method: "GET", Pattern: "/py/{x}", Name: "py", File: "shop.py", Line: 3, Handler: say("one ")}}
	if err := g.site.Replace(early); err != nil {
		t.Fatal(err)
	}
	s := start(t, a)
	if got := ask(t, s, "GET", "/py/1", ""); got.body != "one 1" || !slices.Equal(log, []string{"app<", "app>", "app."}) {
		t.Errorf("%q, chain %q", got.body, log)
	}
	next := []DynamicRoute{{Method: "GET", Pattern: "/py2/{x}", Handler: say("two ")}}
	if err := g.site.Replace(next); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "GET", "/py2/1", ""); got.body != "two 1" {
		t.Errorf("%q", got.body)
	}
	if got := ask(t, s, "GET", "/py/1", ""); got.status != 404 {
		t.Errorf("the old route answers %d", got.status)
	}
	err := g.site.Replace([]DynamicRoute{{Method: "GET", Pattern: "/go", File: "shop.py", Line: 9, Handler: say("")}})
	if err == nil || !strings.Contains(err.Error(), "shop.py:9") || !strings.Contains(err.Error(), "mount_test.go:") {
		t.Errorf("conflict: %v", err)
	}
	if got := ask(t, s, "GET", "/py2/1", ""); got.body != "two 1" {
		t.Errorf("after a refused replacement: %q", got.body)
	}
	if err := g.site.Replace([]DynamicRoute{{Method: "GET", Pattern: "/x"}}); err == nil {
		t.Error("a nil handler was taken")
	}
}

func TestMountFails(t *testing.T) {
	a, _ := newTest(t)
	a.Mount("/x", &guest{err: errors.New("no python")})
	if err := a.Build(); err == nil || !strings.Contains(err.Error(), "no python") {
		t.Errorf("err = %v", err)
	}
}

type noLoops struct{}

func (noLoops) Loops() []transport.Loop { return nil }
func (noLoops) Kind() string            { return "net" }

func TestHooks(t *testing.T) {
	a := New()
	g := &guest{}
	a.Mount("/g/", g)
	if g.site.Prefix() != "/g" {
		t.Errorf("prefix %q", g.site.Prefix())
	}
	a.OnStart(func(context.Context) error { g.log = append(g.log, "app start"); return nil })
	a.OnStop(func(context.Context) error { g.log = append(g.log, "app stop"); return errors.New("stuck") })
	if err := a.Started(t.Context(), noLoops{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Stopped(t.Context()); err == nil || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("err = %v", err)
	}
	if want := []string{"start", "app start", "app stop", "stop"}; !slices.Equal(g.log, want) {
		t.Errorf("ran %q", g.log)
	}
}

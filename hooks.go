package covet

import (
	"context"
	"errors"
	"net/http"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/transport"
)

// Runtime is what a start hook gets to see of the running engine.
type Runtime interface {
	// Loops returns the I/O loops, by index. They run already; connections come after the start hooks.
	Loops() []transport.Loop
	// Kind is "uring", "epoll" or "net".
	Kind() string
}

type hooks struct {
	start []func(context.Context, Runtime) error
	stop  []func(context.Context) error
}

// OnStart adds a function that runs before the app listens, in the order of addition. An error keeps the app from
// starting.
func (a *App) OnStart(f func(context.Context) error) {
	a.onStart(func(ctx context.Context, _ Runtime) error { return f(ctx) })
}

// OnStop adds a function that runs after the last request has been answered, in reverse order. Its context ends with the
// time that is left for draining.
func (a *App) OnStop(f func(context.Context) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks.stop = append(a.hooks.stop, f)
}

func (a *App) onStart(f func(context.Context, Runtime) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks.start = append(a.hooks.start, f)
}

// Started is the first of the three steps of running an app on an engine: it runs the start hooks. The second
// is [App.Ready], the last [App.Stopped]. Code that uses [App.Run] or [App.Serve] calls none of them.
func (a *App) Started(ctx context.Context, rt Runtime) error {
	a.prepareLanes(len(rt.Loops()))
	a.mu.Lock()
	list := a.hooks.start
	a.mu.Unlock()
	for _, f := range list {
		if err := f(ctx, rt); err != nil {
			return err
		}
	}
	return nil
}

// Ready makes /readyz answer 200: the app listens. Draining takes that back.
func (a *App) Ready() { a.state.Store(stateReady) }

// Draining makes /readyz answer 503: the app goes on answering, but wants no new clients.
func (a *App) Draining() { a.state.Store(stateDraining) }

// Stopped runs the stop hooks in reverse order and ends what the app runs itself: pool and log. The app
// cannot be started again.
func (a *App) Stopped(ctx context.Context) error {
	a.mu.Lock()
	list := a.hooks.stop
	a.mu.Unlock()
	var errs []error
	for i := len(list) - 1; i >= 0; i-- {
		errs = append(errs, list[i](ctx))
	}
	a.stop()
	a.pool.close()
	a.faults.wait()
	return errors.Join(errs...)
}

// healthRoutes returns the built-in routes that no route of the list stands in for.
func (a *App) healthRoutes(list []*route) (added []*route) {
	for pattern, h := range map[string]Handler{"/healthz": alive, "/readyz": a.ready} {
		taken := false
		for _, r := range list {
			taken = taken || r.pattern == pattern
		}
		if !taken {
			added = append(added, &route{
				method: http.MethodGet, pattern: pattern, handler: h, inline: true, builtIn: true, router: &a.Router,
			})
		}
	}
	return added
}

func alive(c *Ctx) error { return c.Text(http.StatusOK, "ok\n") }

func (a *App) ready(c *Ctx) error {
	switch a.state.Load() {
	case stateReady:
		return c.Text(http.StatusOK, "ready\n")
	case stateDraining:
		return fault.New(fault.ShuttingDown, "")
	}
	return fault.New(fault.ServiceUnavailable, "the service is starting")
}

// validMethod reports whether m can name a method: a token, "*" included.
func validMethod(m string) bool { return ascii.IsToken(m) }

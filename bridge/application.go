package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/balance"
	"github.com/covetpy/covet/internal/host"
	"github.com/covetpy/covet/internal/worker"
)

// Config says which Python application is mounted and how its workers run. The zero values of all but Spec.Target
// work.
type Config struct {
	// Spec is what the workers run. Its SchedBatch follows Scheduling.
	Spec worker.Spec
	// Scheduling is the scheduling policy of this process and of the workers.
	Scheduling Scheduling
	// Policy is when they are replaced.
	Policy worker.Policy
	// Dispatch is how exchanges are spread over them.
	Dispatch worker.DispatchConfig
	// Files makes what serves the directories that the application names with app.static; nil means that it may not.
	Files func(worker.StaticDir) (Files, error)
	// Log gets what happens to workers; nil means slog.Default().
	Log *slog.Logger
}

// Application is a mounted Python application. Its methods may be called from any goroutine.
type Application struct {
	cfg        Config
	err        error // why the configuration cannot be used
	site       *covet.Site
	files      []Files // of the generation that is published; changed by publish only
	supervisor atomic.Pointer[worker.Supervisor]
	governor   *host.Governor
}

var _ covet.Mounter = (*Application)(nil)

// Option changes how Python mounts an application.
type Option func(*Config)

// Workers sets the number of worker processes; the default is one a processor.
func Workers(n int) Option { return func(c *Config) { c.Spec.Workers = n } }

// Interpreter sets the Python to run; the default is $COVET_PYTHON, $VIRTUAL_ENV, ./.venv, python3 on PATH.
func Interpreter(path string) Option { return func(c *Config) { c.Spec.Python = path } }

// Logger sets where the lives of workers are logged; the default is slog.Default().
func Logger(l *slog.Logger) Option { return func(c *Config) { c.Log = l } }

// Scheduling is a choice of scheduling policies on Linux; elsewhere it means nothing. docs/internals/crossing.md has what
// each brings.
type Scheduling uint8

const (
	// Adaptive gives every thread of this process SCHED_BATCH while it is saturated, SCHED_OTHER otherwise. Workers
	// have SCHED_OTHER.
	Adaptive Scheduling = iota
	// Batch gives SCHED_BATCH to every thread of this process and of the workers.
	Batch
	// Ordinary leaves the policy of this process as it is; workers have SCHED_OTHER.
	Ordinary
)

// OrdinaryScheduling leaves the scheduling policy of this process as it is. The default is [Adaptive].
func OrdinaryScheduling() Option { return func(c *Config) { c.Scheduling = Ordinary } }

// Python returns the application of a target, "module:attribute" or "path/to/file.py:attribute", to be mounted.
// What is wrong with the target is told when the app starts.
func Python(target string, options ...Option) *Application {
	c := Config{
		Spec:     worker.Spec{Target: target, Python: os.Getenv("COVET_PYTHON")},
		Dispatch: worker.DispatchConfig{Strategy: balance.PreferAwake.String()},
	}
	for _, o := range options {
		o(&c)
	}
	return New(c)
}

// New is Python with everything that can be configured.
func New(c Config) *Application {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Spec.Workers == 0 {
		c.Spec.Workers = host.CPUs()
	}
	c.Spec.SchedBatch = c.Scheduling == Batch
	a := &Application{cfg: c}
	a.err = a.resolve()
	return a
}

// defaultAttribute is what a target without an attribute names.
const defaultAttribute = "app"

// resolve makes the target absolute and finds the interpreter.
func (a *Application) resolve() error {
	s := &a.cfg.Spec
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	s.Dir = dir
	file, attribute, _ := strings.Cut(s.Target, ":")
	if attribute == "" {
		attribute = defaultAttribute
	}
	if strings.HasSuffix(file, ".py") && !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	s.Target = file + ":" + attribute
	s.Python, err = worker.FindPython(s.Python, dir)
	return err
}

// Spec is what the workers run, with the interpreter that was found.
func (a *Application) Spec() (worker.Spec, error) { return a.cfg.Spec, a.err }

// Mount implements covet.Mounter.
func (a *Application) Mount(s *covet.Site) error {
	switch {
	case a.err != nil:
		return a.err
	case a.site != nil:
		return fmt.Errorf("bridge: the application %s is mounted twice; make one application for each place", a.cfg.Spec.Target)
	}
	a.site = s
	s.OnStart(func(ctx context.Context, rt covet.Runtime) error {
		a.schedule(len(rt.Loops()))
		v := worker.NewSupervisor(a.cfg.Spec, a.cfg.Policy, a.cfg.Dispatch, rt.Loops(), a.publish, a.cfg.Log)
		if err := v.Start(ctx); err != nil {
			v.Stop(ctx)
			return err
		}
		a.supervisor.Store(v)
		return nil
	})
	s.OnStop(func(ctx context.Context) error {
		if v := a.supervisor.Load(); v != nil {
			v.Stop(ctx)
		}
		if a.governor != nil {
			a.governor.Stop()
		}
		return nil
	})
	return nil
}

// schedule sets the scheduling policy of this process. Systems may refuse: it is an optimization.
func (a *Application) schedule(loops int) {
	var err error
	switch a.cfg.Scheduling {
	case Adaptive:
		a.governor, err = host.Govern(loops)
	case Batch:
		err = host.Batch()
	case Ordinary:
	}
	if err != nil {
		a.cfg.Log.Debug("this process keeps its scheduling policy", "error", err)
	}
}

// publish puts a generation's routes into the tree in the place of those before.
func (a *Application) publish(g *worker.Generation) error {
	var list []covet.DynamicRoute
	for _, r := range g.Table.Routes {
		e := &endpoint{dispatcher: g.Dispatcher, route: r.ID}
		for _, method := range r.Methods {
			list = append(list, covet.DynamicRoute{
				Method: method, Pattern: r.Path, Name: r.Name, File: r.File, Line: r.Line, Handler: e,
			})
		}
	}
	sites, more, err := a.staticRoutes(g.Table.Static)
	if err != nil {
		return err
	}
	if err := a.site.Replace(append(list, more...)); err != nil {
		closeFiles(sites)
		return &worker.StartError{Stage: "routes", Message: err.Error(), Hint: "give one of the two another path or method"}
	}
	closeFiles(a.files) // requests that began before go on: a closed site still answers
	a.files = sites
	return nil
}

// Reload swaps the workers for new ones that have imported the application anew, without losing a request. On error
// the old ones go on.
func (a *Application) Reload(ctx context.Context) error {
	v := a.supervisor.Load()
	if v == nil {
		return errors.New("bridge: the application is not running")
	}
	return v.Reload(ctx)
}

// Workers says how the workers are doing.
func (a *Application) Workers() []worker.Status {
	if v := a.supervisor.Load(); v != nil {
		return v.Workers()
	}
	return nil
}

// Restarts is how many workers had to be started again because they died.
func (a *Application) Restarts() int64 {
	if v := a.supervisor.Load(); v != nil {
		return v.Restarts()
	}
	return 0
}

// Package serve turns a configuration into a running server: the one place that lists what is switched on.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/bridge"
	"github.com/covetpy/covet/config"
	"github.com/covetpy/covet/internal/engine"
	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/host"
	"github.com/covetpy/covet/internal/lossy"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/worker"
)

// Version of the engine.
const Version = "0.1.0"

// Options say what to serve.
type Options struct {
	Config *config.Config
	// Target names the application, Dir is where its modules are imported from ("" for the current directory).
	Target, Dir string
	// Dev is development mode.
	Dev bool
	// Out gets the start-up lines and the log. Color tells that it is a terminal.
	Out   io.Writer
	Color bool
	// Report shows an error that does not end the server.
	Report func(error)

	changed <-chan string // development: files that have changed
}

// say prints a line for people; with a log for programs it would be in the way.
func (o *Options) say(format string, args ...any) {
	if o.text() {
		fmt.Fprintf(o.Out, format+"\n", args...)
	}
}

// text reports whether the log is for people.
func (o *Options) text() bool {
	return o.Config.LogFormat != "json"
}

// instance is one running server.
type instance struct {
	Options
	log       *slog.Logger
	app       *covet.App
	python    *bridge.Application
	engine    *engine.Server
	listeners []transport.Listener
	console   *console
	began     time.Time

	out                  *lossy.Writer // in front of Options.Out
	workerOut, workerErr *lossy.Writer // nil where workers write to the terminal themselves
}

// Run serves until ctx ends, then drains. SIGHUP reloads.
func Run(ctx context.Context, o Options) error {
	s := &instance{Options: o, began: time.Now()}
	s.takeOutput()
	defer s.giveOutput()
	if err := s.assemble(); err != nil {
		return err
	}
	defer s.engine.Close()
	if err := s.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it was starting
		}
		return err
	}
	s.announce()
	s.run(ctx)
	return s.stop()
}

// assemble is the list of what a server is made of.
func (s *instance) assemble() error {
	c := s.Config
	s.log = newLog(s.Out, c.LogLevel, s.text())
	s.checkLimits()
	s.python = bridge.New(bridge.Config{
		Spec: worker.Spec{
			Python: c.Python, Target: s.Target, Dir: s.Dir, Workers: c.Workers.Workers, Threads: c.Threads,
			EventLoop: c.EventLoop, Spin: c.Spin, Dev: s.Dev,
			Stdout: s.workerOut, Stderr: s.workerErr,
		},
		Scheduling: scheduling(c.Scheduler),
		Policy: worker.Policy{
			StartTimeout: c.StartTimeout, DrainTimeout: c.DrainTimeout, BlockedAfter: c.BlockedAfter,
			BlockedLimit: c.BlockedLimit, MaxRequests: c.MaxRequests, MaxAge: c.MaxAge,
			MaxMemory: int64(c.MaxMemory), Jitter: c.Jitter,
		},
		Dispatch: worker.DispatchConfig{Strategy: c.Dispatch, Credit: c.Credit, Queue: c.Queue},
		Files:    files,
		Log:      s.log,
	})
	if err := s.open(); err != nil {
		return err
	}
	s.app = covet.New(covet.WithLogger(s.log))
	if err := s.content(); err != nil {
		s.closeListeners()
		return err
	}
	if err := s.static(); err != nil {
		s.closeListeners()
		return err
	}
	s.app.Mount("/", s.python)
	handler, err := s.app.Handler()
	if err != nil {
		s.closeListeners()
		return err
	}
	s.engine, err = engine.New(engine.Config{
		Transport: c.Transport, Loops: loops(c.Loops), MaxConns: c.MaxConnections, Logger: s.log, ServerName: "covet",
		Limits: h1.Limits{
			Line: int(c.MaxRequestLine), Head: int(c.MaxHead), Fields: c.MaxFields, Body: unlimited(int64(c.MaxBody)),
		},
		HeadTimeout: c.HeadTimeout, BodyTimeout: c.BodyTimeout, IdleTimeout: c.KeepAliveTimeout,
		MinRate:      orNever(int64(c.MinRate)),
		WriteTimeout: c.WriteTimeout, HandlerTimeout: orNever(c.HandlerTimeout),
	}, handler)
	if err != nil {
		s.closeListeners()
		return err
	}
	return nil
}

// unlimited turns the configuration's 0 into the codec's "no limit", for which 0 is the default.
func unlimited(n int64) int64 {
	if n == 0 {
		return 1<<63 - 1
	}
	return n
}

// orNever turns the configuration's 0 into the engine's "no bound", for which 0 is the default.
func orNever[T int64 | time.Duration](d T) T {
	if d == 0 {
		return -1
	}
	return d
}

// loops chooses the number of I/O loops: one drives several workers, and on few cores a second one only takes the
// processor from them.
func loops(asked int) int {
	if asked > 0 {
		return asked
	}
	return max(1, host.CPUs()/4)
}

// open takes the addresses before anything else is started: a port that is taken is the most common mistake.
func (s *instance) open() error {
	for _, address := range s.Config.Addresses() {
		l, err := transport.Open(context.Background(), address)
		if err != nil {
			s.closeListeners()
			return listenError(address, err)
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

func listenError(address string, err error) error {
	_, unix := strings.CutPrefix(address, "unix:")
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && unix:
		return fmt.Errorf("cannot listen on %s: another server listens there, or the file is not a socket; choose another path", address)
	case errors.Is(err, syscall.EACCES) && unix:
		return fmt.Errorf("cannot listen on %s: permission denied", address)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: the address is already in use; stop the other server or choose another --port", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot listen on %s: permission denied; ports below 1024 need the capability CAP_NET_BIND_SERVICE", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this machine has no such address", address)
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}

func (s *instance) closeListeners() {
	for _, l := range s.listeners {
		l.L.Close()
	}
}

// start starts the workers, then the listening.
func (s *instance) start(ctx context.Context) error {
	err := s.app.Started(ctx, s.engine)
	if err != nil {
		s.closeListeners()
		return errors.Join(err, s.app.Stopped(ctx))
	}
	for _, l := range s.listeners {
		if err := s.engine.Listen(l); err != nil {
			return errors.Join(err, s.app.Stopped(ctx))
		}
	}
	s.app.Ready()
	s.console, err = openConsole(s.name(), s.answer)
	if err != nil {
		s.log.Warn("covet reload and covet status will not reach this server; SIGHUP will", "error", err)
		return nil
	}
	go s.console.serve(ctx)
	return nil
}

// announce says where the server is and how to stop it.
func (s *instance) announce() {
	workers := s.python.Workers()
	took := time.Since(s.began).Round(time.Millisecond)
	if !s.text() {
		s.log.Info("serving", "target", s.Target, "addresses", s.addresses(), "transport", s.engine.Kind(),
			"loops", len(s.engine.Loops()), "workers", len(workers), "version", Version)
		return
	}
	s.say("covet %s serves %s, started in %v", Version, s.Target, took)
	for _, a := range s.addresses() {
		s.say("  address    %s", a)
	}
	why := ""
	if r := s.engine.Reason(); r != "" {
		why = " (" + r + ")"
	}
	s.say("  transport  %s, %s%s", s.engine.Kind(), count(len(s.engine.Loops()), "loop"), why)
	s.say("  workers    %s, CPython %s, %s", count(len(workers), "process"), workers[0].Python, workers[0].EventLoop)
	if s.Dev {
		s.say("  stop       Ctrl-C; a changed file reloads")
		return
	}
	s.say("  stop       Ctrl-C, or SIGTERM to %d; reload: SIGHUP, or covet reload --address %s", os.Getpid(), s.name())
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what == "process" {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// name is the address by which covet reload and covet status find the server.
func (s *instance) name() string {
	a := s.listeners[0].Addr()
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}

// addresses are the URLs that are served.
func (s *instance) addresses() []string {
	var list []string
	for _, l := range s.listeners {
		a := l.Addr()
		if a.Network() == "unix" {
			list = append(list, "unix:"+a.String())
			continue
		}
		list = append(list, "http://"+a.String())
	}
	return list
}

// run waits for the end, reloading in between.
func (s *instance) run(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			if err := s.python.Reload(ctx); err != nil {
				s.log.Error("reload failed; the old workers go on", "error", err)
			}
		case path := <-s.changed:
			s.develop(ctx, path)
		}
	}
}

// develop reloads because a file has changed, and says so.
func (s *instance) develop(ctx context.Context, path string) {
	begin := time.Now()
	if err := s.python.Reload(ctx); err != nil {
		if ctx.Err() == nil {
			s.Report(err)
			s.say("%s changed; the code before goes on", filepath.Base(path))
		}
		return
	}
	s.say("%s changed; reloaded in %v", filepath.Base(path), time.Since(begin).Round(time.Millisecond))
}

// stop drains: no new connections, then the requests in flight, then the workers.
func (s *instance) stop() error {
	if s.console != nil {
		s.console.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.Config.DrainTimeout)
	defer cancel()
	s.app.Draining()
	if err := s.engine.Drain(ctx); err != nil {
		s.log.Warn("not every request could finish", "error", err)
	}
	return s.app.Stopped(ctx)
}

// answer is what the console says.
func (s *instance) answer(ctx context.Context, q Question) Answer {
	switch q.Verb {
	case "reload":
		err := s.python.Reload(ctx)
		var start *worker.StartError
		switch {
		case err == nil:
			return Answer{}
		case errors.As(err, &start):
			return Answer{Failure: start}
		}
		return Answer{Failure: &worker.StartError{Stage: "reload", Message: err.Error()}}
	case "status":
		st := &ServerStatus{
			PID: os.Getpid(), Target: s.Target, Addresses: s.addresses(), Transport: s.engine.Kind(),
			Loops: len(s.engine.Loops()), Uptime: time.Since(s.began).Seconds(), Restarts: s.python.Restarts(),
			Workers: s.python.Workers(),
		}
		return Answer{Server: st}
	}
	return Answer{Failure: &worker.StartError{Stage: "console", Message: fmt.Sprintf("unknown question %q", q.Verb)}}
}

// newLog returns the server's log.
func newLog(w io.Writer, level string, text bool) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if text {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// scheduling is the policy of that name; config has checked it.
func scheduling(name string) bridge.Scheduling {
	switch name {
	case "batch":
		return bridge.Batch
	case "other":
		return bridge.Ordinary
	}
	return bridge.Adaptive
}

package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/covetpy/covet/config"
	"github.com/covetpy/covet/internal/serve"
)

// target is the argument that names an application.
type target struct {
	App string `arg:"" name:"app" help:"The application: module:attribute, or path/to/file.py:attribute."`
	Dir string `help:"Directory that modules are imported from; default: the current one." placeholder:"PATH" env:"COVET_APP_DIR"`
}

type runCmd struct {
	target
	File configFile `name:"config" help:"Configuration file (TOML); default: covet.toml, if it is there." placeholder:"PATH" env:"COVET_CONFIG"`
	config.Config
}

// Run serves until SIGINT or SIGTERM; SIGHUP reloads.
func (c *runCmd) Run(io *streams) error {
	return serveApp(io, c.target, &c.Config, false)
}

func serveApp(io *streams, t target, cfg *config.Config, dev bool) error {
	if err := cfg.Check(); err != nil {
		return usageError{err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// From the first signal on, the next one has its usual effect again: whoever is out of patience gets out.
	context.AfterFunc(ctx, stop)
	// A server outlives the reader of its log: without this, a write to a broken pipe on standard error would end it
	// (package os/signal, SIGPIPE). A handler, unlike ignoring, is not inherited by the workers.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	o := serve.Options{
		Config: cfg, Target: t.App, Dir: t.Dir, Dev: dev,
		Out: io.err, Color: terminal(io.err), Report: func(err error) { report(io, err) },
	}
	if dev {
		return serve.Develop(ctx, o)
	}
	return serve.Run(ctx, o)
}

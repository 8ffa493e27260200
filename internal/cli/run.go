package cli

import (
	"context"
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
	o := serve.Options{
		Config: cfg, Target: t.App, Dir: t.Dir, Dev: dev,
		Out: io.err, Color: terminal(io.err), Report: func(err error) { report(io, err) },
	}
	if dev {
		return serve.Develop(ctx, o)
	}
	return serve.Run(ctx, o)
}

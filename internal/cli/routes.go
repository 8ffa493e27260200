package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/covetpy/covet/internal/serve"
)

type routesCmd struct {
	target
	Python  string `help:"Python interpreter; default: $VIRTUAL_ENV, ./.venv, python3 on PATH." env:"COVET_PYTHON" placeholder:"PATH"`
	JSON    bool   `help:"Print JSON." name:"json"`
	Verbose bool   `short:"v" help:"Also print where each handler is defined and how it is called."`
}

// Run imports the application in a worker of its own and lists what it serves.
func (c *routesCmd) Run(io *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	table, err := serve.Routes(ctx, c.App, c.Dir, c.Python)
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(io.out)
		enc.SetIndent("", "  ")
		return enc.Encode(table)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	for _, r := range table.Routes {
		fmt.Fprintf(w, "%s\t%s\t%s", strings.Join(r.Methods, ","), r.Path, r.Handler)
		if c.Verbose {
			fmt.Fprintf(w, "\t%s\t%s:%d", r.Mode, shortPath(r.File), r.Line)
		}
		fmt.Fprintln(w)
	}
	for _, d := range table.Static {
		fmt.Fprintf(w, "GET\t%s/{path...}\tfiles of %s", strings.TrimSuffix(d.Path, "/"), shortPath(d.Dir))
		if c.Verbose {
			fmt.Fprintf(w, "\tengine\t%s:%d", shortPath(d.File), d.Line)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// shortPath is path relative to the current directory where that is below it.
func shortPath(path string) string {
	here, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

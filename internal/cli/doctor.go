package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/covetpy/covet/internal/serve"
)

type doctorCmd struct {
	Python string `help:"Python interpreter; default: $VIRTUAL_ENV, ./.venv, python3 on PATH." env:"COVET_PYTHON" placeholder:"PATH"`
	JSON   bool   `help:"Print JSON." name:"json"`
}

// Run prints what was found; the exit code is 1 when something is missing that nothing runs without.
func (c *doctorCmd) Run(io *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	list := serve.Examine(ctx, c.Python, ".")
	if c.JSON {
		enc := json.NewEncoder(io.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(list); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
		for _, f := range list {
			mark := "ok "
			switch {
			case !f.OK && f.Needed:
				mark = "NO "
			case !f.OK:
				mark = "off"
			}
			fmt.Fprintf(w, "%s  %s\t%s\n", mark, f.Name, f.Detail)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for _, f := range list {
		if f.Needed && !f.OK {
			return errReported
		}
	}
	return nil
}

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

type statusCmd struct{ server }

// Run prints a running server's workers.
func (c *statusCmd) Run(io *streams) error {
	a, err := c.ask("status", 10*time.Second)
	if err != nil {
		return err
	}
	if a.Server == nil {
		return errors.New("the server does not tell its status")
	}
	if c.JSON {
		enc := json.NewEncoder(io.out)
		enc.SetIndent("", "  ")
		return enc.Encode(a.Server)
	}
	s := a.Server
	fmt.Fprintf(io.out, "%s on %s, pid %d, transport %s, %d loop(s), up %v, %d worker restart(s)\n",
		s.Target, strings.Join(s.Addresses, ", "), s.PID, s.Transport, s.Loops, seconds(s.Uptime), s.Restarts)
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WORKER\tPID\tSTATE\tGENERATION\tAGE\tIN FLIGHT\tHANDLED\tMEMORY")
	for _, k := range s.Workers {
		fmt.Fprintf(w, "%d\t%d\t%s\t%d\t%v\t%d\t%d\t%d MiB\n", k.ID, k.PID, k.State, k.Generation,
			k.Age.Round(time.Second), k.InFlight, k.Handled, k.Memory>>20)
	}
	return w.Flush()
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

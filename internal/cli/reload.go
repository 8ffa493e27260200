package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/covetpy/covet/internal/serve"
)

// server is the option that names a running server.
type server struct {
	Address string `help:"The server: the address or just the port it was started with." default:"127.0.0.1:8000" env:"COVET_ADDRESS" short:"a"`
	Port    int    `help:"Short for --address 127.0.0.1:PORT." placeholder:"PORT"`
	JSON    bool   `help:"Print JSON." name:"json"`
}

func (s *server) ask(verb string, patience time.Duration) (serve.Answer, error) {
	if s.Port != 0 {
		s.Address = fmt.Sprintf("127.0.0.1:%d", s.Port)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return serve.Ask(ctx, s.Address, serve.Question{Verb: verb})
}

type reloadCmd struct {
	server
	Timeout time.Duration `help:"Wait so long for the new workers." default:"2m"`
}

// Run swaps the workers and waits until the new ones serve.
func (c *reloadCmd) Run(io *streams) error {
	a, err := c.ask("reload", c.Timeout)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(io.out).Encode(a); err != nil {
			return err
		}
		if a.Failure != nil {
			return errReported
		}
		return nil
	}
	if a.Failure != nil {
		return fmt.Errorf("the old workers go on: %w", a.Failure)
	}
	fmt.Fprintf(io.out, "reloaded in %.2f s\n", a.Seconds)
	return nil
}

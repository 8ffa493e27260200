package cli

import "github.com/covetpy/covet/config"

type devCmd struct {
	target
	File configFile `name:"config" help:"Configuration file (TOML); default: covet.toml, if it is there." placeholder:"PATH" env:"COVET_CONFIG"`
	config.Config
}

// Run serves with one worker unless told otherwise, and reloads when a file changes.
func (c *devCmd) Run(io *streams) error {
	if c.Workers.Workers == 0 {
		c.Workers.Workers = 1 // output of several workers interleaves, and one is enough for one developer
	}
	return serveApp(io, c.target, &c.Config, true)
}

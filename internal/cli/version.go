package cli

import (
	"fmt"
	"runtime"

	"github.com/covetpy/covet/internal/serve"
)

type versionCmd struct{}

// Run prints the version of the engine.
func (c *versionCmd) Run(io *streams) error {
	_, err := fmt.Fprintf(io.out, "covet %s (%s %s/%s)\n", serve.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

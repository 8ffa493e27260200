//go:build !(linux && (amd64 || arm64))

package ringloop

import (
	"errors"

	"github.com/covetpy/covet/internal/transport"
)

var errSystem = errors.New("ringloop: io_uring exists only on Linux, and is used on amd64 and arm64")

// New reports that there is no io_uring on this system.
func New(transport.Config) (transport.Group, error) { return nil, errSystem }

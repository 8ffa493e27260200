//go:build !unix

package netloop

import (
	"errors"
	"fmt"

	"github.com/covetpy/covet/internal/transport"
)

// doorbell cannot be made on this system: there is no descriptor to wait for.
type doorbell struct{ s transport.Source }

func openDoorbell(int) (*doorbell, error) {
	return nil, fmt.Errorf("netloop: doorbell: %w", errors.ErrUnsupported)
}

func (d *doorbell) listen(*loop) {}
func (d *doorbell) close()       {}

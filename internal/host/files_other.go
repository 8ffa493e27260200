//go:build !unix

package host

import (
	"errors"
	"fmt"
)

// FileLimit is how many descriptors the process may have open: not told by this system.
func FileLimit() (soft, hard uint64, err error) {
	return 0, 0, fmt.Errorf("host: file limit: %w", errors.ErrUnsupported)
}

// RaiseFileLimit raises the soft limit of open descriptors to the hard one: this system has none.
func RaiseFileLimit() (soft uint64, err error) {
	return 0, fmt.Errorf("host: file limit: %w", errors.ErrUnsupported)
}

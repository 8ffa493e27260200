//go:build !linux && !darwin

package host

import (
	"errors"
	"fmt"
)

// CPUQuota is how many processors' time the process is allowed: not told by this system.
func CPUQuota() (cpus float64, ok bool) { return 0, false }

// Memory is the memory of the machine: not told by this system.
func Memory() (bytes uint64, ok bool) { return 0, false }

// Kernel is the version of the running kernel: not told by this system.
func Kernel() (Version, error) {
	return Version{}, fmt.Errorf("host: kernel version: %w", errors.ErrUnsupported)
}

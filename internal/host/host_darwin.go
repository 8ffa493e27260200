package host

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// CPUQuota is how many processors' time the process is allowed: this system has no quotas.
func CPUQuota() (cpus float64, ok bool) { return 0, false }

// Memory is the memory of the machine, in bytes. Ok is false where the system does not tell.
func Memory() (bytes uint64, ok bool) {
	n, err := unix.SysctlUint64("hw.memsize")
	return n, err == nil
}

// Kernel is the version of the running kernel.
func Kernel() (Version, error) {
	s, err := unix.Sysctl("kern.osrelease")
	if err != nil {
		return Version{}, fmt.Errorf("host: kern.osrelease: %w", err)
	}
	return parseVersion(s), nil
}

package host

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func this() machine { return machine{root: os.DirFS("/")} }

// CPUQuota is how many processors' time the cgroups of the process allow, by cpu.max (v2) or cpu.cfs_quota_us (v1)
// of the cgroup and of those above it. Ok is false where there is no quota.
func CPUQuota() (cpus float64, ok bool) { return this().cpuQuota() }

// Memory is the memory that the process may use, in bytes: the limit of its cgroups or all that the machine has.
// Ok is false where the system does not tell.
func Memory() (bytes uint64, ok bool) { return this().memory() }

// Kernel is the version of the running kernel.
func Kernel() (Version, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Version{}, fmt.Errorf("host: uname: %w", err)
	}
	return parseVersion(unix.ByteSliceToString(u.Release[:])), nil
}

// Package host tells what the machine, or the container, offers to the process: processors, memory, open files, the
// kernel. It only reads, but for [RaiseFileLimit]. Nothing is remembered: limits of a container change while it runs.
//
//	workers := host.CPUs()
package host

import (
	"runtime"
	"strconv"
	"strings"
)

// CPUs is the number of processors that the process can keep busy, at least 1: those it may be scheduled on, bounded
// by the quota of its cgroups, rounded up.
func CPUs() int { return cpus(runtime.NumCPU(), CPUQuota) }

func cpus(allowed int, quota func() (float64, bool)) int {
	if q, ok := quota(); ok && q < float64(allowed) {
		// Half a processor more is still worth a worker.
		whole := int(q)
		if float64(whole) < q {
			whole++
		}
		allowed = whole
	}
	return max(allowed, 1)
}

// Version is a kernel's. The zero Version is unknown.
type Version struct {
	Major, Minor, Patch int
	// Release is the whole of it, as the system says it.
	Release string
}

// AtLeast reports whether v is major.minor or later. It is for messages: whether a feature is there is found out by
// trying it, because distributions move features between versions.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// parseVersion takes the numbers at the front of a release such as "6.8.0-45-generic".
func parseVersion(release string) Version {
	v := Version{Release: release}
	rest := release
	for _, n := range []*int{&v.Major, &v.Minor, &v.Patch} {
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		var err error
		if *n, err = strconv.Atoi(rest[:end]); err != nil {
			*n = 0
			return v
		}
		var more bool
		if rest, more = strings.CutPrefix(rest[end:], "."); !more {
			return v
		}
	}
	return v
}

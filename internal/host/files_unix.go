//go:build unix

package host

import (
	"fmt"
	"syscall"
)

// FileLimit is how many descriptors the process may have open (RLIMIT_NOFILE): now, and at most after
// RaiseFileLimit.
func FileLimit() (soft, hard uint64, err error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, 0, fmt.Errorf("host: getrlimit: %w", err)
	}
	return uint64(r.Cur), uint64(r.Max), nil
}

// RaiseFileLimit raises the soft limit of open descriptors to the hard one and returns what holds now. Children get
// the raised limit only if there was something to raise: the Go runtime raises its own limit at start and gives its
// children the original one, which is what programs that use select(2) need.
func RaiseFileLimit() (soft uint64, err error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("host: getrlimit: %w", err)
	}
	if r.Cur >= r.Max {
		return uint64(r.Cur), nil
	}
	was := uint64(r.Cur)
	r.Cur = r.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		// Darwin refuses "infinity", which its hard limit may be.
		return was, fmt.Errorf("host: setrlimit: %w", err)
	}
	return uint64(r.Cur), nil
}

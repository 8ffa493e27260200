package serve

import (
	"context"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/covetpy/covet/internal/host"
)

// fewFiles is the usual limit of open files. Under it somebody has lowered it on purpose or by mistake, and connections
// will wait unanswered: that is worth a warning.
const fewFiles = 1024

// idleConnection is what the engine needs for a connection that waits for its next request, in bytes: measured are 1.0
// to 1.6 KiB.
const idleConnection = 2 << 10

// checkLimits holds what the configuration allows against what the system does, and says what does not fit before
// clients find out.
func (s *instance) checkLimits() {
	conns := uint64(s.Config.MaxConnections)
	soft, err := host.RaiseFileLimit()
	if err != nil {
		s.log.Warn("the limit of open files cannot be raised", "error", err)
	} else if soft < conns {
		level := slog.LevelDebug
		if soft < fewFiles {
			level = slog.LevelWarn
		}
		s.log.Log(context.Background(), level, "fewer descriptors than connections are allowed", "descriptors", soft, "max_connections", conns)
	}
	memory, known := host.Memory()
	if !known {
		return
	}
	if need := conns * idleConnection; need > memory/2 {
		s.log.Warn("less memory than the allowed connections may need", "memory_bytes", memory, "max_connections", conns,
			"needed_bytes", need)
	}
	// Before a container's limit ends the process, the collector may as well work harder. A limit that was set
	// from outside (GOMEMLIMIT) stays.
	if debug.SetMemoryLimit(-1) == math.MaxInt64 && memory < math.MaxInt64 {
		debug.SetMemoryLimit(int64(memory / 4 * 3))
	}
}

package engine

import (
	"fmt"

	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/transport/epollloop"
	"github.com/covetpy/covet/internal/transport/netloop"
	"github.com/covetpy/covet/internal/transport/ringloop"
)

// pick makes the loops of a kind. "auto" takes io_uring where the kernel, and whatever filters its system calls,
// grants it: really setting up the rings is the only reliable question. Reason says why it was not that.
func pick(kind string, cfg transport.Config) (g transport.Group, reason string, err error) {
	switch kind {
	case "auto":
		ring, err := ringloop.New(cfg)
		if err == nil {
			return ring, "", nil
		}
		reason = err.Error()
		g, err = epollloop.New(cfg)
		if err != nil {
			return nil, "", fmt.Errorf("engine: no transport: uring: %s; epoll: %w", reason, err)
		}
		return g, reason, nil
	case "uring":
		g, err = ringloop.New(cfg)
	case "epoll":
		g, err = epollloop.New(cfg)
	case "net":
		g, err = netloop.New(cfg)
	default:
		return nil, "", fmt.Errorf("engine: there is no transport %q: auto, uring, epoll or net", kind)
	}
	if err != nil {
		return nil, "", fmt.Errorf("engine: transport %s: %w", kind, err)
	}
	return g, "", nil
}

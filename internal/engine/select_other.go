//go:build !linux

package engine

import (
	"fmt"
	"runtime"

	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/transport/netloop"
)

// pick makes the loops of a kind: away from Linux there is only package net.
func pick(kind string, cfg transport.Config) (g transport.Group, reason string, err error) {
	switch kind {
	case "auto", "net":
		if g, err = netloop.New(cfg); err != nil {
			return nil, "", fmt.Errorf("engine: transport net: %w", err)
		}
		return g, "", nil
	case "uring", "epoll":
		return nil, "", fmt.Errorf("engine: transport %s: exists on linux only, this is %s", kind, runtime.GOOS)
	}
	return nil, "", fmt.Errorf("engine: there is no transport %q: auto, uring, epoll or net", kind)
}

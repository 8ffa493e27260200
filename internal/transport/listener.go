package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Listener is an open listening socket with its address. The descriptor is non-blocking.
type Listener struct {
	// L is the socket as package net sees it.
	L net.Listener
	// Backlog of connections the kernel queues is the system's maximum (net.core.somaxconn).
}

// Addr is the address listened on, with the real port when port 0 was asked for.
func (l Listener) Addr() net.Addr { return l.L.Addr() }

// File returns a duplicate of the listening descriptor: the caller closes it. Used by loops that accept themselves
// and to hand listeners to a successor process.
func (l Listener) File() (*os.File, error) {
	switch s := l.L.(type) {
	case *net.TCPListener:
		return s.File()
	case *net.UnixListener:
		return s.File()
	}
	return nil, fmt.Errorf("transport: a %T has no descriptor", l.L)
}

// Open listens on address: "host:port", ":port" or "unix:/path". It does not set SO_REUSEPORT: a second server on
// the same port must fail with "address already in use" instead of silently taking half of the connections. The file
// of a Unix socket that a killed server has left behind is replaced; one that somebody listens on, and any other file,
// is an error.
func Open(ctx context.Context, address string) (Listener, error) {
	network := "tcp"
	if path, ok := unixPath(address); ok {
		network, address = "unix", path
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // MPTCP sockets refuse some io_uring and epoll fast paths
	for tries := takenTries; ; tries-- {
		l, err := lc.Listen(ctx, network, address)
		switch {
		case err == nil:
			return Listener{L: l}, nil
		case !errors.Is(err, syscall.EADDRINUSE) || tries == 0:
			return Listener{}, err
		}
		if network == "unix" && abandoned(ctx, address) {
			if err := os.Remove(address); err != nil && !errors.Is(err, os.ErrNotExist) {
				return Listener{}, err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return Listener{}, err
		case <-time.After(takenPause):
		}
	}
}

// The kernel closes what an io_uring holds a moment after its process has died (5 to 15 ms on an idle machine). A server
// that is started again at once must not fail because of it.
const (
	takenTries = 5
	takenPause = 50 * time.Millisecond
)

// abandoned reports whether path is a socket on which nobody listens any more: the kernel then refuses connections.
// Two servers that start at the same moment could both find it so; the second takes the name from the first, as it
// would a moment later from a supervisor's restart.
func abandoned(ctx context.Context, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return false
	}
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func unixPath(address string) (string, bool) {
	const prefix = "unix:"
	if len(address) > len(prefix) && address[:len(prefix)] == prefix {
		return address[len(prefix):], true
	}
	return "", false
}

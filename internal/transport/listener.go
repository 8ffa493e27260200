package transport

import (
	"context"
	"fmt"
	"net"
	"os"
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
// the same port must fail with "address already in use" instead of silently taking half of the connections.
func Open(ctx context.Context, address string) (Listener, error) {
	network := "tcp"
	if path, ok := unixPath(address); ok {
		network, address = "unix", path
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // MPTCP sockets refuse some io_uring and epoll fast paths
	l, err := lc.Listen(ctx, network, address)
	if err != nil {
		return Listener{}, err
	}
	return Listener{L: l}, nil
}

func unixPath(address string) (string, bool) {
	const prefix = "unix:"
	if len(address) > len(prefix) && address[:len(prefix)] == prefix {
		return address[len(prefix):], true
	}
	return "", false
}

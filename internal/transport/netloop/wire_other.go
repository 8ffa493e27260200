//go:build !unix

package netloop

import "net"

// newWire returns the best wire for nc.
func newWire(nc net.Conn) wire { return newPortable(nc) }

// waiting reports whether a connection waits to be accepted. Package net does not tell: they are lost.
func waiting(net.Listener) bool { return false }

//go:build !unix

package netloop

import "net"

// newWire returns the best wire for nc.
func newWire(nc net.Conn) wire { return newPortable(nc) }

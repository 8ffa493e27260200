//go:build linux && (amd64 || arm64)

package ringloop

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// remoteAddress and localAddress return the zero AddrPort when the socket has no such address any more.
func remoteAddress(fd int) netip.AddrPort {
	a, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(a)
}

func localAddress(fd int) netip.AddrPort {
	a, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(a)
}

// addrPort converts a. An IPv4 client of a socket that listens on both families is an IPv4 address.
func addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 && ip.Is6() {
			ip = ip.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{}
}

package transport

import "golang.org/x/sys/unix"

// Unacknowledged asks the kernel how many bytes of a TCP socket's output the peer has not acknowledged (tcp(7),
// SIOCOUTQ); 0 when it does not tell. It is for the loops' Conn.Unacknowledged.
func Unacknowledged(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

package transport

import "golang.org/x/sys/unix"

// soNWrite asks for the bytes in the send buffer (getsockopt(2), SO_NWRITE).
const soNWrite = 0x1024

// Unacknowledged asks the kernel how many bytes of a TCP socket's output the peer has not acknowledged; 0 when it does
// not tell. It is for the loops' Conn.Unacknowledged.
func Unacknowledged(fd int) int {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soNWrite)
	if err != nil {
		return 0
	}
	return n
}

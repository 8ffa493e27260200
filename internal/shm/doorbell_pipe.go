//go:build unix && !linux

package shm

import "golang.org/x/sys/unix"

func openDoorbell() (waitFD, ringFD int, err error) {
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		return -1, -1, err
	}
	unix.CloseOnExec(p[0])
	unix.CloseOnExec(p[1])
	return p[0], p[1], nil
}

func ring(fd int) {
	var one [1]byte
	_, _ = unix.Write(fd, one[:]) // a full pipe has been rung already
}

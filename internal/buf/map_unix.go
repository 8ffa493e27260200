//go:build unix

package buf

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mapSlab returns size bytes of zeroed anonymous memory. Pages are only taken when they are touched.
func mapSlab(size int) []byte {
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Sprintf("buf: out of memory: mapping %d bytes: %v", size, err))
	}
	return mem
}

func unmapSlab(mem []byte) {
	if err := unix.Munmap(mem); err != nil {
		panic(fmt.Sprintf("buf: unmapping %d bytes: %v", len(mem), err))
	}
}

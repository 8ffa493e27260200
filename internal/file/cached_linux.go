package file

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ReadNow fills p from the offset off if that needs no wait for a disk, and reports whether it did. When it did not,
// p holds nothing of use.
func (f *File) ReadNow(p []byte, off int64) bool {
	n, err := f.readNow(p, off)
	return err == nil && n == len(p)
}

// Cached reports whether the n bytes from the offset off are likely to be in memory, so that sending them does not
// wait for a disk: it looks at the first and the last of them. Where the file system does not tell, and where the file
// has no such bytes, it is true, and the attempt tells the rest. It reads into sink, the caller's
// memory of one byte or more, because a local one would be an allocation.
func (f *File) Cached(off int64, n int, sink []byte) bool {
	if _, err := f.readNow(sink[:1], off); errors.Is(err, unix.EAGAIN) {
		return false
	}
	_, err := f.readNow(sink[:1], off+int64(n)-1)
	return !errors.Is(err, unix.EAGAIN)
}

func (f *File) readNow(p []byte, off int64) (int, error) {
	v := [1][]byte{p}
	for {
		if n, err := unix.Preadv2(f.fd, v[:], off, unix.RWF_NOWAIT); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

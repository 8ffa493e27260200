// Package file provides an open regular file that several responses may be sending at the same time.
//
// A File counts its references. Whoever keeps one beyond the call that it got it in takes a reference with Retain and
// gives it back with Release, once; the last Release closes the descriptor. All methods may be called from any
// goroutine.
package file

import (
	"os"
	"sync/atomic"
)

// File is an open regular file that is only read. Nobody seeks in it: every read names its offset.
type File struct {
	f    *os.File
	fd   int
	refs atomic.Int32
}

// New takes the ownership of f, which is open for reading, and returns it with one reference.
func New(f *os.File) *File {
	x := &File{f: f, fd: int(f.Fd())}
	x.refs.Store(1)
	return x
}

// Retain takes another reference and returns f.
func (f *File) Retain() *File {
	if f.refs.Add(1) < 2 {
		panic("file: retained after its last release")
	}
	return f
}

// Release gives a reference back.
func (f *File) Release() {
	switch n := f.refs.Add(-1); {
	case n == 0:
		_ = f.f.Close() // it was only read: nothing can be lost
	case n < 0:
		panic("file: released more often than retained")
	}
}

// Fd is the descriptor, valid while the caller holds a reference.
func (f *File) Fd() int { return f.fd }

// OS is the file, for reading at an offset, while the caller holds a reference. It must not be closed.
func (f *File) OS() *os.File { return f.f }

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

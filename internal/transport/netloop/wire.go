package netloop

import (
	"errors"
	"io"
	"net"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/transport"
)

// errAgain says that take or put would have to wait.
var errAgain = errors.New("netloop: not now")

// wire moves the bytes of one connection. Take, broken and put are called on the loop and do not block; await and
// awaitPut are called on a goroutine of the connection's own. Await never runs at the same time as take or broken,
// nor awaitPut as put: the loop hands the turn over and gets it back by a task. An error of await or awaitPut that is
// not net.ErrClosed is told again by the call that follows.
type wire interface {
	// await blocks until take has something to tell.
	await() error
	// broken returns the socket's error, if that is what take would tell once the input before it is taken.
	broken() error
	// take reads into p: errAgain when there is nothing, io.EOF at the end.
	take(p []byte) (int, error)
	// awaitPut blocks until put should be tried again.
	awaitPut() error
	// put writes from p and tells how much the kernel has taken: errAgain when it takes nothing. Then the next call's
	// p begins with the same bytes.
	put(p []byte) (int, error)
	// putFile is put for the n > 0 bytes of f from the offset off; after errAgain the next call begins with the same
	// file and offset. The caller keeps a reference to f until the next call or the end of the connection. The error is
	// transport.ErrShortFile when f has no byte there.
	putFile(f *file.File, off int64, n int) (int, error)
}

// stashSize is how much a portable wire reads at once. Each of its connections has that much memory: the price of
// a package net that can only wait by reading.
const stashSize = 4 << 10

// fileSize is how much of a file a portable wire reads at once, in bytes: memory for as long as it is written.
const fileSize = 64 << 10

// portable is a wire over nothing but net.Conn.
type portable struct {
	nc    net.Conn
	stash [stashSize]byte
	r, w  int   // the stash holds stash[r:w]
	err   error // what came after the stash

	out    []byte     // a copy of the output that is being written
	file   *file.File // or the file to take it from, from fileAt on, fileN bytes, with a reference
	fileAt int64
	fileN  int
	outErr error
	wrote  int // bytes of out that the kernel has taken
}

var _ wire = (*portable)(nil)

func newPortable(nc net.Conn) wire { return &portable{nc: nc} }

func (p *portable) await() error {
	if p.r < p.w || p.err != nil {
		return nil
	}
	p.r, p.w = 0, 0
	p.w, p.err = p.nc.Read(p.stash[:])
	return nil
}

func (p *portable) broken() error {
	if p.r < p.w || errors.Is(p.err, io.EOF) {
		return nil
	}
	return p.err
}

func (p *portable) take(b []byte) (int, error) {
	if p.r == p.w {
		if p.err != nil {
			return 0, p.err
		}
		return 0, errAgain
	}
	n := copy(b, p.stash[p.r:p.w])
	p.r += n
	return n, nil
}

// put copies the output for awaitPut to write, and tells of it when it was asked again.
func (p *portable) put(b []byte) (int, error) {
	if len(p.out) == 0 {
		p.out = append(p.out, b...)
		return 0, errAgain
	}
	return p.written()
}

// written tells once what became of the output.
func (p *portable) written() (int, error) {
	n, err := p.wrote, p.outErr
	p.out, p.wrote, p.outErr = nil, 0, nil // an idle connection holds no output buffer
	if err != nil {
		return 0, err
	}
	return n, nil
}

// putFile lets awaitPut read and write: package net sends files by their position, which all who send one share.
func (p *portable) putFile(f *file.File, off int64, n int) (int, error) {
	if len(p.out) == 0 && p.outErr == nil {
		p.file, p.fileAt, p.fileN = f.Retain(), off, n // the connection may be gone before awaitPut has read
		return 0, errAgain
	}
	return p.written()
}

// load makes the next part of the file the output.
func (p *portable) load() error {
	f := p.file
	p.file = nil
	defer f.Release()
	p.out = make([]byte, min(p.fileN, fileSize))
	n, err := f.ReadAt(p.out, p.fileAt)
	p.out = p.out[:n]
	switch {
	case n > 0:
		return nil
	case errors.Is(err, io.EOF):
		return transport.ErrShortFile
	}
	return err
}

func (p *portable) awaitPut() error {
	if p.file != nil {
		if p.outErr = p.load(); p.outErr != nil {
			return nil
		}
	}
	p.wrote, p.outErr = p.nc.Write(p.out)
	if p.outErr == nil && p.wrote < len(p.out) {
		p.outErr = io.ErrShortWrite
	}
	return nil
}

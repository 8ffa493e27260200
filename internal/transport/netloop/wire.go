package netloop

import (
	"errors"
	"io"
	"net"
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
}

// stashSize is how much a portable wire reads at once. Each of its connections has that much memory: the price of
// a package net that can only wait by reading.
const stashSize = 4 << 10

// portable is a wire over nothing but net.Conn.
type portable struct {
	nc    net.Conn
	stash [stashSize]byte
	r, w  int   // the stash holds stash[r:w]
	err   error // what came after the stash

	out    []byte // a copy of the output that is being written
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
	n, err := p.wrote, p.outErr
	p.out, p.wrote, p.outErr = nil, 0, nil // an idle connection holds no output buffer
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (p *portable) awaitPut() error {
	p.wrote, p.outErr = p.nc.Write(p.out)
	if p.outErr == nil && p.wrote < len(p.out) {
		p.outErr = io.ErrShortWrite
	}
	return nil
}

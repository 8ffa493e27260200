//go:build linux && (amd64 || arm64)

package ringloop

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/uring"
)

// fileBudget bounds what one connection sends of files in one turn, in bytes, so that a fast peer does not keep the
// others waiting.
const fileBudget = 1 << 20

// output prepares the sending of what the output of c begins with. It returns false when the submission queue is full.
//
// Files are sent by sendfile(2), on the loop: the other ways cost more, see docs/internals/performance.md. The call
// does not wait, neither for the peer (the socket is in non-blocking mode) nor, nearly always, for a disk (what is not
// in memory is fetched first, elsewhere).
func (l *loop) output(c *conn) bool {
	for budget := fileBudget; ; {
		front, off, left := c.out.FrontFile()
		if front == nil || c.ending {
			break // ending: Drained may have aborted
		}
		if budget <= 0 {
			c.markDirty() // the rest in the next turn
			return true
		}
		f, n := front.(*file.File), min(left, transport.FileStep)
		if !c.files.Ready(l, &l.group.fetcher, f, off, n, l.byte[:], (*onFetched)(c)) {
			return true
		}
		l.off = off // of the loop: the address of a local one would be an allocation
		switch n, err := unix.Sendfile(c.fd, f.Fd(), &l.off, n); {
		case n > 0:
			c.out.Consume(n)
			budget -= n
			l.drained(c)
			// Drained may have written: it comes after the sources' Flush of this turn.
			l.again = true
		case err == nil:
			c.cut(transport.ErrShortFile)
			return true
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			c.sending = l.ring.Room(c.fd, c.userData(kindRoom))
			return c.sending
		default:
			c.cut(os.NewSyscallError("sendfile", err))
			return true
		}
	}
	if c.out.Pending() == 0 || c.ending {
		return true
	}
	return l.send(c)
}

// send prepares the sending of the memory that the output of c begins with.
func (l *loop) send(c *conn) bool {
	vecs := c.out.Vectors(l.vecs[:0])
	total := 0
	for _, v := range vecs {
		total += len(v)
	}
	if zc := l.group.tuning.zeroCopy; zc > 0 && total >= zc && !c.unix && !c.copies {
		// Never with more to come: what is held back for it is not acknowledged, and so not released.
		c.sending = l.ring.SendZeroCopy(c.fd, vecs, false, c.userData(kindSend))
	} else {
		more := total < c.out.Pending() // the head of a file travels with its first bytes
		c.sending = l.ring.SendVec(c.fd, vecs, more, c.userData(kindSend))
	}
	clear(vecs)
	return c.sending
}

// sent handles a completion of a send.
func (l *loop) sent(c *conn, e uring.CQE) {
	if e.More() {
		// Sent without copying: the kernel has the bytes, and still reads the blocks.
		c.unreleased, c.sentBytes = true, max(int(e.Res), 0)
		if e.Res < 0 {
			l.sendFailed(c, unix.Errno(-e.Res))
		}
		l.drained(c)
		return
	}
	c.sending = false
	switch {
	case c.unreleased:
		c.unreleased = false
		c.out.Consume(c.sentBytes) // Drained, if it was due, has been told
		c.sentBytes = 0
		c.markDirty()
	case e.Res < 0:
		l.sendFailed(c, unix.Errno(-e.Res))
		c.markDirty()
	default:
		c.out.Consume(int(e.Res))
		if c.out.Pending() > 0 || c.closing || c.fin {
			c.markDirty()
		}
		l.drained(c)
	}
}

func (l *loop) sendFailed(c *conn, errno unix.Errno) {
	switch errno {
	case unix.EINTR, unix.EAGAIN, unix.ENOBUFS, unix.ECANCELED:
	case unix.EOPNOTSUPP:
		if !c.copies {
			c.copies = true // this socket cannot send without copying: multipath TCP
			return
		}
		fallthrough
	default:
		c.cut(os.NewSyscallError("send", errno))
	}
}

// drained tells the session that all output is gone, if it is.
func (l *loop) drained(c *conn) {
	if c.Pending() == 0 && !c.closing {
		c.sess.Drained()
	}
}

// roomy handles the completion of a wait for room. An error of the socket is told by the attempt that follows.
func (l *loop) roomy(c *conn, _ uring.CQE) {
	c.sending = false
	c.markDirty()
}

// onFetched is a conn as the receiver of what was fetched for it.
type onFetched conn

// Run implements mailbox.Runner.
func (o *onFetched) Run() {
	if c := (*conn)(o); !c.gone {
		c.markDirty()
	}
}

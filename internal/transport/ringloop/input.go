//go:build linux && (amd64 || arm64)

package ringloop

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/uring"
)

// pausedInput is how much input a paused connection keeps, at most, before its receive is cancelled: a pause for the
// time of one request must not cost a cancellation, and a long one must not cost memory.
const pausedInput = 16 << 10

// received handles a completion of a receive.
func (l *loop) received(c *conn, e uring.CQE) {
	if !e.More() {
		// The multishot receive is over, whatever the reason: settling arms it again if it is still wanted.
		c.recvArmed, c.recvCancel = false, false
		c.markDirty()
	}
	id, filled := e.Buffer()
	switch {
	case e.Res > 0 && filled:
		l.input(c, l.bufs.Bytes(id, int(e.Res)))
	case e.Res == 0:
		c.peerEOF = true
		l.tellEOF(c)
	case e.Res < 0:
		l.receiveFailed(c, unix.Errno(-e.Res))
	}
	if filled {
		l.bufs.Return(id) // what was not consumed has been copied
	}
}

func (l *loop) receiveFailed(c *conn, errno unix.Errno) {
	switch errno {
	case unix.ECANCELED: // paused, full or ending
	case unix.EINTR, unix.EAGAIN:
	case unix.ENOBUFS:
		// All provided buffers were full. Each of them is back when this batch has been handled.
	default:
		c.end(os.NewSyscallError("recv", errno))
	}
}

// input handles bytes that arrived, in a buffer that goes back when it returns.
func (l *loop) input(c *conn, p []byte) {
	if c.closing {
		return // read and dropped: unread input would turn the coming FIN into a reset
	}
	if !c.paused && c.in.Len() == 0 {
		p = p[l.consume(c, p):]
	}
	if len(p) == 0 || c.closing {
		return
	}
	kept := c.in.Len()
	c.in.Append(p)
	// At MaxInput the session has seen all that it may see: what still comes before the receive is cancelled waits.
	if kept > 0 && kept < l.group.cfg.MaxInput {
		l.offer(c)
	}
	if c.in.Len() >= l.inputLimit(c) {
		c.markDirty()
	}
}

// inputLimit is how much unread input stops reading.
func (l *loop) inputLimit(c *conn) int {
	if c.paused {
		return min(pausedInput, l.group.cfg.MaxInput)
	}
	return l.group.cfg.MaxInput
}

// consume offers p to the session, at most MaxInput at a time, for as long as it makes progress and there is more
// than it has seen. It returns how much was consumed.
func (l *loop) consume(c *conn, p []byte) (total int) {
	for !c.paused && !c.closing && len(p) > 0 {
		view := p[:min(len(p), l.group.cfg.MaxInput)]
		view = view[:len(view):len(view)]
		n := c.sess.Data(view)
		if n < 0 || n > len(view) {
			panic(fmt.Sprintf("ringloop: a session consumed %d bytes of %d", n, len(view)))
		}
		total += n
		if n == 0 || len(view) == len(p) {
			break
		}
		p = p[n:]
	}
	return total
}

// offer offers the unread input that was kept, and then the end of it.
func (l *loop) offer(c *conn) {
	if n := l.consume(c, c.in.Unread()); n > 0 {
		c.in.Consume(n)
	}
	if !c.recvArmed || c.recvCancel {
		c.markDirty()
	}
	l.tellEOF(c)
}

// tellEOF tells the end of input once everything before it has been offered: what arrived beyond MaxInput has not, nor
// has what a resumed connection still waits to be offered.
func (l *loop) tellEOF(c *conn) {
	if c.peerEOF && !c.eofTold && !c.paused && !c.offering && !c.closing && c.in.Len() <= l.group.cfg.MaxInput {
		c.eofTold = true
		c.sess.EOF()
	}
}

// offerLater puts c on the list of connections that were resumed.
func (l *loop) offerLater(c *conn) {
	if !c.offering {
		c.offering = true
		c.offersNext = l.offers
		l.offers = c
	}
}

// offerResumed offers unread input to every connection that was resumed in this turn. Those that resume meanwhile
// come in the next turn: a session that pauses and resumes for ever must not stop the others.
func (l *loop) offerResumed() (worked bool) {
	list := l.offers
	l.offers = nil
	for list != nil {
		c := list
		list, c.offersNext, c.offering = c.offersNext, nil, false
		if !c.gone && (c.in.Len() > 0 || c.peerEOF && !c.eofTold) {
			l.offer(c)
			worked = true
		}
	}
	return worked
}

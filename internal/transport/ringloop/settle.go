//go:build linux && (amd64 || arm64)

package ringloop

import "golang.org/x/sys/unix"

// settle brings the kernel's view of every dirty connection in line with what is wanted.
func (l *loop) settle() {
	list := l.dirty
	l.dirty = nil
	for list != nil {
		c := list
		list, c.dirtyNext, c.dirty = c.dirtyNext, nil, false
		if c.gone {
			continue
		}
		if c.ending && !l.finish(c) || !c.ending && !l.arm(c) {
			c.markDirty() // the submission queue is full: again in the next turn
		}
	}
}

// arm prepares what a living connection needs: its output, its end, its input. It returns false when the submission
// queue is full.
func (l *loop) arm(c *conn) bool {
	if !c.sending && c.out.Pending() > 0 && !l.output(c) {
		return false
	}
	if c.ending {
		return l.finish(c) // the output met an error
	}
	if c.out.Pending() == 0 {
		if !c.sending {
			c.out.Release() // a block that was reserved and not used
		}
		if c.closing {
			c.end(nil)
			return l.finish(c)
		}
		if c.fin && !c.finSent {
			c.finSent = true
			// An error means that the connection is gone already: the receive says so.
			_ = unix.Shutdown(c.fd, unix.SHUT_WR)
		}
	}
	want := !c.peerEOF && (c.closing || c.in.Len() < l.inputLimit(c))
	switch {
	case want && !c.recvArmed:
		if !l.ring.Recv(c.fd, l.bufs.Group(), c.userData(kindRecv)) {
			return false
		}
		c.recvArmed = true
	case !want && c.recvArmed && !c.recvCancel:
		if !l.ring.Cancel(c.userData(kindRecv), pack(kindNone, 0, 0)) {
			return false
		}
		c.recvCancel = true
	}
	return true
}

// finish takes an ending connection one step further: cancel what is armed, wait for it, release. It returns false
// when the submission queue is full.
func (l *loop) finish(c *conn) bool {
	if c.recvArmed || c.sending && !c.unreleased {
		if !c.cancelled {
			if !l.ring.CancelFD(c.fd, pack(kindNone, 0, 0)) {
				return false
			}
			c.cancelled = true
		}
		return true // the completions mark it dirty again
	}
	if !c.shut {
		if (c.reset || c.unreleased) && !c.unix {
			// Linger 0 makes close send RST and drop what the kernel has of the output (RFC 9293, 3.10.4). Output that
			// it has not copied is released by that only: a peer that does not read would hold it for ever.
			_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		}
		if !l.ring.CloseFD(c.fd, pack(kindNone, 0, 0)) {
			return false
		}
		c.shut = true
	}
	if c.unreleased {
		return true
	}
	c.gone = true
	l.conns.remove(c.index)
	c.in.Release()
	c.out.Release()
	if c.sess != nil {
		c.sess.Closed(c.err)
	}
	l.group.conns.Add(-1)
	l.again = true // what Closed wrote to a source is flushed before the loop sleeps
	return true
}

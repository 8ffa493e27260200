//go:build linux && (amd64 || arm64)

package ringloop

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/transport"
)

// endingPatience bounds the wait for the last completions of a loop that ends. They are due at once: only a kernel
// that loses one makes it pass, and then memory is given up rather than reused.
const endingPatience = 2 * time.Second

// endAll aborts every connection and begins the end of the loop.
func (l *loop) endAll() {
	if l.ending {
		return
	}
	l.ending, l.until = true, time.Now().Add(endingPatience)
	for i := range l.conns.slots {
		if c := l.conns.slots[i].item; c != nil {
			c.Abort()
		}
	}
}

// ended reports whether the loop's end is reached.
func (l *loop) ended() bool {
	if !l.ending {
		return false
	}
	if l.err != nil {
		return true // the ring does not work: nothing more will complete
	}
	return l.conns.used == 0 && l.listeners.used == 0 || time.Now().After(l.until)
}

var errStuck = errors.New("ringloop: completions are missing: memory was given up")

// shut frees what the loop held.
func (l *loop) shut() {
	l.mail.Drain()      // once: a task that posts itself must not keep the loop
	_ = l.ring.Submit() // the last closes
	clean := l.conns.used == 0
	for i := range l.conns.slots {
		if c := l.conns.slots[i].item; c != nil {
			c.gone = true
			c.out.Abandon()
			if !c.shut {
				_ = unix.Close(c.fd)
			}
			if c.sess != nil {
				c.sess.Closed(transport.ErrAborted)
			}
			l.group.conns.Add(-1)
		}
	}
	for i := range l.listeners.slots {
		if s := l.listeners.slots[i].item; s != nil {
			s.finish()
		}
	}
	err := l.ring.Close()
	if clean {
		// With nothing in flight the kernel writes to none of this any more.
		err = errors.Join(err, l.bufs.Free(), l.pool.Close())
	} else {
		err = errors.Join(err, errStuck)
	}
	if l.silent() {
		err = errors.Join(err, unix.Close(l.wake))
	}
	if l.err == nil {
		l.err = err
	}
}

// silent waits until every poster that took the right to ring has done so: the eventfd must not be closed under its
// write, which could then reach another descriptor of the same number.
func (l *loop) silent() bool {
	var got uint64
	for deadline := time.Now().Add(endingPatience); ; {
		var b [8]byte
		if n, err := unix.Read(l.wake, b[:]); err == nil && n == len(b) {
			got += binary.NativeEndian.Uint64(b[:])
		}
		if got >= l.rung {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(l.wake), Events: unix.POLLIN}}, int(endingWait/time.Millisecond))
	}
}

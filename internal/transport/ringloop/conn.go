//go:build linux && (amd64 || arm64)

package ringloop

import (
	"net/netip"

	"github.com/covetpy/covet/internal/buf"
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/transport"
)

// conn is one connection. It is made for each connection anew and never reused: a session that keeps it too long
// does no harm.
type conn struct {
	l    *loop
	sess transport.Session
	in   buf.In
	out  buf.Out

	files transport.FileParts

	id         uint64
	index, gen uint32 // its place in the loop's table
	fd         int
	unix       bool
	remote     netip.AddrPort
	local      netip.AddrPort

	// What the kernel has of it.
	recvArmed  bool // a receive is armed or about to be submitted
	recvCancel bool // and its cancellation, too
	sending    bool // one send is in flight, and the front of out belongs to the kernel; or a wait for room
	unreleased bool // of a zero-copy send, the first completion came: the second one ends it
	sentBytes  int  // so many bytes at the front of out are the kernel's, taken and not released
	copies     bool // the socket refuses zero-copy sends
	finSent    bool

	// What is wanted.
	paused  bool
	fin     bool // CloseWrite
	closing bool // Close or Abort: output is ignored, the session only waits for Closed
	ending  bool // it ends now: cancel, await, release
	reset   bool // and with a reset
	err     error
	shut    bool // the descriptor is closed, or about to be

	peerEOF bool
	eofTold bool
	gone    bool // Closed was told, or nobody is there to be told

	dirty      bool // is on the loop's list of connections to settle
	offering   bool // is on the loop's list of connections to offer input to
	cancelled  bool // everything was cancelled
	dirtyNext  *conn
	offersNext *conn
}

var _ transport.Conn = (*conn)(nil)

// Loop implements transport.Conn.
func (c *conn) Loop() transport.Loop { return c.l }

// ID implements transport.Conn.
func (c *conn) ID() uint64 { return c.id }

// Remote implements transport.Conn.
func (c *conn) Remote() netip.AddrPort { return c.remote }

// Local implements transport.Conn.
func (c *conn) Local() netip.AddrPort {
	if !c.local.IsValid() && !c.unix && !c.gone && !c.shut {
		c.local = localAddress(c.fd)
	}
	return c.local
}

// deaf reports whether output is ignored.
func (c *conn) deaf() bool { return c.closing || c.fin || c.gone }

// Reserve implements transport.Conn.
func (c *conn) Reserve(n int) []byte {
	if c.deaf() {
		return c.l.sinkhole(n)
	}
	c.markDirty() // also when nothing is committed: the block goes back at the end of the turn
	return c.out.Reserve(n)
}

// Commit implements transport.Conn.
func (c *conn) Commit(n int) {
	if !c.deaf() {
		c.out.Commit(n)
	}
}

// Write implements transport.Conn.
func (c *conn) Write(p []byte) {
	if !c.deaf() && len(p) > 0 {
		c.markDirty()
		c.out.Write(p)
	}
}

// SendFile implements transport.Conn.
func (c *conn) SendFile(f *file.File, off, n int64) {
	if n <= 0 || c.deaf() {
		return
	}
	if !transport.FileFits(c.out.Pending(), n) {
		c.Abort()
		return
	}
	c.markDirty()
	if n <= transport.SmallFile && f.ReadNow(c.out.Reserve(int(n))[:n], off) {
		c.out.Commit(int(n))
		return
	}
	c.out.AppendFile(f.Retain(), off, int(n))
}

// Pending implements transport.Conn. What the kernel has taken and not released does not count.
func (c *conn) Pending() int { return c.out.Pending() - c.sentBytes }

// Unacknowledged implements transport.Conn.
func (c *conn) Unacknowledged() int {
	if c.unix || c.gone {
		return 0
	}
	return transport.Unacknowledged(c.fd)
}

// Pause implements transport.Conn. The receive stays armed until something arrives that has to be kept: a pause that
// ends before costs nothing.
func (c *conn) Pause() { c.paused = true }

// Resume implements transport.Conn.
func (c *conn) Resume() {
	if !c.paused || c.gone {
		return
	}
	c.paused = false
	c.l.offerLater(c) // even with nothing unread: inside Data the rest has not been put away yet
	if !c.recvArmed || c.recvCancel {
		c.markDirty()
	}
}

// CloseWrite implements transport.Conn.
func (c *conn) CloseWrite() {
	if !c.deaf() {
		c.fin = true
		c.markDirty()
	}
}

// Close implements transport.Conn.
func (c *conn) Close() {
	if !c.closing && !c.gone {
		c.closing = true
		c.markDirty()
	}
}

// Abort implements transport.Conn.
func (c *conn) Abort() {
	if c.ending || c.gone {
		return
	}
	c.cut(transport.ErrAborted)
}

// cut is end where output breaks off, for whatever reason: a FIN would make it look complete.
func (c *conn) cut(err error) {
	c.reset = c.reset || !c.ending
	c.end(err)
}

// end makes the connection end at the next settling, for the reason err, nil after Close.
func (c *conn) end(err error) {
	if !c.ending {
		c.closing, c.ending, c.err = true, true, err
		c.markDirty()
	}
}

func (c *conn) markDirty() {
	if !c.dirty {
		c.dirty = true
		c.dirtyNext = c.l.dirty
		c.l.dirty = c
	}
}

func (c *conn) userData(k kind) uint64 { return pack(k, c.gen, c.index) }

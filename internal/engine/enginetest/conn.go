package enginetest

import (
	"errors"
	"net/netip"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/transport"
)

// ErrReset is the error of a connection that the client reset.
var ErrReset = errors.New("enginetest: connection reset by the client")

// maxInput is the most unread input of a connection: enough for every limit a test sets.
const maxInput = 256 << 10

// Conn is both ends of a connection: the methods of transport.Conn are the server's end, the others the client's.
type Conn struct {
	group   *Group
	loop    *Loop
	id      uint64
	session transport.Session

	// Window is how many bytes of output the kernel takes before the client reads on; below 0 there is no bound.
	// Flushing lowers it.
	Window int

	arrived []byte // sent by the client, not yet read by the loop
	unread  []byte // read, not consumed by the session
	offered bool   // unread has been offered since it changed or since Resume
	paused  bool
	fin     bool // the client has closed its sending side
	finSeen bool // EOF has been delivered

	out      []byte // output that the kernel has not taken
	received []byte // output that it has taken
	owed     bool   // Drained is to be called when out is empty
	reserved []byte
	finSent  bool // FIN goes after out
	finTaken bool
	closing  bool
	ended    bool
	aborted  bool
	short    bool // a file had not what was to be sent of it
	inData   bool
	// Unacked is what Unacknowledged returns: output that has been taken by the kernel and not reached the client.
	Unacked int
	// Pauses counts the calls of Pause.
	Pauses int
}

var _ transport.Conn = (*Conn)(nil)

// Send is the client sending bytes; they reach the session in the next turn, in one call of Data.
func (c *Conn) Send(p string) { c.arrived = append(c.arrived, p...) }

// CloseSend is the client closing its sending side after what it has sent.
func (c *Conn) CloseSend() { c.fin = true }

// Reset is the client resetting the connection, at once.
func (c *Conn) Reset() { c.end(ErrReset) }

// Received returns what has reached the client since the last call.
func (c *Conn) Received() string {
	s := string(c.received)
	c.received = c.received[:0]
	return s
}

// Finished tells that the client has seen the end of the server's output: FIN, or the connection closed.
func (c *Conn) Finished() bool { return c.finTaken || c.ended }

// Ended tells that the connection is gone; Aborted, that the server cut it.
func (c *Conn) Ended() bool { return c.ended }

// Aborted tells that the server called Abort.
func (c *Conn) Aborted() bool { return c.aborted }

// Paused tells that the server does not read.
func (c *Conn) Paused() bool { return c.paused }

// Unread is the number of bytes of input that the session has not consumed.
func (c *Conn) Unread() int { return len(c.unread) + len(c.arrived) }

// deliver calls Data and EOF as the contract has them.
func (c *Conn) deliver() (worked bool) {
	if c.ended || c.closing || c.paused {
		return false
	}
	if room := maxInput - len(c.unread); len(c.arrived) > 0 && room > 0 {
		n := min(room, len(c.arrived))
		c.unread = append(c.unread, c.arrived[:n]...)
		c.arrived = c.arrived[n:]
		c.offered = false
	}
	if len(c.unread) > 0 && !c.offered {
		worked = true
		c.offered = true
		// A fresh copy, overwritten afterwards: whoever keeps a view sees rubbish.
		in := append([]byte(nil), c.unread...)
		c.inData = true
		n := c.session.Data(in)
		c.inData = false
		if n < 0 || n > len(in) {
			panic("enginetest: Data consumed what was not there")
		}
		for i := range in {
			in[i] = 0xEE
		}
		c.unread = append([]byte(nil), c.unread[n:]...)
		if c.ended || c.closing || c.paused {
			return true
		}
	}
	if c.fin && !c.finSeen && len(c.arrived) == 0 && (c.offered || len(c.unread) == 0) {
		worked, c.finSeen = true, true
		c.session.EOF()
	}
	return worked
}

// flush is the kernel taking output at the end of a turn.
func (c *Conn) flush() (worked bool) {
	if c.ended {
		return false
	}
	c.reserved = nil
	if n := len(c.out); n > 0 {
		if c.Window >= 0 {
			n = min(n, c.Window)
			c.Window -= n
		}
		c.received = append(c.received, c.out[:n]...)
		c.out = c.out[n:]
		worked = n > 0
	}
	if len(c.out) > 0 {
		return worked
	}
	c.out = nil
	if c.short {
		c.end(transport.ErrShortFile)
		return true
	}
	if c.finSent && !c.finTaken {
		c.finTaken, worked = true, true
	}
	if c.closing {
		if c.aborted {
			c.end(transport.ErrAborted)
		} else {
			c.end(nil)
		}
		return true
	}
	if c.owed {
		c.owed = false
		c.session.Drained()
		return true
	}
	return worked
}

func (c *Conn) end(err error) {
	if c.ended {
		return
	}
	c.ended = true
	for i := range c.loop.conns {
		if c.loop.conns[i] == c {
			c.loop.conns = append(c.loop.conns[:i], c.loop.conns[i+1:]...)
			break
		}
	}
	c.session.Closed(err)
}

func (c *Conn) check() {
	if c.ended {
		panic("enginetest: a connection was used after Closed")
	}
}

// Loop implements transport.Conn.
func (c *Conn) Loop() transport.Loop { return c.loop }

// ID implements transport.Conn.
func (c *Conn) ID() uint64 { return c.id }

// Remote implements transport.Conn.
func (c *Conn) Remote() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.1:40000") }

// Local implements transport.Conn.
func (c *Conn) Local() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.2:80") }

// Reserve implements transport.Conn. The slice has exactly the capacity asked for, so that an overrun shows.
func (c *Conn) Reserve(n int) []byte {
	c.check()
	if n > transport.MaxReserve {
		panic("enginetest: Reserve over MaxReserve")
	}
	c.reserved = make([]byte, 0, n)
	return c.reserved
}

// Commit implements transport.Conn.
func (c *Conn) Commit(n int) {
	c.check()
	if n > cap(c.reserved) {
		panic("enginetest: Commit over what was reserved")
	}
	c.Write(c.reserved[:n])
	c.reserved = nil
}

// Unacknowledged implements transport.Conn.
func (c *Conn) Unacknowledged() int { return c.Unacked }

// SendFile implements transport.Conn: the bytes are read at once, and a file that is too short ends the connection with
// the turn.
func (c *Conn) SendFile(f *file.File, off, n int64) {
	b := make([]byte, n)
	got, err := f.ReadAt(b, off)
	c.Write(b[:got])
	if int64(got) < n && err != nil {
		c.short = true
	}
}

// Write implements transport.Conn.
func (c *Conn) Write(p []byte) {
	c.check()
	if c.finSent || c.closing {
		panic("enginetest: output after CloseWrite or Close")
	}
	if c.short {
		return
	}
	c.out = append(c.out, p...)
	c.owed = c.owed || len(p) > 0
}

// Pending implements transport.Conn.
func (c *Conn) Pending() int { return len(c.out) }

// Pause implements transport.Conn.
func (c *Conn) Pause() {
	c.check()
	c.paused = true
	c.Pauses++
}

// Resume implements transport.Conn.
func (c *Conn) Resume() {
	c.check()
	c.paused, c.offered = false, false
}

// CloseWrite implements transport.Conn.
func (c *Conn) CloseWrite() {
	c.check()
	c.finSent = true
}

// Close implements transport.Conn.
func (c *Conn) Close() {
	c.check()
	c.closing = true
}

// Abort implements transport.Conn.
func (c *Conn) Abort() {
	c.check()
	c.aborted, c.closing = true, true
	c.out = nil
}

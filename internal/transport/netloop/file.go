package netloop

import (
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/transport"
)

// SendFile implements transport.Conn.
func (c *conn) SendFile(f *file.File, off, n int64) {
	if n <= 0 || c.mute() {
		return
	}
	if !transport.FileFits(c.out.Pending(), n) {
		c.Abort()
		return
	}
	c.owed = true
	c.touch()
	if n <= transport.SmallFile && f.ReadNow(c.out.Reserve(int(n))[:n], off) {
		c.out.Commit(int(n))
		return
	}
	c.out.AppendFile(f.Retain(), off, int(n))
}

// sendFile hands a part of the file at the front to the kernel.
func (c *conn) sendFile() (int, error) {
	front, off, left := c.out.FrontFile()
	f, n := front.(*file.File), min(left, transport.FileStep)
	if l := c.loop; !c.files.Ready(l, &l.g.fetcher, f, off, n, l.scratch, (*onFetched)(c)) {
		return 0, nil
	}
	return c.wire.putFile(f, off, n)
}

// onFetched is a conn as the receiver of what was fetched for it.
type onFetched conn

// Run implements mailbox.Runner.
func (o *onFetched) Run() {
	if c := (*conn)(o); c.nc != nil {
		c.touch()
	}
}

package engine

import (
	"net/netip"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/transport"
)

// nullConn takes output and forgets it, without allocating.
type nullConn struct {
	loop transport.Loop
	buf  [4096]byte
}

func (c *nullConn) Loop() transport.Loop              { return c.loop }
func (c *nullConn) ID() uint64                        { return 1 }
func (c *nullConn) Remote() netip.AddrPort            { return netip.AddrPort{} }
func (c *nullConn) Local() netip.AddrPort             { return netip.AddrPort{} }
func (c *nullConn) Reserve(int) []byte                { return c.buf[:0] }
func (c *nullConn) Commit(int)                        {}
func (c *nullConn) Write([]byte)                      {}
func (c *nullConn) SendFile(*file.File, int64, int64) {}
func (c *nullConn) Unacknowledged() int               { return 0 }
func (c *nullConn) Pending() int                      { return 0 }
func (c *nullConn) Pause()                            {}
func (c *nullConn) Resume()                           {}
func (c *nullConn) CloseWrite()                       {}
func (c *nullConn) Close()                            {}
func (c *nullConn) Abort()                            {}

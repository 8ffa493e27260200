package message

import (
	"net/netip"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/mailbox"
)

// Tunnel is a connection that has left HTTP (RFC 9110 section 7.8): its lower side, as whoever took it over sees it.
// The methods are those of transport.Conn, which keeps the same contract: everything is called on the connection's
// loop, nothing blocks, and no method calls the Session. After Session.Closed a Tunnel does nothing.
//
// The engine still bounds the time in which the peer takes no output; every other deadline is the Session's own.
type Tunnel interface {
	Remote() netip.AddrPort
	Local() netip.AddrPort
	// Reserve returns an empty slice of capacity ≥ n at the end of the output, to append to within the capacity, valid
	// until the next method. Commit takes the first n bytes appended to it.
	Reserve(n int) []byte
	Commit(n int)
	// Write copies p to the end of the output.
	Write(p []byte)
	// Pending is the number of output bytes that the kernel has not taken.
	Pending() int
	// Pause stops Session.Data and EOF; Resume allows them again, never from inside Resume.
	Pause()
	Resume()
	// CloseWrite sends FIN after the output, Close closes after it, Abort now.
	CloseWrite()
	Close()
	Abort()
}

// Loop is what a Session needs of the loop that its connection lives on; a transport.Loop is one.
type Loop interface {
	mailbox.Executor
	// Now is the loop's cached instant.
	Now() clock.Instant
	// Schedule arms t to fire on the loop, once, not before at. Unschedule disarms it.
	Schedule(t *clock.Timer, at clock.Instant)
	Unschedule(t *clock.Timer)
}

// Session is the protocol that has taken a connection over. A transport.Session is one; all calls come on the loop.
type Session interface {
	// Data offers the unread input, what has been received beside the request included; it returns how many bytes
	// were consumed. The slice is valid until Data returns. It is called again when more arrives, and after Resume.
	Data(in []byte) (consumed int)
	// EOF tells that the peer closed its sending side. Output still works.
	EOF()
	// Drained tells that all output has been taken by the kernel, after it was not.
	Drained()
	// Closed is the last call. Err is nil after Tunnel.Close, else why.
	Closed(err error)
}

// Leaver may be implemented by a Session that says goodbye: Leave is called when the server begins to drain. What has
// not closed by the end of the drain is aborted.
type Leaver interface{ Leave() }

// Takeover makes the Session of a connection that is handed over. It is called on the loop, once the answer to the
// request has been written; input comes after it has returned.
type Takeover func(t Tunnel, l Loop) Session

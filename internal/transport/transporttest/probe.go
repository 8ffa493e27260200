package transporttest

import (
	"testing"

	"github.com/covetpy/covet/internal/transport"
)

// probe is a session that checks what holds for every session at every call, and leaves the rest to functions.
// A function that is nil does nothing; Data without a function consumes everything.
type probe struct {
	t    *testing.T
	conn transport.Conn

	data    func(p *probe, in []byte) int
	eof     func(p *probe)
	drained func(p *probe)
	closed  func(p *probe, err error)

	inside   bool // a method of conn runs: no call may come out of it
	paused   bool
	closing  bool // Close or Abort was called
	finished bool // CloseWrite was called
	ended    bool // EOF was told
	gone     bool // Closed was told
}

var _ transport.Session = (*probe)(nil)

// acceptFunc is an Acceptor made of a function.
type acceptFunc func(transport.Conn) transport.Session

// Accept implements transport.Acceptor.
func (f acceptFunc) Accept(c transport.Conn) transport.Session { return f(c) }

// probes is an acceptor that makes a probe and lets set fill it in, on the connection's loop.
func probes(t *testing.T, set func(p *probe)) transport.Acceptor {
	return acceptFunc(func(c transport.Conn) transport.Session {
		p := &probe{t: t, conn: c}
		if set != nil {
			set(p)
		}
		return p
	})
}

// echo is an acceptor whose sessions send back what they get, and close at the end.
func echo(t *testing.T) transport.Acceptor {
	return probes(t, func(p *probe) { p.echo() })
}

func (p *probe) echo() {
	p.data = func(p *probe, in []byte) int { p.write(in); return len(in) }
	p.eof = func(p *probe) { p.close() }
}

func (p *probe) check(call string) {
	switch {
	case p.inside:
		p.t.Errorf("%s was called from inside a method of Conn", call)
	case p.gone:
		p.t.Errorf("%s was called after Closed", call)
	case p.closing && call != "Closed":
		p.t.Errorf("%s was called after Close or Abort", call)
	case p.paused && (call == "Data" || call == "EOF"):
		p.t.Errorf("%s was called while paused", call)
	case p.ended && call == "EOF":
		p.t.Error("EOF was called twice")
	}
}

// Data implements transport.Session.
func (p *probe) Data(in []byte) int {
	p.check("Data")
	if len(in) == 0 {
		p.t.Error("Data was called without data")
	}
	if p.data == nil {
		return len(in)
	}
	return p.data(p, in)
}

// EOF implements transport.Session.
func (p *probe) EOF() {
	p.check("EOF")
	p.ended = true
	if p.eof != nil {
		p.eof(p)
	}
}

// Drained implements transport.Session.
func (p *probe) Drained() {
	p.check("Drained")
	if n := p.conn.Pending(); n != 0 {
		p.t.Errorf("Drained was called with %d bytes pending", n)
	}
	if p.drained != nil {
		p.drained(p)
	}
}

// Closed implements transport.Session.
func (p *probe) Closed(err error) {
	p.check("Closed")
	p.gone = true
	if p.closed != nil {
		p.closed(p, err)
	}
}

// method runs one method of the Conn and notices calls that come out of it.
func (p *probe) method(f func()) {
	was := p.inside
	p.inside = true
	f()
	p.inside = was
}

func (p *probe) write(b []byte) { p.method(func() { p.conn.Write(b) }) }
func (p *probe) pause()         { p.paused = true; p.method(p.conn.Pause) }
func (p *probe) resume()        { p.paused = false; p.method(p.conn.Resume) }
func (p *probe) closeWrite()    { p.finished = true; p.method(p.conn.CloseWrite) }
func (p *probe) close()         { p.closing = true; p.method(p.conn.Close) }
func (p *probe) abort()         { p.closing = true; p.method(p.conn.Abort) }

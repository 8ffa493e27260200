package engine

import (
	"net/netip"

	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/message"
)

// This file is the end of HTTP on a connection that goes on with another protocol (RFC 9110 section 7.8). The session
// stays between the transport and the new protocol: it keeps the connection on the shard's list, so that it counts and
// a drain finds it, and goes on bounding the time in which the client takes no output.

// Upgradable implements message.Stream.
func (s *session) Upgradable(x *message.Exchange, protocol string) bool {
	switch {
	case x != s.x || s.out.started || !s.in.done || s.in.broken || s.eof || s.sh.drain.active:
		return false
	case x.Request.Version != message.HTTP11:
		// RFC 9110 section 7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request."
		return false
	case protocol == "":
		return true
	}
	return wants(&x.Request, protocol)
}

// wants reports whether the client asks for the protocol. RFC 9110 section 7.8: the server must not switch to one that
// it did not indicate; and what comes without its connection option was meant for a hop before this one.
func wants(r *message.Request, protocol string) bool {
	lower := make([]byte, 0, 32)
	for _, c := range []byte(protocol) {
		if c-'A' < 26 {
			c |= 0x20
		}
		lower = append(lower, c)
	}
	asked, option := false, false
	for i := range r.Fields {
		name, value := r.Bytes(r.Fields[i].Name), r.Bytes(r.Fields[i].Value)
		asked = asked || ascii.EqualFold(name, "upgrade") && h1.HasToken(value, string(lower))
		option = option || ascii.EqualFold(name, "connection") && h1.HasToken(value, "upgrade")
	}
	return asked && option
}

// Upgrade implements message.Stream.
func (s *session) Upgrade(x *message.Exchange, protocol string, open message.Takeover) bool {
	if !s.Upgradable(x, protocol) {
		return false
	}
	s.out.started = true
	if protocol != "" {
		s.sh.count.responses[1].Add(1)
		s.sh.head = h1.AppendSwitch(s.sh.head[:0], protocol, x.Response.Fields())
		s.write(s.sh.head)
		if cap(s.sh.head) > maxKeptFields {
			s.sh.head = nil
		}
	}
	s.endExchange()
	s.sh.count.upgraded.Add(1)
	s.phase = phaseUpgraded
	s.by[byInput] = 0
	s.choked = false
	s.tunnel = &tunnel{s: s}
	if s.next = open(s.tunnel, s.loop); s.next == nil {
		s.sh.count.bugs.Add(1)
		s.sh.cfg.Logger.Error("nobody took an upgraded connection over", "protocol", protocol)
		s.close()
	}
	if s.phase == phaseUpgraded { // it may have closed the connection at once
		s.release()
	}
	return true
}

// onUpgraded passes input on.
func (s *session) onUpgraded(in []byte) (n int) {
	if len(in) == 0 || s.next == nil || s.tunnel.paused {
		return 0
	}
	return s.next.Data(in)
}

// leaveTunnel tells the new protocol that the server drains.
func (s *session) leaveTunnel() {
	if l, ok := s.next.(message.Leaver); ok && s.phase == phaseUpgraded {
		l.Leave()
	}
}

// closeTunnel is the last call of the new protocol, when the connection is gone.
func (s *session) closeTunnel(err error) {
	if s.tunnel == nil {
		return
	}
	s.sh.count.upgraded.Add(-1)
	s.tunnel.s = nil // from here on its methods do nothing: the session may serve another connection
	if s.next != nil {
		s.next.Closed(err)
	}
}

// tunnel is the message.Tunnel of an upgraded session. It is memory of its own, because a protocol may keep it longer
// than the session lives.
type tunnel struct {
	s *session // nil when the connection is gone
	// paused is the new protocol's wish; the session's paused is what the transport was told.
	paused bool
}

var _ message.Tunnel = (*tunnel)(nil)

// open reports whether output still goes anywhere.
func (t *tunnel) open() bool { return t.s != nil && t.s.phase == phaseUpgraded }

// Remote implements message.Tunnel.
func (t *tunnel) Remote() (a netip.AddrPort) {
	if t.s != nil {
		a = t.s.remote
	}
	return a
}

// Local implements message.Tunnel.
func (t *tunnel) Local() (a netip.AddrPort) {
	if t.s != nil {
		a = t.s.local
	}
	return a
}

// Reserve implements message.Tunnel.
func (t *tunnel) Reserve(n int) []byte {
	if !t.open() {
		return make([]byte, 0, n)
	}
	return t.s.conn.Reserve(n)
}

// Commit implements message.Tunnel.
func (t *tunnel) Commit(n int) {
	if t.open() {
		t.s.commit(n)
	}
}

// Write implements message.Tunnel.
func (t *tunnel) Write(p []byte) {
	if t.open() {
		t.s.write(p)
	}
}

// Pending implements message.Tunnel.
func (t *tunnel) Pending() int {
	if !t.open() {
		return 0
	}
	return t.s.conn.Pending()
}

// Pause implements message.Tunnel.
func (t *tunnel) Pause() {
	t.paused = true
	if s := t.s; t.open() && !s.paused {
		s.paused = true
		s.conn.Pause()
	}
}

// Resume implements message.Tunnel.
func (t *tunnel) Resume() {
	t.paused = false
	if t.open() {
		t.s.release()
	}
}

// CloseWrite implements message.Tunnel.
func (t *tunnel) CloseWrite() {
	if t.open() {
		t.s.conn.CloseWrite()
	}
}

// Close implements message.Tunnel.
func (t *tunnel) Close() {
	if t.open() {
		t.s.close()
	}
}

// Abort implements message.Tunnel.
func (t *tunnel) Abort() {
	if t.s != nil {
		t.s.kill()
	}
}

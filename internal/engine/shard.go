package engine

import (
	"time"

	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
)

// shard is the engine's part of one loop: everything that its sessions share. It belongs to the loop, except count,
// which anyone may read, and the channels of a drain.
type shard struct {
	loop    transport.Loop
	cfg     *Config
	handler message.Handler

	rules    [phaseCount]rule
	patience [phaseCount]time.Duration

	sessions  pool[session]
	exchanges pool[message.Exchange]
	date      date
	ids       requestIDs

	// server is the Server field of every head (RFC 9110 section 10.2.4) with the empty line after it, or empty.
	server []byte

	// open is a ring of the open sessions; its links are the list's ends.
	open links

	// body is scratch for error bodies; head, for heads that no reservation can hold.
	body, head []byte
	// unread receives the trailer of a body that nobody wants.
	unread message.Request

	drain drainState
	count counters
}

func newShard(cfg *Config, h message.Handler, loop transport.Loop, random [16]byte) *shard {
	sh := &shard{loop: loop, cfg: cfg, handler: h, rules: rules()}
	for p := range sh.rules {
		sh.patience[p] = sh.rules[p].limit(cfg)
	}
	sh.date.wall = cfg.Wall
	sh.ids = newRequestIDs(random, loop.Index())
	if cfg.ServerName != "" {
		sh.server = []byte("server: " + cfg.ServerName + "\r\n\r\n")
	}
	sh.open.init()
	sh.drain.init(sh)
	return sh
}

// links puts a session on its shard's list of open sessions; the head of the list is a links without a session.
type links struct {
	prev, next *links
	s          *session
}

func (l *links) init() { l.prev, l.next = l, l }

func (l *links) insert(n *links) {
	n.prev, n.next = l.prev, l
	l.prev.next, l.prev = n, n
}

func (l *links) remove() {
	l.prev.next, l.next.prev = l.next, l.prev
	l.prev, l.next = nil, nil
}

// each calls f for every open session; f may close it.
func (sh *shard) each(f func(*session)) {
	for l := sh.open.next; l != &sh.open; {
		next := l.next
		f(l.s)
		l = next
	}
}

// accept makes the session of a new connection.
func (sh *shard) accept(c transport.Conn) *session {
	s := sh.sessions.take()
	if s == nil {
		s = &session{sh: sh}
		s.timer.Do = s
		s.links.s = s
		s.task.Do = (*wakeUp)(s)
	}
	s.conn, s.loop = c, c.Loop()
	s.remote, s.local = c.Remote(), c.Local()
	sh.open.insert(&s.links)
	sh.count.accepted.Add(1)
	sh.count.open.Add(1)
	s.enter(phaseFirst)
	return s
}

// take returns an exchange that is ready for a request.
func (sh *shard) take() *message.Exchange {
	x := sh.exchanges.take()
	if x == nil {
		x = new(message.Exchange)
		x.Reset()
	}
	sh.count.exchanges.Add(1)
	return x
}

// untake takes x back, which nobody but the parser has seen.
func (sh *shard) untake(x *message.Exchange) {
	sh.count.exchanges.Add(-1)
	x.Request.Reset()
	sh.exchanges.give(x)
}

// maxKeptFields bounds the memory for response fields that an idle exchange keeps.
const maxKeptFields = 16 << 10

// give takes x back after its end.
func (sh *shard) give(x *message.Exchange) {
	sh.count.exchanges.Add(-1)
	large := cap(x.Response.Fields()) > maxKeptFields
	x.Reset()
	if !large {
		sh.exchanges.give(x)
	}
}

// drop forgets x after Receiver.Gone. It is not used again: whoever holds it detached, on another goroutine, goes on
// reading what it was, not somebody else's request. The garbage is one exchange for each client that left.
func (sh *shard) drop(x *message.Exchange) {
	sh.count.exchanges.Add(-1)
	x.Generation++
}

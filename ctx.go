package covet

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/radix"
)

// Ctx is one request and the reply to it. It belongs to the request: it may be used by the functions that it is given
// to, by one goroutine at a time, until the handler has returned; it is reused for other requests afterwards.
type Ctx struct {
	app  *App
	ep   *endpoint
	x    *message.Exchange
	req  *message.Request
	res  *message.Response
	exec mailbox.Executor
	id   [16]byte

	params radix.Params
	spans  [radix.MaxParams]message.Span
	allow  string // for the endpoints that answer 405 and OPTIONS

	// depth counts the links of the chain that were reached, passed those whose After is still to run.
	depth, passed int
	replied       bool
	starting      bool // the head of a streamed response is about to go out
	started       bool // the head of a streamed response is out
	finished      bool
	off           bool // the handler runs off the loop
	bad           error

	form *Form // when it was asked for

	buf     []byte  // the reply's body
	sending sending // or the file that it is in
	values  []value
	away    *away
}

type value struct{ key, value any }

// maxKept bounds what an idle Ctx keeps of its buffer, in bytes.
const maxKept = 64 << 10

// begin makes c ready for the request of x, on its loop.
func (c *Ctx) begin(a *App, x *message.Exchange) {
	c.app, c.x, c.req, c.res, c.exec = a, x, &x.Request, &x.Response, x.Executor
	if x.RequestID == [16]byte{} {
		binary.NativeEndian.PutUint64(x.RequestID[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(x.RequestID[8:], rand.Uint64())
	}
	c.id = x.RequestID
	c.allow = ""
	c.depth, c.passed = 0, 0
	c.replied, c.starting, c.started, c.finished, c.off = false, false, false, false, false
	c.bad, c.form = nil, nil
	if cap(c.buf) > maxKept {
		c.buf = nil
	}
	clear(c.values)
	c.values = c.values[:0]
}

// descend runs the chain down to the endpoint.
func (c *Ctx) descend() {
	ep := c.ep
	for c.depth < len(ep.chain) {
		m := &ep.chain[c.depth]
		c.depth++
		if m.Before != nil {
			if err := c.call(m.Before); err != nil || c.replied {
				c.complete(err)
				return
			}
		}
		c.passed = c.depth
	}
	x := c.x
	if ep.timeout > 0 {
		x.Stream.SetDeadline(x, ep.timeout)
	}
	switch {
	case ep.async != nil:
		if err := c.begun(ep.async); err != nil {
			if c.finished {
				c.report(err, 0) // it panicked after its answer
			}
			c.Finish(err)
		}
		if !c.finished {
			x.Detach() // After and Done still read the request
		}
	case ep.inline != nil && (ep.route == nil || x.Request.BodyComplete || x.Request.ContentLength == 0):
		c.complete(c.call(ep.inline))
	case ep.inline != nil:
		c.leave(ep.inline)
	default:
		c.leave(ep.pooled)
	}
}

// call runs h and turns its panic into an error.
func (c *Ctx) call(h Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return h(c)
}

func (c *Ctx) callAfter(after func(*Ctx, error) error, shown error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return after(c, shown)
}

func (c *Ctx) begun(h AsyncHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	h.ServeAsync(c)
	return nil
}

// complete runs the chain up and sends the whole response, on the loop.
func (c *Ctx) complete(err error) {
	abort := isAbort(err)
	if !abort {
		c.ascend(err)
	}
	x := c.x
	c.done()
	switch {
	case abort:
		c.sending.drop()
		x.Stream.Abort(x)
	case c.sending.f != nil:
		c.sendFile()
	default:
		x.Stream.Respond(x)
	}
}

// done runs the Done functions of the links that were reached.
func (c *Ctx) done() {
	c.finished = true
	for ; c.depth > 0; c.depth-- {
		if d := c.ep.chain[c.depth-1].Done; d != nil {
			if err := c.call(func(c *Ctx) error { d(c); return nil }); err != nil {
				c.report(err, 0)
			}
		}
	}
}

// Finish completes the answer of an [AsyncHandler]: err becomes an error response, nil sends what the handler has
// replied through c or filled into the Exchange's Response. It is called on the loop, exactly once; c and the
// exchange must not be used afterwards.
func (c *Ctx) Finish(err error) {
	if c.finished {
		return
	}
	c.replied = c.replied || err == nil
	c.complete(err)
}

// Start sends the head of an [AsyncHandler]'s streamed response, from the Response of the Exchange, after the chain
// has run up. False means that the chain has put another response in its place and the exchange is over: the
// handler forgets it. After true the handler goes on with the Stream of the Exchange, and calls Ended at last.
func (c *Ctx) Start() (streaming bool) {
	// Whoever replies from here on replies in the stream's place.
	c.starting, c.replied = true, false
	c.ascend(nil)
	c.starting = false
	if c.replied {
		x := c.x
		c.done()
		x.Stream.Respond(x)
		return false
	}
	c.started = true
	c.x.Stream.Start(c.x)
	return true
}

// Ended tells that an [AsyncHandler]'s streamed response is complete or cut off, or that the client is gone. It is
// called on the loop, once, just before the Stream's End or Abort, or from the Receiver's Gone.
func (c *Ctx) Ended() {
	if !c.finished {
		c.done()
	}
}

// Leave goes on with h off the loop, on the app's pool, in place of what an [AsyncHandler] would do itself: the
// handler that has called it forgets the exchange. It is called on the loop, from ServeAsync, before anything else.
func (c *Ctx) Leave(h Handler) { c.leave(h) }

// Exchange is the request and response below c, for an [AsyncHandler] and for middleware, on the loop only.
func (c *Ctx) Exchange() *message.Exchange { return c.x }

// Route describes the route that was found; ok is false where none was: for 404, 405 and automatic OPTIONS.
func (c *Ctx) Route() (method, pattern, name string, ok bool) {
	r := c.ep.route
	if r == nil {
		return "", "", "", false
	}
	return r.method, r.pattern, r.name, true
}

// RequestID names the request in logs and error bodies: 32 hex digits.
func (c *Ctx) RequestID() string { return hex.EncodeToString(c.id[:]) }

// RequestIDBytes is the request id as its 16 bytes.
func (c *Ctx) RequestIDBytes() [16]byte { return c.id }

// SetRequestID replaces the request id, from a Before function.
func (c *Ctx) SetRequestID(id [16]byte) {
	c.id = id
	if !c.off {
		c.x.RequestID = id
	}
}

// Set keeps a value for the rest of the request under key, which should be of an unexported type of the caller's.
func (c *Ctx) Set(key, v any) {
	// Appended, never overwritten: what was there when the handler left the loop stays readable there.
	c.values = append(c.values, value{key, v})
}

// Get returns the value last Set under key, or nil.
func (c *Ctx) Get(key any) any {
	for i := len(c.values) - 1; i >= 0; i-- {
		if c.values[i].key == key {
			return c.values[i].value
		}
	}
	return nil
}

// Context ends when the client leaves, when the request's deadline passes, or when the handler returns. For handlers
// on the loop, where nothing may wait, it is the app's context, which ends when the app stops.
func (c *Ctx) Context() context.Context {
	if !c.off {
		return c.app.base
	}
	return c.away.context()
}

// Replied reports whether a reply has been made.
func (c *Ctx) Replied() bool { return c.replied || c.started }

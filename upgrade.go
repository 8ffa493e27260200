package covet

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// Upgrade leaves HTTP (RFC 9110 section 7.8): when the client has asked for that protocol, it is answered 101 with the
// fields set so far, and f speaks the protocol on the connection, for as long as it likes. The connection is
// closed when f returns; what f returns is Upgrade's result, for the handler to return.
//
// The request's body must have been read. A client that did not ask for the protocol, or speaks HTTP/1.0, gets the
// error that Upgrade returns: 426 with the offer. Upgrade needs a handler that runs off the loop; while f runs it does
// not count against the app's concurrency. The Done functions of the middleware run before f. [Ctx.Context] ends when
// the connection does, and when the server begins to drain: f should say goodbye then. A [Timeout] of the route still
// ends that context.
//
// Conn's deadlines, Close from another goroutine, and one reader beside one writer work as package net has them.
func (c *Ctx) Upgrade(protocol string, f func(conn net.Conn) error) error {
	s, err := c.takeOver(protocol)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // its error would be that f has closed it
	return f(s)
}

// errTakenOver is what the rest of the Ctx's functions tell a handler that has taken the connection over.
func errTakenOver() *fault.Error {
	return &fault.Error{Code: fault.InternalError, Message: "the connection was taken over"}
}

// errReplaced is what a handler gets whose answer was replaced by an After function.
func errReplaced() *fault.Error {
	return &fault.Error{Code: fault.InternalError, Message: "the response was replaced"}
}

// takeOver parts the connection from HTTP. An empty protocol leaves the answer to whoever gets the connection.
func (c *Ctx) takeOver(protocol string) (*socket, error) {
	switch {
	case !c.off:
		return nil, errOnLoop
	case c.started:
		return nil, errors.New("covet: the response has begun: the connection cannot be taken over")
	case c.bad != nil:
		return nil, c.bad
	}
	w := c.away
	t := &takeOverTask{w: w, protocol: protocol, done: make(chan struct{})}
	t.task.Do = t
	c.exec.Post(&t.task)
	for waiting := true; waiting; {
		// Looked at before waiting: the token that came with it may have been taken already.
		if e := w.gone.Load(); e != nil {
			if t.claimed.CompareAndSwap(false, true) {
				return nil, e
			}
			<-t.done // the loop is at it, and what it hands over is ours to close
			break
		}
		select {
		case <-t.done:
			waiting = false
		case <-w.wake:
		}
	}
	switch {
	case t.socket != nil:
		w.taken = true
		c.app.pool.part()
		return t.socket, nil
	case t.replaced:
		return nil, errReplaced()
	}
	return nil, &fault.Error{
		Code: fault.UpgradeRequired, Message: "the client does not ask for the protocol that is spoken here",
		Fields: [][2]string{{"upgrade", protocol}},
	}
}

// takeOverTask is an away that waits for its connection.
type takeOverTask struct {
	task     mailbox.Task
	w        *away
	protocol string
	done     chan struct{}
	socket   *socket
	replaced bool
	// claimed is set by the loop that does it, or by the goroutine that does not wait any more.
	claimed atomic.Bool
}

// Run hands the connection over, on the loop.
func (t *takeOverTask) Run() {
	w := t.w
	if w.left || !t.claimed.CompareAndSwap(false, true) {
		return // gone was set before, which the goroutine looks at
	}
	defer close(t.done)
	c := w.c
	x := c.x
	// The views that Serve was given are gone; the goroutine, which waits, has a copy of the same layout.
	x.Request.Head, x.Request.Body = w.req.Head, w.req.Body
	if !x.Stream.Upgradable(x, t.protocol) {
		return
	}
	x.Response, w.res = w.res, x.Response
	x.Response.Status = http.StatusSwitchingProtocols
	c.res = &x.Response
	defer func() { c.res = &w.res }()
	c.starting, c.replied = true, false
	c.ascend(nil)
	c.starting = false
	w.left = true
	x.App = nil // the Ctx stays the goroutine's
	c.done()
	if c.replied {
		t.replaced = true
		w.gone.Store(errReplaced())
		x.Stream.Respond(x)
		return
	}
	c.started = true
	s := newSocket(c.exec, w.leave)
	w.gone.Store(errTakenOver())
	if x.Stream.Upgrade(x, t.protocol, s.open) {
		t.socket = s
		return
	}
	t.replaced = true
	x.Stream.Abort(x) // what was possible a moment ago is not any more
}

// leave ends the handler's context: the connection is gone, or should be soon.
func (w *away) leave() {
	w.gone.Store(&fault.Error{Code: fault.ClientGone})
	if cancel := w.cancel.Load(); cancel != nil {
		(*cancel)()
	}
}

// quiet reports whether an error of a handler that has taken its connection over is only the end of that.
func quiet(err error) bool {
	return err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

var _ message.Takeover = (*socket)(nil).open

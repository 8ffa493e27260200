package covet

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// away is what a Ctx needs while its handler runs off the loop. It is made for the first such request of a Ctx and kept.
//
//	loop                                  goroutine
//	leave: copy request and response ──▶  run the handler
//	  read task    ◀── needs body          Read waits on readable
//	  BodyChunk    ──▶ body queue, readable
//	  write task   ◀── chunk of a stream   send waits on wake
//	  write, or Drained ──▶ wake
//	  back task    ◀── the handler returned
//
// When the client leaves, or the deadline passes, the loop cannot stop the goroutine: it keeps the exchange and parts
// with the Ctx (left), which the goroutine goes on using alone, on its own copies, until the handler returns. Such a
// Ctx is not reused.
type away struct {
	c       *Ctx
	handler Handler
	req     message.Request
	res     message.Response
	memory  []byte  // Head and Body of req
	values  []value // those that were set before

	// wake and readable have room for one token. They are two, because one goroutine may read while another writes.
	wake, readable    chan struct{}
	back, write, read mailbox.Task

	err   error  // the handler's result
	chunk []byte // what write is to send
	acked atomic.Bool

	left    bool // loop only: the exchange and this part have parted
	blocked bool // loop only: a chunk waits for Drained

	gone     atomic.Pointer[fault.Error]
	ctx      context.Context // goroutine only
	cancel   atomic.Pointer[context.CancelFunc]
	deadline time.Time
	body     bodyQueue
	limit    int64
	seen     int64
	taken    bool // goroutine only: the handler has taken the connection over
}

var _ message.Receiver = (*away)(nil)

// leave hands the request to the pool.
func (c *Ctx) leave(h Handler) {
	w := c.away
	if w == nil {
		w = &away{c: c, wake: make(chan struct{}, 1), readable: make(chan struct{}, 1)}
		w.back.Do, w.write.Do, w.read.Do = (*backTask)(w), (*writeTask)(w), (*readTask)(w)
		c.away = w
	}
	x := c.x
	w.take(h, x)
	c.req, c.res, c.off = &w.req, &w.res, true
	x.Receiver = w
	if x.Loop >= 0 && x.Loop < len(c.app.lanes) {
		c.app.lanes[x.Loop].add(c, x.Executor)
	} else if c.app.pool.submit([]*Ctx{c}) == 0 {
		c.refuse()
	}
}

// take copies what the goroutine will use: the exchange may end before the handler does.
func (w *away) take(h Handler, x *message.Exchange) {
	r := &x.Request
	fields := append(w.req.Fields[:0], r.Fields...)
	w.req = *r
	t := copyTrailer(r)
	w.req.Fields, w.req.Trailer, w.req.TrailerHead = fields, t.fields, t.head
	if cap(w.memory) > maxKept {
		w.memory = nil
	}
	w.memory = append(append(w.memory[:0], r.Head...), r.Body...)
	n := len(r.Head)
	w.req.Head, w.req.Body = w.memory[:n:n], w.memory[n:len(w.memory):len(w.memory)]
	w.res.CopyFrom(&x.Response)

	n = len(w.c.values)
	w.handler, w.values = h, w.c.values[:n:n]
	w.err, w.chunk, w.blocked, w.ctx, w.taken = nil, nil, false, nil, false
	w.gone.Store(nil)
	w.cancel.Store(nil)
	w.deadline = time.Time{}
	if t := w.c.ep.timeout; t > 0 {
		w.deadline = time.Now().Add(t)
	}
	w.limit, w.seen = w.c.ep.bodyLimit, 0
	w.body.reset()
	for _, bell := range [...]chan struct{}{w.wake, w.readable} {
		select {
		case <-bell: // left over from the last request
		default:
		}
	}
}

// run runs the handler, on a goroutine of the pool. False: the goroutine is not the pool's any more.
func (w *away) run() (pooled bool) {
	if e := w.gone.Load(); e != nil {
		w.err = e
	} else {
		w.err = w.c.call(w.handler)
	}
	w.c.endForm()
	if cancel := w.cancel.Load(); cancel != nil {
		(*cancel)()
	}
	if w.taken { // nothing of the request is left but the goroutine
		if !quiet(w.err) {
			w.c.report(w.err, 0)
		}
		return false
	}
	w.c.exec.Post(&w.back)
	return true
}

// backTask is an away whose handler has returned.
type backTask away

// Run ends the request, on the loop.
func (t *backTask) Run() {
	w := (*away)(t)
	if w.left {
		w.c.sending.drop()
		return
	}
	c := w.c
	x := c.x
	c.off = false
	if c.started {
		x.Response.TakeTrailers(&w.res)
		if w.err == nil {
			w.err = c.bad
		}
		c.res = &x.Response
		c.sending.drop()
		if w.err != nil {
			if !isAbort(w.err) {
				c.report(w.err, 0)
			}
			c.done()
			x.Stream.Abort(x) // the status is out: cutting the body off is all that can tell the client
			return
		}
		c.done()
		x.Stream.End(x)
		return
	}
	x.Response, w.res = w.res, x.Response
	c.res = &x.Response
	c.complete(w.err)
}

// refuse answers a request that the pool has no place for, on the loop.
func (c *Ctx) refuse() {
	if c.away.left {
		return
	}
	c.off = false
	c.res = &c.x.Response
	c.complete(&fault.Error{Code: fault.ServiceUnavailable, Fields: [][2]string{{"retry-after", "1"}}})
}

// rouse lets every goroutine of the handler look again.
func (w *away) rouse() {
	ring(w.wake)
	ring(w.readable)
}

// part separates the exchange from the goroutine and returns a Ctx for what remains to be done on the loop.
func (w *away) part(why *fault.Error) *Ctx {
	c := w.c
	w.left = true
	// Everything that is copied here was written before the handler left the loop, or while its goroutine waited
	// for the loop.
	rest := &Ctx{
		app: c.app, ep: c.ep, x: c.x, req: &w.req, res: &c.x.Response, exec: c.exec, id: c.x.RequestID, params: c.params,
		allow: c.allow, depth: c.depth, passed: c.passed, started: c.started,
		values: append([]value(nil), w.values...),
	}
	c.x.App, c.x.Receiver = rest, nil
	w.gone.Store(why)
	if cancel := w.cancel.Load(); cancel != nil {
		(*cancel)()
	}
	w.rouse()
	return rest
}

// Gone implements message.Receiver.
func (w *away) Gone(*message.Exchange) {
	if !w.left {
		w.part(&fault.Error{Code: fault.ClientGone}).done()
	}
}

// Expired implements message.Receiver.
func (w *away) Expired(*message.Exchange) {
	if !w.left {
		timeout := &fault.Error{Code: fault.HandlerTimeout}
		w.part(timeout).complete(timeout)
	}
}

// context returns the handler's context, made when it is first asked for.
func (w *away) context() context.Context {
	if w.ctx != nil {
		return w.ctx
	}
	var cancel context.CancelFunc
	if w.deadline.IsZero() {
		w.ctx, cancel = context.WithCancel(w.c.app.base)
	} else {
		w.ctx, cancel = context.WithDeadline(w.c.app.base, w.deadline)
	}
	w.cancel.Store(&cancel)
	// The client may have left before the cancel function was there to be seen.
	if e := w.gone.Load(); e != nil && (!w.taken || e.Code == fault.ClientGone) {
		cancel()
	}
	return w.ctx
}

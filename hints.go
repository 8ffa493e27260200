package covet

import (
	"errors"
	"net/http"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// EarlyHints sends an interim response 103 (RFC 8297) with a Link field for each of links, such as
// `</app.css>; rel=preload; as=style`, while the handler goes on. The final response does not have them by itself.
// It does nothing for an HTTP/1.0 client, nor after the response has begun, nor beyond 32 KiB of hints for one request.
func (c *Ctx) EarlyHints(links ...string) error {
	var r message.Response
	r.Reset()
	for _, link := range links {
		if !r.AddField("link", link) {
			return errors.New("a link of early hints cannot be a field value")
		}
	}
	return c.inform(http.StatusEarlyHints, &r)
}

// inform sends an interim response with the fields of r.
func (c *Ctx) inform(status int, r *message.Response) error {
	if !c.off {
		informWith(c.x, status, r)
		return nil
	}
	w := c.away
	t := &informTask{w: w, status: status, fields: r, done: make(chan struct{})}
	t.task.Do = t
	c.exec.Post(&t.task)
	for {
		// Looked at before waiting: the token that came with it may have been taken already.
		if e := w.gone.Load(); e != nil {
			return e
		}
		select {
		case <-t.done:
			return nil
		case <-w.wake:
		}
	}
}

// informWith sends the interim response in place of the one that is being prepared.
func informWith(x *message.Exchange, status int, r *message.Response) {
	x.Response, *r = *r, x.Response
	x.Stream.Inform(x, status)
	x.Response, *r = *r, x.Response
}

// informTask is an interim response on its way to the loop.
type informTask struct {
	task   mailbox.Task
	w      *away
	status int
	fields *message.Response
	done   chan struct{}
}

// Run implements mailbox.Runner.
func (t *informTask) Run() {
	if !t.w.left { // else gone is set, which the goroutine looks at
		informWith(t.w.c.x, t.status, t.fields)
		close(t.done)
	}
}

package covet

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/segmentio/encoding/json"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// Error is an error that a client can see: see package fault.
type Error = fault.Error

// errorRule says what becomes of a type of error: handled tells whether err was of that type.
type errorRule func(c *Ctx, err error) (result error, handled bool)

// OnError sets what becomes of errors of type E, wrapped ones included: f replies, or returns the error to show instead.
// The rule set last is asked first; errors without a rule are shown as package fault says. E is a concrete type of
// error or an interface; *fault.Error catches what the app itself answers, 404 and 405 among them. F runs on
// the loop and must not block.
func OnError[E error](a *App, f func(c *Ctx, err E) error) {
	a.onError = append(a.onError, func(c *Ctx, err error) (error, bool) {
		var e E
		if !errors.As(err, &e) {
			return err, false
		}
		return c.call(func(c *Ctx) error { return f(c, e) }), true
	})
}

// ascend turns err into a response and runs the After functions, on the loop.
func (c *Ctx) ascend(err error) {
	var shown *fault.Error
	switch {
	case err != nil:
		shown = c.show(err)
	case c.bad != nil:
		shown = c.show(c.bad)
	case !c.replied && !c.starting:
		c.res.Status, c.res.Body = http.StatusNoContent, nil
	}
	for c.passed > 0 {
		c.passed--
		after := c.ep.chain[c.passed].After
		if after == nil {
			continue
		}
		var given error // not *fault.Error: a nil of that type is no nil error
		if shown != nil {
			given = shown
		}
		c.bad = nil
		back := c.callAfter(after, given)
		if back == nil {
			back = c.bad
		}
		if same, ok := back.(*fault.Error); ok && same == shown { //nolint:errorlint // the very same error, not one that wraps it
			continue
		}
		if shown = nil; back != nil {
			shown = c.show(back)
		}
	}
	if shown != nil {
		c.report(shown, shown.HTTPStatus())
	}
}

// show makes the response that shows err. It returns nil when a rule has replied.
func (c *Ctx) show(err error) *fault.Error {
	// A reply made before the error is void, and so are the fields that describe it (RFC 9110 section 8).
	// Those of the chain stay: CORS, cookies, request ids.
	c.res.Body, c.res.Type, c.res.Status, c.replied = nil, message.ContentNone, http.StatusOK, false
	c.res.DropTrailers()
	if len(c.res.Fields()) > 0 {
		for _, name := range [...]string{
			"content-type", "content-encoding", "content-language", "content-location", "content-range",
			"content-disposition", "etag", "last-modified", "cache-control", "expires", "accept-ranges", "location",
		} {
			c.res.RemoveField(name)
		}
	}
	c.unsend()
	c.bad = nil
	for i := len(c.app.onError) - 1; i >= 0; i-- {
		result, handled := c.app.onError[i](c, err)
		if !handled {
			continue
		}
		if result == nil && c.bad == nil {
			if !c.replied {
				_ = c.NoContent() // cannot fail
			}
			return nil
		}
		if err = result; err == nil {
			err = c.bad
		}
		break
	}
	f := publicError(err)
	for _, field := range f.Fields {
		c.res.SetField(field[0], field[1])
	}
	c.res.Status = f.HTTPStatus()
	if c.req.WantsProblem() {
		c.res.Type = message.ContentProblem
		c.buf = fault.AppendProblem(c.buf[:0], f, c.id)
	} else {
		c.res.Type = message.ContentJSON
		c.buf = fault.AppendBody(c.buf[:0], f, c.id, time.Now())
	}
	c.res.Body = c.buf
	c.replied = true
	return f
}

// publicError is the error of the registry that stands for err.
func publicError(err error) *fault.Error {
	f := fault.From(err)
	if f.Code == fault.InternalError && f.Cause != nil && errors.Is(err, context.DeadlineExceeded) {
		return &fault.Error{Code: fault.HandlerTimeout, Cause: err}
	}
	return f
}

// problemField is one entry of the details of a validation error.
type problemField struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
	Type   string `json:"type"`
}

// invalid is the error for wrong input.
func invalid(list ...problemField) error {
	details, err := json.Marshal(list)
	return &fault.Error{Code: fault.ValidationFailed, Details: details, Cause: err}
}

// panicError is a recovered panic with the stack of its goroutine.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func (p *panicError) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

func panicked(v any) error { return &panicError{v, debug.Stack()} }

// isAbort reports whether a handler asked, by the panic that net/http knows, to cut the connection.
func isAbort(err error) bool { return err != nil && errors.Is(err, http.ErrAbortHandler) }

// report logs an error of the server's, once a request; a status of 0 tells that the response was under way.
func (c *Ctx) report(err error, status int) {
	if status != 0 && status < http.StatusInternalServerError {
		return
	}
	var f *fault.Error
	if errors.As(err, &f) && f.Cause == nil {
		switch f.Code {
		case fault.ServiceUnavailable, fault.ShuttingDown, fault.ClientGone:
			return // overload is counted, not logged: a line a request would add to it
		}
	}
	c.app.faults.add(faultRecord{err: err, id: c.id, method: c.Method(), path: c.Path(), status: status})
}

type faultRecord struct {
	err          error
	id           [16]byte
	method, path string
	status       int
}

// faultLog writes error records off the loops, because writing a log may block. It keeps a bounded number of them
// and counts what it has to drop.
type faultLog struct {
	log     *slog.Logger
	mu      sync.Mutex
	waiting []faultRecord
	dropped int
	busy    bool
	ended   sync.Cond // of mu: busy has become false
}

// maxFaults bounds the records that wait for a slow log.
const maxFaults = 1024

func (l *faultLog) add(r faultRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= maxFaults {
		l.dropped++
		return
	}
	l.waiting = append(l.waiting, r)
	if !l.busy {
		l.busy = true
		go l.write()
	}
}

// wait returns when all records that were added are written. More may be added meanwhile: a handler whose client has
// left, or whose time is over, ends when it wants to.
func (l *faultLog) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.busy {
		l.ended.Wait()
	}
}

// write logs until nothing waits.
func (l *faultLog) write() {
	for {
		l.mu.Lock()
		list, dropped := l.waiting, l.dropped
		l.waiting, l.dropped = nil, 0
		if len(list) == 0 {
			l.busy = false
			l.ended.Broadcast()
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		for _, r := range list {
			attrs := []any{"request_id", hex.EncodeToString(r.id[:]), "method", r.method, "path", r.path,
				"status", r.status, "error", r.err.Error()}
			var p *panicError
			if errors.As(r.err, &p) {
				attrs = append(attrs, "stack", string(p.stack))
			}
			l.log.Error("request failed", attrs...)
		}
		if dropped > 0 {
			l.log.Error("more requests failed than could be logged", "dropped", dropped)
		}
	}
}

package bridge

import (
	"errors"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/worker"
)

// endpoint is one Python route of one generation of workers.
type endpoint struct {
	dispatcher *worker.Dispatcher
	route      uint16
}

var _ covet.AsyncHandler = (*endpoint)(nil)

// ServeAsync gives the exchange to a worker.
func (e *endpoint) ServeAsync(c *covet.Ctx) {
	x := c.Exchange()
	if x.Loop < 0 { // it came by covet.ToHTTP while the app also runs on an engine
		c.Finish(&fault.Error{Code: fault.InternalError, Cause: errors.New("bridge: Python handlers answer on an engine's loops only")})
		return
	}
	e.dispatcher.Dispatch(x, e.route, c.ParamSpans(), completion{})
}

// completion takes the answers of workers up the chain of the route. It holds nothing: the Ctx is found through the
// exchange, so that a request allocates nothing here.
type completion struct{}

var _ worker.Completion = completion{}

func ctxOf(x *message.Exchange) *covet.Ctx { return x.App.(*covet.Ctx) }

// Answered implements worker.Completion.
func (completion) Answered(x *message.Exchange, err error) { ctxOf(x).Finish(err) }

// Started implements worker.Completion.
func (completion) Started(x *message.Exchange) bool { return ctxOf(x).Start() }

// Ended implements worker.Completion.
func (completion) Ended(x *message.Exchange, _ error) { ctxOf(x).Ended() }

// Gone implements worker.Completion.
func (completion) Gone(x *message.Exchange) { ctxOf(x).Ended() }

package covet

// Handler answers one request. It replies through c, or returns an error, which becomes an error response; an error
// takes precedence over a reply made before it. A handler that returns nil without a reply answers 204 (No Content).
type Handler func(c *Ctx) error

// AsyncHandler begins an answer on the request's loop and completes it later, without a goroutine.
type AsyncHandler interface {
	// ServeAsync is called on the loop and must not block. It sees to exactly one call of [Ctx.Finish] on the loop, at
	// once or later, or of [Ctx.Start] followed by [Ctx.Ended]. When it answers later it first sets the
	// Receiver of [Ctx.Exchange]; that receiver calls [Ctx.Ended] when the client is gone, and
	// Finish with fault.HandlerTimeout when the deadline expires.
	ServeAsync(c *Ctx)
}

// AsyncFunc is a function as an [AsyncHandler].
type AsyncFunc func(c *Ctx)

// ServeAsync calls f.
func (f AsyncFunc) ServeAsync(c *Ctx) { f(c) }

var _ AsyncHandler = AsyncFunc(nil)

// Middleware is one link of the chain around endpoints. The chain of a route is compiled when the app starts: that of
// the app, then of each group from the outside in, then the route's own, each in the order they were added.
//
// Before and After cost no goroutine and work alike for every kind of endpoint: they run on the loop and must not
// block. All four functions may be nil.
type Middleware struct {
	// Name is shown by [App.Routes].
	Name string
	// Before runs on the way down. An error, or a reply, ends the descent: the After functions of the links above run,
	// this link's own does not.
	Before func(c *Ctx) error
	// After runs on the way up, in reverse order, once the head of the response is known and before it is sent, also
	// when the body is streamed after it. For an error, err is not nil and the response is already the one
	// that will show it: After may add fields to it. What After returns takes err's place: err itself changes nothing,
	// another error is shown instead, nil means that After has replied or that the response stays as it is.
	After func(c *Ctx, err error) error
	// Done runs after everything, when the response is complete or the client is gone, also for a descent that ended
	// early: in reverse order, for every link whose Before was reached. Nothing can be changed any more.
	Done func(c *Ctx)
	// Wrap nests around Go handlers that run off the loop; it may block. The app refuses to start when it
	// stands around an async or inline route.
	Wrap func(next Handler) Handler
}

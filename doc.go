// Package covet is a web framework and application server: routes, middleware and handlers in Go, and Python routes
// mounted beside them (package bridge), over an engine that owns the sockets.
//
//	app := covet.New()
//	app.Get("/users/{id:int}", func(c *covet.Ctx) error {
//		id, err := c.ParamInt("id")
//		if err != nil {
//			return err
//		}
//		return c.JSON(200, map[string]int{"id": id})
//	})
//	log.Fatal(app.Run(":8000"))
//
// # Where handlers run
//
// A connection belongs to one I/O loop, and nothing on a loop may block. A [Handler] therefore runs on a goroutine of
// a bounded pool and may block; the option [Inline] runs it on the loop, for handlers that only compute. An
// [AsyncHandler] begins an answer on the loop and finishes it there later. The Before and After functions of a
// [Middleware] run on the loop for all of them.
//
// # Lifetimes
//
// A [Ctx] and everything reached through it belong to the request: they may be used until the handler returns, by one
// goroutine at a time, and are reused afterwards. Strings that a Ctx returns are copies and may be kept; byte
// slices are views and may not.
//
// # Errors
//
// A handler returns an error; it becomes the structured error response in one place. Errors of package fault carry
// their code and status, every other error is 500, logged with its cause, which the client never sees. [OnError]
// changes what becomes of a type of error.
//
// # Paths
//
// Patterns are described in [Router.Handle]. Paths match exactly: "/a" and "/a/" are two paths, and no redirect is
// made up between them. GET routes answer HEAD, and OPTIONS is answered with 204 and Allow where no route does.
package covet

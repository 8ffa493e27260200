// Package bridge joins Python applications to the route tree of a Go application: their routes, their middleware and
// their errors are those of the tree, and their handlers run in worker processes that the engine supervises.
//
//	app := covet.New()
//	app.Get("/go", func(c *covet.Ctx) error { return c.Text(200, "from Go") })
//	app.Mount("/", bridge.Python("shop:app"))
//	log.Fatal(app.Run(":8000"))
//
// The workers are started when the app starts, before it listens, and ended when it stops.
package bridge

package covet

import (
	"strings"
)

// Router registers routes below a prefix, with middleware of its own. The [App] is the outermost one.
//
// Routes are registered before the app is built; registering is for one goroutine.
type Router struct {
	app    *App
	parent *Router
	prefix string
	used   []Middleware
}

// Group returns a router for the routes below prefix, which may hold parameters. Its middleware runs inside of this
// router's.
func (g *Router) Group(prefix string, m ...Middleware) *Router {
	return &Router{app: g.app, parent: g, prefix: g.join(prefix), used: m}
}

// Use adds middleware to all routes of this router and of its groups, those registered before included.
func (g *Router) Use(m ...Middleware) { g.used = append(g.used, m...) }

// chain returns the middleware of g and of what it is in, outermost first, in a slice of its own.
func (g *Router) chain() []Middleware {
	var list []Middleware
	if g.parent != nil {
		list = g.parent.chain()
	}
	return append(list, g.used...)
}

func (g *Router) join(pattern string) string {
	if g.prefix == "" {
		return pattern
	}
	if pattern == "" {
		return g.prefix
	}
	return strings.TrimSuffix(g.prefix, "/") + pattern
}

// Handle registers a handler for a method token and a pattern. The method "*" stands for every method that the
// pattern has no other route for.
//
// A pattern is static text with parameters that take whole segments:
//
//	{name}      one segment, not empty
//	{name:int}  digits with an optional '-'; also uuid and float
//	{name...}   the rest, slashes included, possibly empty; last only
//
// Static text is preferred to a typed parameter, that to a plain one, that to the rest, segment by segment, and a
// choice that leads nowhere is taken back. Two routes of the same method that match the same paths are an error
// when the app is built.
func (g *Router) Handle(method, pattern string, h Handler, opts ...RouteOption) {
	g.add(method, pattern, h, nil, opts)
}

// HandleAsync registers an asynchronous handler: see [Router.Handle].
func (g *Router) HandleAsync(method, pattern string, h AsyncHandler, opts ...RouteOption) {
	g.add(method, pattern, nil, h, opts)
}

// Get registers a handler for GET, which answers HEAD as well: see [Router.Handle].
func (g *Router) Get(pattern string, h Handler, opts ...RouteOption) {
	g.add("GET", pattern, h, nil, opts)
}

// Head registers a handler for HEAD: see [Router.Handle].
func (g *Router) Head(pattern string, h Handler, opts ...RouteOption) {
	g.add("HEAD", pattern, h, nil, opts)
}

// Post registers a handler for POST: see [Router.Handle].
func (g *Router) Post(pattern string, h Handler, opts ...RouteOption) {
	g.add("POST", pattern, h, nil, opts)
}

// Put registers a handler for PUT: see [Router.Handle].
func (g *Router) Put(pattern string, h Handler, opts ...RouteOption) {
	g.add("PUT", pattern, h, nil, opts)
}

// Patch registers a handler for PATCH: see [Router.Handle].
func (g *Router) Patch(pattern string, h Handler, opts ...RouteOption) {
	g.add("PATCH", pattern, h, nil, opts)
}

// Delete registers a handler for DELETE: see [Router.Handle].
func (g *Router) Delete(pattern string, h Handler, opts ...RouteOption) {
	g.add("DELETE", pattern, h, nil, opts)
}

// Options registers a handler for OPTIONS, instead of the automatic answer: see [Router.Handle].
func (g *Router) Options(pattern string, h Handler, opts ...RouteOption) {
	g.add("OPTIONS", pattern, h, nil, opts)
}

// add is called by the exported methods only: the route's place is its caller's caller.
func (g *Router) add(method, pattern string, h Handler, async AsyncHandler, opts []RouteOption) {
	r := &route{method: method, pattern: g.join(pattern), handler: h, async: async, router: g}
	r.file, r.line = caller(2)
	for _, o := range opts {
		o(r)
	}
	g.app.register(r)
}

package covet

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// RouteOption changes one route.
type RouteOption func(*route)

// Inline runs the route's handler on the I/O loop, for handlers that never block and take microseconds: while one runs,
// every other connection of that loop waits. The hand-off that it saves was measured with a handler that replies
// "Hello, World!", one io_uring loop and two cores shared with the client: 5.9 against 10.3 µs of CPU a request at 64
// connections, 20 against 85 µs at the median of one connection. A request whose body is too large to be there
// at once is run off the loop all the same.
func Inline() RouteOption { return func(r *route) { r.inline = true } }

// With adds middleware to the route, innermost.
func With(m ...Middleware) RouteOption { return func(r *route) { r.own = append(r.own, m...) } }

// Named gives the route a name for listings and metrics.
func Named(name string) RouteOption { return func(r *route) { r.name = name } }

// BodyLimit bounds the request body of the route, in bytes, below what the engine allows: over it Body and
// BodyReader fail with fault.ContentTooLarge.
func BodyLimit(n int64) RouteOption { return func(r *route) { r.bodyLimit = n } }

// Timeout bounds the time until the response starts. When it passes, the client gets 504 and the handler's context ends.
func Timeout(d time.Duration) RouteOption { return func(r *route) { r.timeout = d } }

// route is a route as it was registered.
type route struct {
	method, pattern string
	name            string
	file            string
	line            int

	router  *Router
	own     []Middleware
	handler Handler
	async   AsyncHandler
	inline  bool
	builtIn bool
	mounted bool

	bodyLimit int64
	timeout   time.Duration
}

func (r *route) origin() string {
	if r.builtIn {
		return "the built-in routes"
	}
	return r.file + ":" + strconv.Itoa(r.line)
}

func (r *route) mode() string {
	switch {
	case r.async != nil:
		return "async"
	case r.inline:
		return "inline"
	}
	return "pooled"
}

// RouteInfo describes a route for listings.
type RouteInfo struct {
	// Method is a method token, or "*" for every method.
	Method string
	// Pattern is the whole pattern, with the prefixes of its groups.
	Pattern string
	// Name is the route's name, or "".
	Name string
	// File and Line say where the route was written; empty for built-in routes.
	File string
	Line int
	// Mode is where the handler runs: "pooled", "inline" or "async".
	Mode string
	// Mounted tells that the route belongs to a mounted site.
	Mounted bool
	// Middleware are the names of the chain, outermost first.
	Middleware []string
}

// Routes lists the routes by pattern and method, with their chains in the order in which they run. It may be called
// at any time, from any goroutine.
func (a *App) Routes() []RouteInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []RouteInfo
	for _, r := range a.everyRoute() {
		info := RouteInfo{
			Method: r.method, Pattern: r.pattern, Name: r.name, File: r.file, Line: r.line,
			Mode: r.mode(), Mounted: r.mounted,
		}
		for _, m := range r.chain() {
			info.Middleware = append(info.Middleware, cmp.Or(m.Name, "?"))
		}
		list = append(list, info)
	}
	slices.SortStableFunc(list, func(x, y RouteInfo) int {
		return cmp.Or(cmp.Compare(x.Pattern, y.Pattern), cmp.Compare(x.Method, y.Method))
	})
	return list
}

// chain returns the middleware of the route, outermost first.
func (r *route) chain() []Middleware {
	if r.builtIn {
		return nil // health checks must not need credentials or spend a rate limit
	}
	return append(r.router.chain(), r.own...)
}

// caller returns the place of the code that called the exported method skip frames above.
func caller(skip int) (file string, line int) {
	_, file, line, ok := runtime.Caller(skip + 1)
	if !ok {
		return "unknown", 0
	}
	return file, line
}

// badRoute is an error of registration, kept until the app is built.
func badRoute(r *route, format string, args ...any) error {
	return fmt.Errorf("route %s %s at %s: %w", r.method, r.pattern, r.origin(), fmt.Errorf(format, args...))
}

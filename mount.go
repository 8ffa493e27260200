package covet

import (
	"context"
	"strings"
)

// Mounter is a source of routes that are not known when the app is written, such as a Python application.
type Mounter interface {
	// Mount is called once, by [Router.Mount]: it keeps the site and adds its hooks. An error keeps the app
	// from being built.
	Mount(s *Site) error
}

// Site is a Mounter's place in an app.
type Site struct {
	router *Router
	routes []*route
}

// DynamicRoute is one route of a Site.
type DynamicRoute struct {
	// Method is a method token, or "*".
	Method string
	// Pattern is relative to the site's prefix.
	Pattern string
	// Name is for listings.
	Name string
	// File and Line say where the route was written, for errors.
	File string
	Line int
	// Handler answers.
	Handler AsyncHandler
}

// Mount joins a source of routes to this router: below prefix, inside of the router's middleware.
func (g *Router) Mount(prefix string, m Mounter) {
	if prefix == "/" {
		prefix = ""
	}
	s := &Site{router: g.Group(strings.TrimSuffix(prefix, "/"))}
	a := g.app
	a.mu.Lock()
	a.sites = append(a.sites, s)
	a.mu.Unlock()
	if err := m.Mount(s); err != nil {
		a.mu.Lock()
		a.errs = append(a.errs, err)
		a.mu.Unlock()
	}
}

// Prefix is where the site is mounted: "" for the root.
func (s *Site) Prefix() string { return s.router.prefix }

// OnStart adds a function that runs when the loops run and before the app listens. It may call Replace.
func (s *Site) OnStart(f func(ctx context.Context, rt Runtime) error) { s.router.app.onStart(f) }

// OnStop adds a function that runs after the last request has been answered.
func (s *Site) OnStop(f func(ctx context.Context) error) { s.router.app.OnStop(f) }

// Replace puts routes in the place of those that the site has, at once and for all of them: requests that have begun keep
// the routes they began with. On error, which names each pair of conflicting routes, nothing changes. Any
// goroutine may call it; before the app is built the routes are checked when it is.
func (s *Site) Replace(routes []DynamicRoute) error {
	list := make([]*route, 0, len(routes))
	for _, d := range routes {
		r := &route{
			method: d.Method, pattern: s.router.join(d.Pattern), name: d.Name, file: d.File, line: d.Line,
			async: d.Handler, mounted: true, router: s.router,
		}
		switch {
		case d.Handler == nil:
			return badRoute(r, "the handler is nil")
		case !validMethod(d.Method):
			return badRoute(r, "%q is not a method", d.Method)
		}
		list = append(list, r)
	}
	a := s.router.app
	a.mu.Lock()
	defer a.mu.Unlock()
	old := s.routes
	s.routes = list
	if !a.built {
		return nil
	}
	if err := a.build(); err != nil {
		s.routes = old
		return err
	}
	return nil
}

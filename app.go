package covet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/radix"
)

// App holds routes, middleware and hooks, and answers requests with them. Make one with [New]; it is the
// outermost [Router].
type App struct {
	Router
	set settings

	mu     sync.Mutex // guards what follows up to table, which changes when sites replace their routes
	routes []*route
	sites  []*Site
	errs   []error
	hooks  hooks
	built  bool

	onError []errorRule
	table   atomic.Pointer[table]
	state   atomic.Int32
	pool    *pool
	lanes   []*lane
	faults  faultLog
	// base is what the contexts of requests come from; stop ends it.
	base context.Context
	stop context.CancelFunc
}

// The states of an app, for /readyz.
const (
	stateStarting int32 = iota
	stateReady
	stateDraining
)

// New returns an app without routes.
func New(opts ...Option) *App {
	a := &App{set: defaults()}
	a.app = a
	for _, o := range opts {
		o(&a.set)
	}
	a.pool = newPool(a.set.concurrency, a.set.queue)
	a.faults.log = a.set.log
	a.faults.ended.L = &a.faults.mu
	a.base, a.stop = context.WithCancel(context.Background())
	return a
}

// register keeps a route until the app is built.
func (a *App) register(r *route) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.built:
		a.errs = append(a.errs, badRoute(r, "registered after the app was built"))
	case r.handler == nil && r.async == nil:
		a.errs = append(a.errs, badRoute(r, "the handler is nil"))
	case !validMethod(r.method):
		a.errs = append(a.errs, badRoute(r, "%q is not a method", r.method))
	}
	a.routes = append(a.routes, r)
}

// Build compiles the routes and their chains. Its error names every route that cannot be, with the file and line where
// it was written. Run, Serve and Handler call it; calling it again compiles anew, for mounted sites
// that have changed.
func (a *App) Build() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.build()
}

// build is Build with mu held.
func (a *App) build() error {
	if len(a.errs) > 0 {
		return errors.Join(a.errs...)
	}
	t, err := a.compile(a.everyRoute())
	if err != nil {
		return err
	}
	a.built = true
	a.table.Store(t)
	return nil
}

// everyRoute returns the app's routes, those of its sites and the built-in ones; mu is held.
func (a *App) everyRoute() []*route {
	list := append([]*route(nil), a.routes...)
	for _, s := range a.sites {
		list = append(list, s.routes...)
	}
	if a.set.health {
		list = append(list, a.healthRoutes(list)...)
	}
	return list
}

// Handler builds the app and returns what an engine calls with its exchanges. Go code that does not run an engine
// of its own wants [App.Run], [App.Serve] or [ToHTTP].
func (a *App) Handler() (message.Handler, error) {
	if err := a.Build(); err != nil {
		return nil, err
	}
	return (*entrance)(a), nil
}

// entrance is the App as a message.Handler, whose method is named like [App.Serve].
type entrance App

var _ message.Handler = (*entrance)(nil)

// Serve routes x and runs its chain, on x's loop.
func (e *entrance) Serve(x *message.Exchange) {
	a := (*App)(e)
	c, _ := x.App.(*Ctx)
	if c == nil {
		c = &Ctx{}
		x.App = c
	}
	t := a.table.Load()
	c.begin(a, x)
	c.ep = t.find(c)
	c.descend()
}

// table is what routes are compiled to. It is immutable: requests in flight keep the endpoints of the table that
// they began with.
type table struct {
	tree *radix.Tree[*endpoint]
	// methods[m] is the tree's number of message.Method m.
	methods [message.MethodCount]int
	// lost answers paths without a route, star answers "OPTIONS *".
	lost, star *endpoint
}

// endpoint is a compiled route: its chain and what the chain ends in.
type endpoint struct {
	route *route
	names []string
	chain []Middleware
	// Exactly one of them is set.
	inline, pooled Handler
	async          AsyncHandler
	// miss answers requests for the path with a method that it has no route for.
	miss *endpoint

	bodyLimit int64
	timeout   time.Duration
}

func (a *App) compile(routes []*route) (*table, error) {
	var errs []error
	var entries []radix.Route[*endpoint]
	for _, r := range routes {
		ep, err := compileRoute(r)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		entries = append(entries, radix.Route[*endpoint]{
			Method: r.method, Pattern: r.pattern, Origin: r.origin(), Payload: ep,
		})
	}
	tree, err := radix.Build(entries)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("covet: %w", err)
	}
	t := &table{tree: tree}
	for m := range t.methods {
		t.methods[m] = tree.Method(message.Method(m).String())
	}
	global := chainOf(a.Router.chain())
	t.lost = &endpoint{chain: global, inline: notFound}
	t.star = &endpoint{chain: global, inline: func(c *Ctx) error {
		c.SetHeader("allow", tree.All())
		return c.NoContent()
	}}
	return t, nil
}

func compileRoute(r *route) (*endpoint, error) {
	p, err := radix.Parse(r.pattern)
	if err != nil {
		return nil, badRoute(r, "%w", err)
	}
	chain := r.chain()
	ep := &endpoint{route: r, names: p.Names(), chain: chainOf(chain), bodyLimit: r.bodyLimit, timeout: r.timeout}
	h := r.handler
	for i := len(chain) - 1; i >= 0; i-- {
		if wrap := chain[i].Wrap; wrap != nil {
			if r.mode() != "pooled" {
				return nil, badRoute(r, "the middleware %q wraps handlers, which works only for Go handlers that run off "+
					"the loop, and this route is %s", chain[i].Name, r.mode())
			}
			h = wrap(h)
		}
	}
	switch {
	case r.async != nil:
		ep.async = r.async
	case r.inline:
		ep.inline = h
	default:
		ep.pooled = h
	}
	outer := []Middleware(nil)
	if !r.builtIn {
		outer = chainOf(r.router.chain())
	}
	ep.miss = &endpoint{chain: outer, inline: wrongMethod}
	return ep, nil
}

// chainOf leaves out what has nothing to do on the loop.
func chainOf(list []Middleware) []Middleware {
	var kept []Middleware
	for _, m := range list {
		if m.Before != nil || m.After != nil || m.Done != nil {
			kept = append(kept, m)
		}
	}
	return kept
}

// find returns the endpoint for c's request and sets its parameters.
func (t *table) find(c *Ctx) *endpoint {
	r := c.req
	path := r.Bytes(r.Path)
	method := t.methods[r.Method]
	if r.Method == message.MethodOther {
		method = t.tree.Method(string(r.Bytes(r.MethodName)))
	}
	ep, miss, ok := t.tree.Lookup(method, path, &c.params)
	switch {
	case ok:
		return ep
	case miss.Methods != 0:
		c.allow = t.tree.Allow(miss.Methods)
		return ep.miss
	case r.Method == message.MethodOptions && string(path) == "*":
		return t.star // RFC 9110 section 9.3.7
	}
	return t.lost
}

// lane gathers the pooled requests of one loop until the loop runs its mailbox, so that a batch of arrivals costs one
// passage of the pool's lock.
type lane struct {
	app     *App
	task    mailbox.Task
	waiting []*Ctx
	posted  bool
}

// prepareLanes makes one lane for each of n loops, before they get connections.
func (a *App) prepareLanes(n int) {
	a.lanes = make([]*lane, n)
	for i := range a.lanes {
		l := &lane{app: a}
		l.task.Do = l
		a.lanes[i] = l
	}
}

// add hands c to the pool at the end of the turn.
func (l *lane) add(c *Ctx, e mailbox.Executor) {
	l.waiting = append(l.waiting, c)
	if !l.posted {
		l.posted = true
		e.Post(&l.task)
	}
}

// Run hands the gathered requests over; those that find no place are refused.
func (l *lane) Run() {
	l.posted = false
	taken := l.app.pool.submit(l.waiting)
	for _, c := range l.waiting[taken:] {
		c.refuse()
	}
	clear(l.waiting)
	l.waiting = l.waiting[:0]
}

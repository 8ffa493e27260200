package static

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// Site serves a directory. It may be mounted at several places. Its methods may be called from any goroutine.
type Site struct {
	cfg   Config
	err   error // why the configuration cannot be used
	tree  tree
	cache *cache
	began time.Time
	off   covet.Handler // answerOff, made once: a method value is an allocation

	mu      sync.Mutex
	flights map[string]*flight
}

var (
	_ covet.Mounter      = (*Site)(nil)
	_ covet.AsyncHandler = (*Site)(nil)
)

// New returns a site. What is wrong with the configuration is told by Check, and when the site is mounted.
func New(c Config) *Site {
	s := &Site{cfg: c, began: time.Now(), flights: map[string]*flight{}}
	s.err = s.cfg.fill()
	s.tree = newTree(&s.cfg)
	s.cache = newCache(&s.cfg)
	s.off = s.answerOff
	return s
}

// Check returns what is wrong with the configuration, or nil.
func (s *Site) Check() error { return s.err }

// Close forgets what is kept: descriptors are closed when the responses that use them are complete. A closed site goes on
// answering, from the file system.
func (s *Site) Close() { s.cache.close() }

// Mount implements covet.Mounter.
func (s *Site) Mount(at *covet.Site) error {
	if s.err != nil {
		return s.err
	}
	at.OnStop(func(context.Context) error { s.Close(); return nil })
	prefix := "/"
	if at.Prefix() != "" {
		prefix = ""
	}
	return at.Replace(s.Routes(prefix))
}

// Routes are the routes of the site below a path, "" or "/" for the root of where they are put, without its last slash.
// All of them are GET, which stands for HEAD, too; the app answers other methods with 405.
func (s *Site) Routes(path string) []covet.DynamicRoute {
	list := []covet.DynamicRoute{{
		Method: http.MethodGet, Pattern: strings.TrimSuffix(path, "/") + "/{path...}", Name: "static", File: s.cfg.Dir, Handler: s,
	}}
	if path == "/" {
		return list
	}
	return append(list, covet.DynamicRoute{
		Method: http.MethodGet, Pattern: path, Name: "static", File: s.cfg.Dir, Handler: covet.AsyncFunc(redirectAsync),
	})
}

// now is the time since the site began, in nanoseconds.
func (s *Site) now() int64 { return int64(time.Since(s.began)) }

// usedStep is how exactly the last use of an entry is known: finer would have the loops write the same memory without
// need.
const usedStep = int64(100 * time.Millisecond)

// keyName is where a request keeps its key on the way off the loop.
type keyName struct{}

// ServeAsync answers from what is kept, or goes on off the loop.
func (s *Site) ServeAsync(c *covet.Ctx) {
	spans := c.ParamSpans()
	key := c.Exchange().Request.Bytes(spans[len(spans)-1])
	if e := s.cache.find(key); e != nil {
		now := s.now()
		age := now - e.checked.Load()
		// One of the requests after a second goes to look; the others need not wait for it, unless it takes long.
		if age < int64(checkEvery) || age < 2*int64(checkEvery) && !e.checking.CompareAndSwap(false, true) {
			if e.acquire() {
				if now-e.used.Load() > usedStep {
					e.used.Store(now)
				}
				c.Finish(s.answer(c, e))
				e.release()
				return
			}
		}
	}
	c.Set(keyName{}, string(key))
	c.Leave(s.off)
}

// answerOff answers off the loop.
func (s *Site) answerOff(c *covet.Ctx) error {
	key, _ := c.Get(keyName{}).(string)
	e, err := s.fetch(c.Context(), key)
	switch {
	case err == nil:
		defer e.release()
		return s.answer(c, e)
	case errors.Is(err, errDirectory):
		return redirect(c)
	case errors.Is(err, errListed):
		return s.list(c, key)
	}
	var f *fault.Error
	if s.cfg.Fallback == "" || !errors.As(err, &f) || f.Code != fault.NotFound {
		return err
	}
	// What is not there is one answer to those who want a page and another to the rest.
	c.AddHeader("vary", "accept")
	if acceptsHTML(c) {
		e, err := s.fetch(c.Context(), s.cfg.Fallback)
		if err == nil {
			defer e.release()
			return s.answer(c, e)
		}
		if !errors.Is(err, errDirectory) && !errors.Is(err, errListed) {
			return err
		}
	}
	return err
}

// answer replies with the representation that suits the client.
func (s *Site) answer(c *covet.Ctx, e *entry) error {
	r := &e.reps[identity]
	if e.coded {
		r = &e.reps[choose(c.HeaderBytes("accept-encoding"), &e.there)]
		// RFC 9110 section 12.5.5: also where identity was chosen, and on 304 (section 15.4.5).
		c.AddHeader("vary", "accept-encoding")
	}
	if e.cacheControl != "" {
		c.SetHeader("cache-control", e.cacheControl)
	}
	c.SetHeader("x-content-type-options", "nosniff")
	return c.SendContent(&r.content)
}

// redirectAsync is redirect on the loop.
func redirectAsync(c *covet.Ctx) { c.Finish(redirect(c)) }

// redirect sends the client to the same path with a slash. The reference is relative, and begins with a dot: it cannot
// name another host, as "//host/" would, nor a scheme, as "a:b/" would, and holds behind proxies that cut prefixes.
func redirect(c *covet.Ctx) error {
	_, query, asked := strings.Cut(c.Target(), "?")
	path := c.Path()
	last := path[strings.LastIndexByte(path, '/')+1:]
	// The canonical path still has %2F and %25 escaped: these are kept as they are.
	to := "./" + strings.NewReplacer("%252F", "%2F", "%2525", "%25").Replace(url.PathEscape(last)) + "/"
	if asked {
		to += "?" + query
	}
	return c.Redirect(http.StatusMovedPermanently, to)
}

// acceptsHTML reports whether the client asks for a page, as browsers do when they navigate.
func acceptsHTML(c *covet.Ctx) bool {
	return strings.Contains(c.Header("accept"), message.ContentHTML.String()[:len("text/html")])
}

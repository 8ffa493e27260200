package bridge

import (
	"errors"
	"fmt"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/worker"
)

// Files serves a directory that a Python application has named with app.static: a *static.Site.
type Files interface {
	// Routes are those of the directory below a path.
	Routes(path string) []covet.DynamicRoute
	// Close ends what it keeps, when the application names it no longer.
	Close()
}

// StaticFiles sets what serves the directories that the application names with app.static; without it such an
// application does not start.
func StaticFiles(f func(worker.StaticDir) (Files, error)) Option {
	return func(c *Config) { c.Files = f }
}

var errNoFiles = errors.New("nothing that serves files was given to the bridge")

// staticRoutes makes the sites of a generation and their routes.
func (a *Application) staticRoutes(dirs []worker.StaticDir) (sites []Files, list []covet.DynamicRoute, err error) {
	for _, d := range dirs {
		site, err := Files(nil), errNoFiles
		if a.cfg.Files != nil {
			site, err = a.cfg.Files(d)
		}
		if err != nil {
			closeFiles(sites)
			return nil, nil, &worker.StartError{
				Stage:   "routes",
				Message: fmt.Sprintf("the files of %s cannot be served: %v", d.Path, err),
				Hint:    fmt.Sprintf("see app.static in %s, line %d", d.File, d.Line),
			}
		}
		sites = append(sites, site)
		for _, r := range site.Routes(d.Path) {
			r.File, r.Line = d.File, d.Line
			list = append(list, r)
		}
	}
	return sites, list, nil
}

func closeFiles(sites []Files) {
	for _, s := range sites {
		s.Close()
	}
}

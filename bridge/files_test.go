package bridge

import (
	"errors"
	"strings"
	"testing"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/worker"
)

// dir is a directory that counts how often it is closed.
type dir struct{ closed int }

func (d *dir) Routes(path string) []covet.DynamicRoute {
	return []covet.DynamicRoute{{Method: "GET", Pattern: path + "/{path...}", Handler: covet.AsyncFunc(func(*covet.Ctx) {})}}
}
func (d *dir) Close() { d.closed++ }

func TestStaticRoutes(t *testing.T) {
	first := &dir{}
	open := func(d worker.StaticDir) (Files, error) {
		if d.Dir == "/bad" {
			return nil, errors.New("is bad")
		}
		return first, nil
	}
	good := worker.StaticDir{Path: "/a", Dir: "/good", File: "app.py", Line: 7}
	a := &Application{cfg: Config{Files: open}}
	sites, list, err := a.staticRoutes([]worker.StaticDir{good})
	if err != nil || len(sites) != 1 || len(list) != 1 || list[0].Pattern != "/a/{path...}" || list[0].File != "app.py" || list[0].Line != 7 {
		t.Errorf("%v %+v %v", sites, list, err)
	}
	var start *worker.StartError
	_, _, err = a.staticRoutes([]worker.StaticDir{good, {Path: "/b", Dir: "/bad", File: "app.py", Line: 8}})
	if !errors.As(err, &start) || !strings.Contains(start.Message, "/b") || !strings.Contains(start.Hint, "line 8") || first.closed != 1 {
		t.Errorf("%v, closed %d times", err, first.closed)
	}
	if _, _, err = (&Application{}).staticRoutes([]worker.StaticDir{good}); !errors.As(err, &start) {
		t.Errorf("a bridge that was given nothing: %v", err)
	}
}

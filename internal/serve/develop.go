package serve

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/covetpy/covet/bridge"
	"github.com/covetpy/covet/internal/worker"
)

const (
	// quiet is how long files must be left alone before a reload: editors and version control write many at once.
	quiet = 60 * time.Millisecond
	// maxWatched bounds the folders that are watched: each costs a kernel watch.
	maxWatched = 5000
)

// watched are the endings of files whose change matters to an application.
var watched = [...]string{".py", ".html", ".jinja", ".jinja2", ".toml", ".json", ".yaml", ".yml", ".env"}

// matters reports whether a change of the file should reload.
func matters(path string) bool {
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") && name != ".env" || strings.HasSuffix(name, "~") {
		return false
	}
	for _, ending := range watched {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

// skipped reports whether a folder is left out: what tools make, not people.
func skipped(name string) bool {
	switch name {
	case "__pycache__", "node_modules", "venv", "site-packages", "build", "dist":
		return true
	}
	return strings.HasPrefix(name, ".") && name != "."
}

// watcher tells of changes below some folders.
type watcher struct {
	notify *fsnotify.Watcher
	root   string // the first folder
	// Changed gets the path of a changed file, after things have become quiet.
	Changed chan string
}

// watch begins to watch the folders and everything below them, until ctx ends.
func watch(ctx context.Context, roots []string) (*watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{notify: n, root: roots[0], Changed: make(chan string, 1)}
	for _, root := range roots {
		if _, err := w.add(root); err != nil {
			n.Close()
			return nil, err
		}
	}
	go w.run(ctx)
	return w, nil
}

var errTooMany = errors.New("too many folders to watch: start in the application's own folder")

// add watches a folder and those below it: the notifier itself does not descend. It returns a file in them that
// matters, if there is one.
func (w *watcher) add(root string) (found string, err error) {
	count := len(w.notify.WatchList())
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone again already
		case errors.Is(err, fs.ErrPermission) && path != root:
			return fs.SkipDir // Python cannot read it either
		case err != nil:
			return err
		case !d.IsDir():
			if matters(path) {
				found = path
			}
			return nil
		case path != root && skipped(d.Name()):
			return fs.SkipDir
		case count >= maxWatched:
			return errTooMany
		}
		count++
		return w.notify.Add(path)
	})
	return found, err
}

func (w *watcher) run(ctx context.Context) {
	defer w.notify.Close()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	changed := ""
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-w.notify.Events:
			if !open {
				return
			}
			if e.Has(fsnotify.Create) && !skipped(filepath.Base(e.Name)) {
				// Perhaps a new folder, which may have been filled before it was watched. Too many merely go unseen.
				if found, _ := w.add(e.Name); found != "" {
					changed = found
					timer.Reset(quiet)
				}
			}
			// Chmod alone is what indexers and backups do.
			if matters(e.Name) && e.Op != fsnotify.Chmod {
				changed = e.Name
				timer.Reset(quiet)
			}
		case <-timer.C:
			select {
			case w.Changed <- changed:
			default: // an earlier change has not been taken yet: what follows sees this one, too
			}
		case err, open := <-w.notify.Errors:
			if !open {
				return
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) { // something was missed
				changed = w.root
				timer.Reset(quiet)
			}
		}
	}
}

// Develop serves like Run, reloads when a file changes, and shows errors instead of ending with them.
func Develop(ctx context.Context, o Options) error {
	s, err := bridge.New(bridge.Config{Spec: worker.Spec{Target: o.Target, Dir: o.Dir, Python: o.Config.Python}}).Spec()
	if err != nil {
		return err
	}
	roots := []string{s.Dir}
	if file, _, _ := strings.Cut(s.Target, ":"); strings.HasSuffix(file, ".py") {
		if dir := filepath.Dir(file); !strings.HasPrefix(dir+"/", s.Dir+"/") {
			roots = append(roots, dir)
		} else {
			roots[0] = dir
		}
	}
	w, err := watch(ctx, roots)
	if err != nil {
		return err
	}
	o.changed = w.Changed
	for {
		err := Run(ctx, o)
		var start *worker.StartError
		// What a change of the source can mend is worth waiting for.
		if !errors.As(err, &start) || start.Stage == "interpreter" {
			return err
		}
		o.Report(err)
		o.say("waiting for a change …")
		select {
		case <-ctx.Done():
			return nil
		case path := <-w.Changed:
			o.say("%s changed", filepath.Base(path))
		}
	}
}

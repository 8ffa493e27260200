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
	// Changed gets the path of a changed file, after things have become quiet.
	Changed chan string
}

// watch begins to watch the folders and everything below them, until ctx ends.
func watch(ctx context.Context, roots []string) (*watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{notify: n, Changed: make(chan string, 1)}
	for _, root := range roots {
		if err := w.add(root); err != nil {
			n.Close()
			return nil, err
		}
	}
	go w.run(ctx)
	return w, nil
}

var errTooMany = errors.New("too many folders to watch: start in the application's own folder")

// add watches a folder and those below it: the notifier itself does not descend.
func (w *watcher) add(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone again already
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case path != root && skipped(d.Name()):
			return fs.SkipDir
		case len(w.notify.WatchList()) >= maxWatched:
			return errTooMany
		}
		return w.notify.Add(path)
	})
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
			if e.Has(fsnotify.Create) {
				_ = w.add(e.Name) // a new folder; a file is refused harmlessly, too many folders merely go unseen
			}
			// Chmod alone is what indexers and backups do.
			if matters(e.Name) && e.Op != fsnotify.Chmod {
				changed = e.Name
				timer.Reset(quiet)
			}
		case <-timer.C:
			select {
			case w.Changed <- changed:
			case <-ctx.Done():
				return
			}
		case _, open := <-w.notify.Errors:
			if !open {
				return
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

package serve

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestMatters(t *testing.T) {
	for path, want := range map[string]bool{
		"/a/app.py": true, "/a/page.html": true, "/a/.env": true, "/a/prod.env": true, "/a/x.toml": true,
		"/a/app.pyc": false, "/a/app.py~": false, "/a/.app.py.swp": false, "/a/.#app.py": false, "/a/4913": false, "/a/data.db": false,
	} {
		if matters(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

// meadow is a folder that is watched.
type meadow struct {
	t   *testing.T
	dir string
	w   *watcher
}

func newMeadow(t *testing.T, folders ...string) *meadow {
	t.Helper()
	m := &meadow{t: t, dir: t.TempDir()}
	for _, f := range folders {
		m.mkdir(f)
	}
	w, err := watch(t.Context(), []string{m.dir})
	if err != nil {
		t.Fatal(err)
	}
	m.w = w
	return m
}

func (m *meadow) mkdir(name string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Join(m.dir, name), 0o700); err != nil {
		m.t.Fatal(err)
	}
}

func (m *meadow) write(name string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte("x = 1\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// change waits for the next change and checks that it is one of name.
func (m *meadow) change(name string) {
	m.t.Helper()
	select {
	case path := <-m.w.Changed:
		if path != filepath.Join(m.dir, name) {
			m.t.Errorf("%s changed, want %s", path, name)
		}
	case <-time.After(patience):
		m.t.Fatalf("%s: not seen", name)
	}
}

func TestWatcherSeesManyWritesAsOneChange(t *testing.T) {
	m := newMeadow(t, "pkg/sub")
	for range 20 {
		m.write("a.py")
		m.write("pkg/sub/b.py")
	}
	m.change("pkg/sub/b.py")
	// Whatever came of the burst has come: the next change is the one made now.
	m.write("c.py")
	m.change("c.py")
}

func TestWatcherSeesNewFolders(t *testing.T) {
	m := newMeadow(t)
	m.mkdir("new/deep")
	m.write("new/deep/filled.py") // perhaps before the folder is watched
	m.change("new/deep/filled.py")
	m.write("new/deep/later.py")
	m.change("new/deep/later.py")
}

// What must not be seen is written before something that is: the order of events is that of the writes.
func TestWatcherIgnores(t *testing.T) {
	m := newMeadow(t, ".git", "node_modules/x", "pkg")
	m.write(".git/config.toml")
	m.write("node_modules/x/package.json")
	m.write("notes.txt")
	m.write("pkg/.a.py.swp")
	m.mkdir("__pycache__")
	m.write("__pycache__/a.py")
	m.mkdir(".venv/lib")
	m.write(".venv/lib/b.py")
	if err := os.Chmod(filepath.Join(m.dir, "pkg"), 0o755); err != nil {
		t.Fatal(err)
	}
	m.write("pkg/seen.py")
	m.change("pkg/seen.py")
	for _, path := range m.w.notify.WatchList() {
		if skipped(filepath.Base(path)) {
			t.Errorf("%s is watched", path)
		}
	}
}

// A change that nobody has taken yet does not keep the watcher from looking.
func TestWatcherGoesOnWhileNobodyListens(t *testing.T) {
	m := newMeadow(t)
	m.write("first.py")
	for end := time.Now().Add(patience); len(m.w.Changed) == 0; {
		if time.Now().After(end) {
			t.Fatal("not seen")
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		m.mkdir(name)
		for end := time.Now().Add(patience); ; {
			list := m.w.notify.WatchList()
			if len(list) > 1 && contains(list, filepath.Join(m.dir, name)) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s is not watched", name)
			}
		}
		m.write(name + "/x.py")
	}
	m.change("first.py")
}

func contains(list []string, path string) bool {
	for _, p := range list {
		if p == path {
			return true
		}
	}
	return false
}

//go:build unix

package static

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestNothingButFiles(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, outside, "secret.txt", "secret")
	write(t, dir, "real.txt", "real")
	for name, to := range map[string]string{
		"out.txt": filepath.Join(outside, "secret.txt"), "outdir": outside, "in.txt": "real.txt", "loop": "loop",
		"null": os.DevNull, "climb.txt": "../" + filepath.Base(outside) + "/secret.txt",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for follow, status := range map[bool]map[string]int{
		false: {"/s/in.txt": 200, "/s/out.txt": 404, "/s/outdir/secret.txt": 404, "/s/outdir/": 404, "/s/climb.txt": 404, "/s/loop": 404, "/s/fifo": 404, "/s/null": 404},
		true:  {"/s/in.txt": 200, "/s/out.txt": 200, "/s/outdir/secret.txt": 200, "/s/loop": 404, "/s/fifo": 404, "/s/null": 404},
	} {
		s := site(t, Config{Dir: dir, FollowSymlinks: follow})
		for path, want := range status {
			if a := ask(t, s, "GET", path); a.status != want || want == 404 && strings.Contains(a.body, "secret") {
				t.Errorf("%s, following %v: %d", path, follow, a.status)
			}
		}
		listing := site(t, Config{Dir: dir, FollowSymlinks: follow, Listing: true})
		if a := ask(t, listing, "GET", "/s/"); a.status != 200 || strings.Contains(a.body, "fifo") || strings.Contains(a.body, "out.txt") != follow {
			t.Errorf("listing, following %v: %d %s", follow, a.status, a.body)
		}
	}
}

// age makes everything that is kept look as if it had been checked long ago.
func age(s *Site) {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	for _, e := range s.cache.list {
		e.checked.Add(-10 * int64(checkEvery))
	}
	if r, ok := s.tree.(*rootTree); ok {
		r.mu.Lock()
		r.checked = r.checked.Add(-10 * checkEvery)
		r.mu.Unlock()
	}
}

func TestChangesAreNoticed(t *testing.T) {
	base := t.TempDir()
	write(t, base, "one/a.txt", "first")
	write(t, base, "one/big.js", big)
	write(t, base, "two/a.txt", "other")
	current := filepath.Join(base, "current")
	point := func(to string) {
		if err := os.Symlink(to, current+"~"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(current+"~", current); err != nil {
			t.Fatal(err)
		}
	}
	point("one")
	st := New(Config{Dir: current})
	get := func(path string) string {
		e, err := st.fetch(t.Context(), path)
		if err != nil {
			return err.Error()[:9]
		}
		defer e.release()
		r := &e.reps[identity].content
		if r.File == nil {
			return string(r.Bytes)
		}
		b := make([]byte, r.Size)
		if _, err := r.File.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := func(path, text string) {
		t.Helper()
		if got := get(path); got != text {
			t.Errorf("%s is %.40q, want %.40q", path, got, text)
		}
	}
	want("a.txt", "first")
	kept := st.cache.find([]byte("a.txt"))
	age(st)
	want("a.txt", "first")
	if st.cache.find([]byte("a.txt")) != kept {
		t.Error("what has not changed was read again")
	}
	write(t, base, "one/a.txt", "secnd") // same size and time, another file
	want("a.txt", "first")
	age(st)
	want("a.txt", "secnd")
	want("big.js", big)
	write(t, base, "one/big.js", strings.ToUpper(big)+"!")
	age(st)
	want("big.js", strings.ToUpper(big)+"!")
	write(t, base, "one/a.txt.gz", zipped(t, "secnd"))
	age(st)
	want("a.txt", "secnd")
	if e := st.cache.find([]byte("a.txt")); !e.coded {
		t.Error("a new sibling was not noticed")
	}
	point("two")
	age(st)
	want("a.txt", "other")
	want("big.js", "not_found")
	if err := os.Remove(filepath.Join(base, "two", "a.txt")); err != nil {
		t.Fatal(err)
	}
	age(st)
	want("a.txt", "not_found")
	if n := len(st.cache.list); n != 0 || st.cache.memory != 0 || st.cache.files != 0 {
		t.Errorf("%d entries, %d bytes, %d files are kept of nothing", n, st.cache.memory, st.cache.files)
	}
}

// A file that was changed a moment ago may change again without its time telling: it is read anew.
func TestYoungFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	st := New(Config{Dir: dir})
	e, err := st.fetch(t.Context(), "a.txt")
	if err != nil || !e.young {
		t.Fatalf("%v, %v", e, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("secnd"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	age(st)
	if e, err = st.fetch(t.Context(), "a.txt"); err != nil || string(e.reps[identity].content.Bytes) != "secnd" {
		t.Errorf("%v, %v", e, err)
	}
}

func TestBounds(t *testing.T) {
	dir := t.TempDir()
	for _, name := range strings.Fields("a b c d e f g h") {
		write(t, dir, name+".txt", strings.Repeat(name, 1000))
		write(t, dir, name+".big", big)
	}
	st := New(Config{Dir: dir, MaxEntries: 6, MaxMemory: 5000 + 6*entryCost, MaxFiles: 2})
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("this system does not list descriptors")
		}
		return len(list)
	}
	fetch := func(name string) {
		e, err := st.fetch(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		st.cache.find([]byte(name)).used.Store(st.now())
		e.release()
	}
	fetch("a.big") // opens the root
	before := open()
	for _, ending := range []string{".txt", ".big"} {
		for _, name := range strings.Fields("a b c d e f g h") {
			fetch(name + ending)
		}
	}
	k := st.cache
	if len(k.list) > 6 || k.memory > 5000+6*entryCost || k.files > 2 {
		t.Errorf("%d entries, %d bytes, %d files", len(k.list), k.memory, k.files)
	}
	if k.find([]byte("h.big")) == nil || k.find([]byte("a.txt")) != nil {
		t.Error("it was not the oldest that went")
	}
	if n := open(); n > before+1 {
		t.Errorf("%d descriptors are open, %d before", n, before)
	}
	st.Close()
	if len(k.list) != 0 || k.find([]byte("h.big")) != nil {
		t.Error("something is kept after Close")
	}
	if e, err := st.fetch(t.Context(), "a.big"); err != nil || e.refs.Load() != 1 {
		t.Errorf("a closed site: %v", err)
	} else {
		e.release()
	}
	if n := open(); n > before-1 {
		t.Errorf("%d descriptors are open at the end, %d before", n, before)
	}
}

// Many ask for the same and for other files while they change: the race detector and the counts of references watch.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	for _, name := range strings.Fields("a b c d") {
		write(t, dir, name, name+big)
	}
	st := New(Config{Dir: dir, MaxFiles: 2})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				name := string("abcd"[(i+n)%4])
				e, err := st.fetch(t.Context(), name)
				if err != nil {
					t.Error(err)
					return
				}
				var b [1]byte
				if _, err := e.reps[identity].content.File.ReadAt(b[:], 0); err != nil || string(b[:]) != name {
					t.Errorf("%s: %q %v", name, b, err)
				}
				e.release()
				if n%20 == 0 {
					age(st)
				}
			}
		})
	}
	all.Wait()
	st.Close()
}

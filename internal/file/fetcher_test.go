package file

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestReadNow(t *testing.T) {
	f, _ := open(t)
	defer f.Release()
	b := make([]byte, 4)
	// It was written a moment ago: it is in memory, unless the file system does not tell.
	if f.ReadNow(b, 3) && string(b) != "3456" {
		t.Errorf("read %q", b)
	}
	if f.ReadNow(b, 8) {
		t.Error("four bytes where there are two")
	}
	if !f.Cached(2, 5, b) || !f.Cached(100, 5, b) {
		t.Error("what was just written, or does not exist, would have to be waited for")
	}
	if n := testing.AllocsPerRun(100, func() { f.ReadNow(b, 0); f.Cached(0, 10, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// fetched counts.
type fetched struct{ wg *sync.WaitGroup }

func (d fetched) Fetched() { d.wg.Done() }

func TestFetcher(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	under, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	f := New(under)
	var q Fetcher
	var wg sync.WaitGroup
	list := make([]Fetch, 100)
	for range 3 {
		for i := range list {
			wg.Add(1)
			list[i].Done = fetched{&wg}
			q.Start(&list[i], f, int64(i*5000), i*3000) // some of it is behind the end
		}
		wg.Wait()
	}
	if n := f.refs.Load(); n != 1 {
		t.Errorf("%d references after all was fetched, want 1", n)
	}
	f.Release()
}

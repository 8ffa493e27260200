package file

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T) (*File, *os.File) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return New(f), f
}

func TestLastReleaseCloses(t *testing.T) {
	f, under := open(t)
	f.Retain()
	f.Release()
	var b [3]byte
	if n, err := f.ReadAt(b[:], 4); n != 3 || err != nil || string(b[:]) != "456" {
		t.Fatalf("%q, %d, %v", b, n, err)
	}
	f.Release()
	if _, err := under.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after the last release: %v", err)
	}
}

func TestMisuseIsFound(t *testing.T) {
	for name, use := range map[string]func(*File){
		"retain":  func(f *File) { f.Retain() },
		"release": func(f *File) { f.Release() },
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := open(t)
			f.Release()
			defer func() {
				if recover() == nil {
					t.Error("nothing was said")
				}
			}()
			use(f)
		})
	}
}

//go:build unix

package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOpenRegularOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]error{"f": nil, "fifo": ErrNotRegular, ".": ErrNotRegular, "none": os.ErrNotExist} {
		f, info, err := Open(filepath.Join(dir, name))
		if !errors.Is(err, want) || err == nil && info.Size() != 3 {
			t.Errorf("Open(%s): %v", name, err)
		}
		if err == nil {
			f.Release()
		}
		if f, _, err = OpenIn(root, name); !errors.Is(err, want) {
			t.Errorf("OpenIn(%s): %v", name, err)
		}
		if err == nil {
			f.Release()
		}
	}
	if _, _, err := Open("/dev/null"); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a device: %v", err)
	}
}

func TestETag(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	tag := func(text string, changed time.Time) string {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, changed, changed); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return ETag(info, time.Unix(2000, 0), "-x")
	}
	first := tag("abc", time.Unix(1000, 0))
	if !strings.HasPrefix(first, `"`) || !strings.HasSuffix(first, `-x"`) {
		t.Errorf("tag %s", first)
	}
	if tag("abc", time.Unix(1000, 0)) != first || tag("abcd", time.Unix(1000, 0)) == first || tag("abc", time.Unix(1000, 1)) == first {
		t.Error("the tag does not follow the file")
	}
	if fresh := tag("abc", time.Unix(1999, 0)); !strings.HasPrefix(fresh, `W/"`) {
		t.Errorf("a file that was just changed has the strong tag %s", fresh)
	}
}

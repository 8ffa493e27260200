package static

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/covetpy/covet/internal/file"
)

// tree is where the files are. Its methods may block and may be called from any goroutine.
type tree interface {
	stat(name string) (fs.FileInfo, error)
	// open returns a regular file, or file.ErrNotRegular.
	open(name string) (*file.File, fs.FileInfo, error)
	// list returns at most n entries of a directory in the order of the system.
	list(name string, n int) ([]fs.DirEntry, error)
}

func newTree(c *Config) tree {
	switch {
	case c.FS != nil:
		return fsTree{c.FS}
	case c.FollowSymlinks:
		return dirTree(c.Dir)
	}
	return &rootTree{dir: c.Dir}
}

// rootTree is a directory that names cannot leave.
type rootTree struct {
	dir string

	mu      sync.Mutex
	root    *os.Root
	info    fs.FileInfo // of root
	checked time.Time
}

// current returns the root, which is another one when the directory has been replaced: deployments swap a symbolic link.
func (t *rootTree) current() (*os.Root, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.root != nil && time.Since(t.checked) < checkEvery {
		return t.root, nil
	}
	info, err := os.Stat(t.dir)
	if err != nil {
		return nil, err
	}
	if t.root == nil || !os.SameFile(info, t.info) {
		root, err := os.OpenRoot(t.dir)
		if err != nil {
			return nil, err
		}
		// The one before is closed by its cleanup: somebody may be in the middle of it.
		if t.info, err = root.Stat("."); err != nil {
			return nil, errors.Join(err, root.Close())
		}
		t.root = root
	}
	t.checked = time.Now()
	return t.root, nil
}

func (t *rootTree) stat(name string) (fs.FileInfo, error) {
	root, err := t.current()
	if err != nil {
		return nil, err
	}
	return root.Stat(name)
}

func (t *rootTree) open(name string) (*file.File, fs.FileInfo, error) {
	root, err := t.current()
	if err != nil {
		return nil, nil, err
	}
	return file.OpenIn(root, name)
}

func (t *rootTree) list(name string, n int) ([]fs.DirEntry, error) {
	root, err := t.current()
	if err != nil {
		return nil, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	return readSome(f, n)
}

// dirTree is a directory whose symbolic links are followed wherever they lead.
type dirTree string

func (t dirTree) at(name string) string { return filepath.Join(string(t), filepath.FromSlash(name)) }

func (t dirTree) stat(name string) (fs.FileInfo, error) { return os.Stat(t.at(name)) }

func (t dirTree) open(name string) (*file.File, fs.FileInfo, error) { return file.Open(t.at(name)) }

func (t dirTree) list(name string, n int) ([]fs.DirEntry, error) {
	f, err := os.Open(t.at(name))
	if err != nil {
		return nil, err
	}
	return readSome(f, n)
}

func readSome(f *os.File, n int) ([]fs.DirEntry, error) {
	defer func() { _ = f.Close() }() // it was only read
	list, err := f.ReadDir(n)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, err
}

// fsTree is a file system.
type fsTree struct{ fs fs.FS }

func (t fsTree) stat(name string) (fs.FileInfo, error) { return fs.Stat(t.fs, name) }

func (t fsTree) open(name string) (*file.File, fs.FileInfo, error) {
	// Looked at before it is opened: to open a FIFO would wait for its other end.
	info, err := fs.Stat(t.fs, name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, info, file.ErrNotRegular
	}
	f, err := t.fs.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if of, ok := f.(*os.File); ok {
		if info, err = of.Stat(); err == nil && !info.Mode().IsRegular() {
			err = file.ErrNotRegular
		}
		if err != nil {
			_ = of.Close() // it was not read
			return nil, nil, err
		}
		return file.New(of), info, nil
	}
	defer func() { _ = f.Close() }() // it was only read
	of, err := spool(f, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return file.New(of), info, nil
}

// spool copies a file of no operating system into one that has no name and vanishes with its descriptor.
func spool(from io.Reader, size int64) (*os.File, error) {
	to, err := os.CreateTemp("", "covet-static-")
	if err != nil {
		return nil, err
	}
	err = os.Remove(to.Name())
	if err == nil {
		var n int64
		if n, err = io.Copy(to, io.LimitReader(from, size+1)); err == nil && n != size {
			err = fmt.Errorf("%d bytes, not the %d that were announced", n, size)
		}
	}
	if err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return to, nil
}

func (t fsTree) list(name string, n int) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(t.fs, name)
	return list[:min(n, len(list))], err
}

package static

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/covetpy/covet/internal/ascii"
)

// Config says what a Site serves and how. One of Dir and FS is needed; the zero values of all others work.
type Config struct {
	// Dir is the directory to serve. It may be replaced by another one of that name at any time.
	Dir string
	// FS is a file system to serve in place of a directory. Files that are none of the operating system's are kept in
	// memory when they are small, else in temporary files that have no name.
	FS fs.FS

	// Index is the file that stands for its directory; empty means "index.html", "-" none.
	Index string
	// Listing lists directories that have no index, as HTML, or as JSON for clients that prefer it.
	Listing bool
	// Fallback is a file that is served, with status 200, to clients that accept HTML in place of one that is not
	// there: the page of an application whose paths exist in the browser only. Empty means 404.
	Fallback string
	// Dotfiles shows files and directories whose names begin with a dot.
	Dotfiles bool
	// FollowSymlinks follows symbolic links that lead out of Dir, too.
	FollowSymlinks bool
	// NoPrecompressed ignores the siblings NAME.br, NAME.zst and NAME.gz.
	NoPrecompressed bool

	// CacheControl is the Cache-Control of every file; empty means none, so that clients guess from Last-Modified.
	CacheControl string
	// Immutable sends "public, max-age=31536000, immutable" with files whose names hold a hash, such as
	// app.3f9a1c7e.js or index-Bd8x2kQa.css: eight or more letters and digits, some of each, as the last part before
	// the ending.
	Immutable bool
	// Types adds media types by the ending of the name, in lower case and with the dot, before those that are known.
	Types map[string]string

	// MaxEntries, MaxMemory (bytes) and MaxFiles (descriptors) bound what is kept; 0 means 1024, 32 MiB and 256.
	MaxEntries, MaxMemory, MaxFiles int
}

const (
	// smallFile is the largest file that is answered from memory, in bytes: a copy of that size costs less than the
	// system calls of a file.
	smallFile = 64 << 10
	// checkEvery is how long a file that is kept is believed in.
	checkEvery = time.Second
	// maxListed bounds the entries of a listing.
	maxListed = 10_000
)

// fill puts the defaults in and checks the rest.
func (c *Config) fill() error {
	switch {
	case c.Dir == "" && c.FS == nil:
		return errors.New("static: no directory is named")
	case c.Dir != "" && c.FS != nil:
		return errors.New("static: both a directory and a file system are named")
	case !ascii.IsValue(c.CacheControl):
		return fmt.Errorf("static: the Cache-Control %q cannot be a field value", c.CacheControl)
	}
	for ext, t := range c.Types {
		if !strings.HasPrefix(ext, ".") || ext != strings.ToLower(ext) || !ascii.IsValue(t) || t == "" {
			return fmt.Errorf("static: %q: %q is no ending in lower case with a media type", ext, t)
		}
	}
	switch c.Index {
	case "":
		c.Index = "index.html"
	case "-":
		c.Index = ""
	}
	for _, name := range []string{c.Index, c.Fallback} {
		if name != "" && !fs.ValidPath(name) {
			return fmt.Errorf("static: %q is no name below the directory", name)
		}
	}
	for _, bound := range []struct {
		v     *int
		usual int
	}{{&c.MaxEntries, 1024}, {&c.MaxMemory, 32 << 20}, {&c.MaxFiles, 256}} {
		if *bound.v <= 0 {
			*bound.v = bound.usual
		}
	}
	if c.Dir == "" {
		return nil
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fmt.Errorf("static: %w", err)
	}
	c.Dir = dir
	switch info, err := os.Stat(dir); {
	case err != nil:
		return fmt.Errorf("static: %w", err)
	case !info.IsDir():
		return fmt.Errorf("static: %s is not a directory", dir)
	}
	return nil
}

// hashed reports whether a name holds a hash: see Config.Immutable.
func hashed(name string) bool {
	base := name[strings.LastIndexByte(name, '/')+1:]
	dot := strings.LastIndexByte(base, '.')
	if dot < 0 {
		return false
	}
	base = base[:dot]
	last := strings.LastIndexAny(base, ".-")
	if last <= 0 || len(base)-last-1 < 8 {
		return false
	}
	letters, digits := false, false
	for _, c := range []byte(base[last+1:]) {
		switch {
		case c-'0' < 10:
			digits = true
		case c|0x20-'a' < 26, c == '_':
			letters = true
		default:
			return false
		}
	}
	return letters && digits
}

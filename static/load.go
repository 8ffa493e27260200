package static

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mediatype"
)

// What a name can turn out to be beside a file.
var (
	errDirectory = errors.New("a directory that is named without its slash")
	errListed    = errors.New("a directory that has no index")
)

// flight is the looking after one key, which all requests for it wait for.
type flight struct {
	waiting int // how many will get a reference; under Site.mu
	landed  bool
	done    chan struct{}
	entry   *entry
	err     error
}

// fetch returns the entry of a key, acquired, after a look at the file system where the last one is too long ago. It
// waits until ctx ends at most.
func (s *Site) fetch(ctx context.Context, key string) (*entry, error) {
	s.mu.Lock()
	f := s.flights[key]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flights[key] = f
		s.mu.Unlock()
		defer s.land(key, f)
		f.err = errors.New("static: the look after a file has failed") // stays if it panics
		f.entry, f.err = s.look(key)
		return f.entry, f.err
	}
	f.waiting++
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.entry, f.err
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		if !f.landed {
			f.waiting--
		} else if f.entry != nil {
			f.entry.release()
		}
		return nil, context.Cause(ctx)
	}
}

// land lets those who wait go on, each with a reference.
func (s *Site) land(key string, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flights, key)
	f.landed = true
	if e := f.entry; e != nil && e.files > 0 {
		e.refs.Add(int32(f.waiting)) // the caller holds one, so that there is something to add to
	}
	close(f.done)
}

// look asks the file system. The entry is acquired for the caller.
func (s *Site) look(key string) (*entry, error) {
	now := s.now()
	old := s.cache.find([]byte(key))
	if old != nil && old.acquire() {
		if now-old.checked.Load() < int64(checkEvery) {
			return old, nil // somebody has just looked
		}
		if old.same(s.tree, !s.cfg.NoPrecompressed) {
			old.checked.Store(now)
			old.checking.Store(false)
			return old, nil
		}
		old.release()
	}
	e, err := s.load(key)
	if err != nil {
		if old != nil {
			s.cache.drop(old)
		}
		return nil, err
	}
	e.checked.Store(now) // before the first look, so that what changed meanwhile is seen a second from now
	e.used.Store(now)
	e.refs.Store(2) // of the cache and of the caller
	s.cache.put(e)
	return e, nil
}

// load makes the entry of a key from the file system.
func (s *Site) load(key string) (*entry, error) {
	name, dir, ok := fileName(key, s.cfg.Dotfiles)
	if !ok {
		return nil, &fault.Error{Code: fault.NotFound}
	}
	if dir {
		if s.cfg.Index == "" {
			return nil, s.withoutIndex(name)
		}
		e, err := s.loadFile(key, path.Join(name, s.cfg.Index))
		if err != nil && gone(err) {
			return nil, s.withoutIndex(name)
		}
		return e, public(err)
	}
	e, err := s.loadFile(key, name)
	if errors.Is(err, file.ErrNotRegular) {
		if info, serr := s.tree.stat(name); serr == nil && info.IsDir() {
			return nil, errDirectory
		}
	}
	return e, public(err)
}

// withoutIndex says what becomes of a directory, or of a name that should be one.
func (s *Site) withoutIndex(name string) error {
	info, err := s.tree.stat(name)
	if err == nil && info.IsDir() && s.cfg.Listing {
		return errListed
	}
	return &fault.Error{Code: fault.NotFound}
}

func (s *Site) loadFile(key, name string) (_ *entry, err error) {
	e := &entry{key: key, name: name, memory: entryCost + len(key), cacheControl: s.cfg.CacheControl}
	defer func() {
		if err != nil {
			e.refs.Store(1)
			e.release()
		}
	}()
	if s.cfg.Immutable && hashed(name) {
		e.cacheControl = "public, max-age=31536000, immutable" // a year; RFC 8246
	}
	if err := s.represent(e, identity); err != nil {
		return nil, err
	}
	if !s.cfg.NoPrecompressed {
		for i := range identity {
			// A sibling that cannot be read is one that is not there.
			if err := s.represent(e, i); err == nil {
				e.coded = true
			}
		}
	}
	return e, nil
}

// represent reads one representation into e.
func (s *Site) represent(e *entry, i int) error {
	c := codingOf(i)
	f, info, err := s.tree.open(e.name + c.ext)
	if err != nil {
		return err
	}
	now := time.Now()
	r := &e.reps[i]
	r.info = info
	r.content = covet.Content{Type: s.typeOf(e.name), Encoding: c.name, Modified: info.ModTime(), Size: info.Size()}
	young := now.Sub(info.ModTime()) < youth
	if info.Size() <= smallFile {
		defer f.Release()
		b := make([]byte, info.Size())
		if n, err := f.ReadAt(b, 0); err != nil && (!errors.Is(err, io.EOF) || n < len(b)) {
			return fmt.Errorf("reading %s: %w", e.name, err)
		}
		// Of what is in memory the tag can tell the bytes themselves, the same on every machine.
		sum := sha256.Sum256(b)
		r.content.ETag = `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + c.mark + `"`
		r.content.Bytes = b
		e.memory += len(b)
	} else {
		r.content.ETag = file.ETag(info, now, c.mark)
		r.content.File = f
		e.files++
	}
	e.there[i] = true
	e.young = e.young || young
	return nil
}

func (s *Site) typeOf(name string) string {
	if ext := strings.ToLower(path.Ext(name)); s.cfg.Types[ext] != "" {
		return s.cfg.Types[ext]
	}
	if t := mediatype.ByName(name); t != "" {
		return t
	}
	return mediatype.Default
}

// gone reports whether an error says that there is nothing that may be seen, rather than that the system has failed.
func gone(err error) bool {
	for _, failed := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, io.ErrUnexpectedEOF, fs.ErrClosed} {
		if errors.Is(err, failed) {
			return false
		}
	}
	return true
}

// public makes the error for the client. What is missing, forbidden, a device or behind a symbolic link that leads out
// looks alike: nobody learns what is there.
func public(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &fault.Error{Code: fault.ServiceUnavailable, Cause: err, Fields: [][2]string{{"retry-after", "1"}}}
	case gone(err):
		return &fault.Error{Code: fault.NotFound, Cause: err}
	}
	return &fault.Error{Code: fault.InternalError, Cause: err}
}

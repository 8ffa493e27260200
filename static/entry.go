package static

import (
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/covetpy/covet"
)

// entry is what is kept of one name: the representations of a file. It does not change once it is found in the cache,
// except for what is atomic.
type entry struct {
	// key is what follows the prefix of the mount in the path, hash its hash.
	key  string
	hash uint64
	next atomic.Pointer[entry] // in its bucket
	slot int                   // in the list of the cache, under its lock

	// used and checked are instants of Site.now; checking tells that somebody is on the way to look at the file.
	used, checked atomic.Int64
	checking      atomic.Bool
	// refs counts the cache and everybody who is using the files; see acquire.
	refs atomic.Int32

	name         string // of the file
	cacheControl string
	reps         [codings]representation
	there        [codings]bool
	coded        bool // there is more than identity
	// young: a file was changed so short a time before it was read that a change after that might not show.
	young bool
	// memory and files are what the entry costs.
	memory, files int
}

// representation is a file as it is sent.
type representation struct {
	content covet.Content
	info    fs.FileInfo
}

// entryCost stands for the memory of an entry beside its contents, in bytes.
const entryCost = 1 << 10

// acquire keeps the files of e open until release. False means that it was too late: e is no longer kept.
func (e *entry) acquire() bool {
	if e.files == 0 {
		return true // memory needs nobody to hold it
	}
	for {
		n := e.refs.Load()
		if n <= 0 {
			return false
		}
		if e.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives back what acquire has taken.
func (e *entry) release() {
	if e.files == 0 || e.refs.Add(-1) != 0 {
		return
	}
	for i := range e.reps {
		if f := e.reps[i].content.File; f != nil {
			f.Release()
		}
	}
}

// same reports whether the files that e was made from are still those of the tree. It may block.
func (e *entry) same(t tree, precompressed bool) bool {
	if e.young {
		return false
	}
	for i := range e.reps {
		if i != identity && !precompressed {
			continue
		}
		info, err := t.stat(e.name + codingOf(i).ext)
		if (err == nil && info.Mode().IsRegular()) != e.there[i] {
			return false
		}
		if e.there[i] && !sameFile(info, e.reps[i].info) {
			return false
		}
	}
	return true
}

func sameFile(a, b fs.FileInfo) bool {
	if a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) {
		return false
	}
	// A file of no operating system has no identity beside these.
	return os.SameFile(a, b) || !os.SameFile(a, a)
}

// youth is the age until which a change of a file might not show in its time: see file.ETag.
const youth = 2 * time.Second

package static

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// buckets is the number of chains of the table: with the usual bound of entries one holds one.
const buckets = 1024

// cache keeps entries by key, within bounds. Finding one takes no lock: chains are only ever changed by single atomic
// stores, and an entry that was taken out still leads on to those behind it.
type cache struct {
	seed  maphash.Seed
	heads [buckets]atomic.Pointer[entry]

	mu      sync.Mutex
	list    []*entry
	memory  int
	files   int
	closed  bool
	entries int // the bounds
	most    struct{ memory, files int }
}

func newCache(c *Config) *cache {
	k := &cache{seed: maphash.MakeSeed(), entries: c.MaxEntries}
	k.most.memory, k.most.files = c.MaxMemory, c.MaxFiles
	return k
}

// find returns the entry of that key, or nil. It does not allocate.
func (k *cache) find(key []byte) *entry {
	h := maphash.Bytes(k.seed, key)
	for e := k.heads[h%buckets].Load(); e != nil; e = e.next.Load() {
		if e.hash == h && e.key == string(key) {
			return e
		}
	}
	return nil
}

// put keeps e in the place of what had its key, with a reference that it takes over, and drops what was used least
// lately until all is within the bounds.
func (k *cache) put(e *entry) {
	e.hash = maphash.String(k.seed, e.key)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unlink(k.find([]byte(e.key)))
	if k.closed {
		e.release()
		return
	}
	for len(k.list) > 0 && (len(k.list) >= k.entries || k.memory+e.memory > k.most.memory || k.files+e.files > k.most.files) {
		oldest := k.list[0]
		for _, o := range k.list[1:] {
			if o.used.Load() < oldest.used.Load() {
				oldest = o
			}
		}
		k.unlink(oldest)
	}
	e.slot = len(k.list)
	k.list = append(k.list, e)
	k.memory += e.memory
	k.files += e.files
	head := &k.heads[e.hash%buckets]
	e.next.Store(head.Load())
	head.Store(e)
}

// drop forgets an entry, if it is still there.
func (k *cache) drop(e *entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e.slot < len(k.list) && k.list[e.slot] == e {
		k.unlink(e)
	}
}

// unlink takes an entry out; mu is held.
func (k *cache) unlink(e *entry) {
	if e == nil {
		return
	}
	for at := &k.heads[e.hash%buckets]; ; {
		o := at.Load()
		if o == e {
			at.Store(e.next.Load())
			break
		}
		at = &o.next
	}
	last := len(k.list) - 1
	k.list[e.slot] = k.list[last]
	k.list[e.slot].slot = e.slot
	k.list[last] = nil
	k.list = k.list[:last]
	k.memory -= e.memory
	k.files -= e.files
	e.release()
}

// close forgets everything, for good.
func (k *cache) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for len(k.list) > 0 {
		k.unlink(k.list[len(k.list)-1])
	}
}

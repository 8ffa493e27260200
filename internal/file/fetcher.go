package file

import "sync"

// fetchers is how many goroutines of a Fetcher read at the same time: a disk orders a few requests better than one,
// and each of them may keep a thread for as long as the disk takes.
const fetchers = 8

// fetchStep is how much a fetch reads at once, in bytes.
const fetchStep = 64 << 10

// A Fetcher brings parts of files from disk into the system's memory, beside the loops, which may not wait for a
// disk. It needs no closing: its goroutines end when there is nothing to fetch. The zero Fetcher is ready for use, from
// any goroutine.
type Fetcher struct {
	mu      sync.Mutex
	first   *Fetch // waiting, linked by next
	last    *Fetch
	running int
}

// Fetch is one part of a file to be fetched. Its owner keeps it, and uses it again after Fetched.
type Fetch struct {
	// Done is told when the part has been read, or could not be, on a goroutine of the Fetcher.
	Done interface{ Fetched() }

	file *File
	off  int64
	n    int
	next *Fetch
}

// Start reads n bytes of f from the offset off, soon, and then calls x.Done. It takes a reference of its own to f,
// given back before that call. It does not block.
func (q *Fetcher) Start(x *Fetch, f *File, off int64, n int) {
	x.file, x.off, x.n, x.next = f.Retain(), off, n, nil
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last == nil {
		q.first = x
	} else {
		q.last.next = x
	}
	q.last = x
	if q.running < fetchers {
		q.running++
		go q.work()
	}
}

// next takes the first of what waits; nil ends the goroutine that asks.
func (q *Fetcher) next() *Fetch {
	q.mu.Lock()
	defer q.mu.Unlock()
	x := q.first
	if x == nil {
		q.running--
		return nil
	}
	if q.first = x.next; q.first == nil {
		q.last = nil
	}
	x.next = nil
	return x
}

func (q *Fetcher) work() {
	var sink []byte
	for x := q.next(); x != nil; x = q.next() {
		if sink == nil {
			sink = make([]byte, fetchStep)
		}
		for n := x.n; n > 0; {
			got, err := x.file.ReadAt(sink[:min(n, len(sink))], x.off)
			if err != nil {
				break // the sending will meet it, too, and tell it
			}
			x.off, n = x.off+int64(got), n-got
		}
		x.file.Release()
		x.file = nil
		x.Done.Fetched()
	}
}

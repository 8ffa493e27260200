package transport

import (
	"math"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mailbox"
)

const (
	// SmallFile is up to which size, in bytes, a part of a file that is in memory is copied to the output at once
	// instead of being handed to the kernel: one submission then carries the head and the file.
	SmallFile = 32 << 10
	// FileStep is the most of a file, in bytes, that is handed to the kernel in one call: the length of a stay in the
	// kernel, and of a part to be fetched from disk.
	FileStep = 512 << 10
	// maxPending is up to where files may bring Pending, in bytes: an int counts that and what is written beside them.
	maxPending = math.MaxInt - 256<<20
)

// FileFits reports whether n bytes of a file may be added to the pending ones. More could not be counted, which takes
// 2 GiB on a system of 32 bits: the connection is aborted then.
func FileFits(pending int, n int64) bool { return n <= int64(maxPending-pending) }

// FileParts is for the loops: it keeps a connection from waiting for a disk, on its loop, while it sends files. The
// zero value is ready for use, on the connection's loop only.
type FileParts struct {
	cold *coldPart // nil for a connection that never met a file outside of memory
}

// coldPart is what a connection needs for a part that is not in memory.
type coldPart struct {
	loop    Loop
	fetch   file.Fetch
	task    mailbox.Task
	then    mailbox.Runner
	waiting bool
	// fetched: the next part has been, and is sent whatever the system says about it. A system that reuses the memory
	// at once, or that never tells what it has there, must not lead round in circles.
	fetched bool
}

// Ready reports whether n bytes of f from the offset off may be sent now. If not, they are being fetched, and then.Run
// is called on loop, from its mailbox, when they may be: also after the connection is gone. Sink is memory of one byte
// or more that nobody else uses during the call.
func (p *FileParts) Ready(loop Loop, q *file.Fetcher, f *file.File, off int64, n int, sink []byte, then mailbox.Runner) bool {
	if p.cold != nil && p.cold.waiting {
		return false
	}
	if p.cold != nil && p.cold.fetched {
		p.cold.fetched = false
		return true
	}
	if f.Cached(off, n, sink) {
		return true
	}
	if p.cold == nil {
		p.cold = &coldPart{loop: loop, then: then}
		p.cold.fetch.Done, p.cold.task.Do = p.cold, p.cold
	}
	p.cold.waiting = true
	q.Start(&p.cold.fetch, f, off, n)
	return false
}

// Waiting reports whether a part is being fetched.
func (p *FileParts) Waiting() bool { return p.cold != nil && p.cold.waiting }

// Fetched implements the Done of file.Fetch.
func (c *coldPart) Fetched() { c.loop.Post(&c.task) }

// Run implements mailbox.Runner, on the loop.
func (c *coldPart) Run() {
	c.waiting, c.fetched = false, true
	c.then.Run()
}

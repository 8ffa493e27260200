package worker

import (
	"io"
	"os"
	"time"

	"github.com/covetpy/covet/internal/lossy"
)

// tailPatience is how long the output of a process that has ended is waited for: it is in the pipe by then, but a
// grandchild may hold the pipe open for ever.
const tailPatience = 100 * time.Millisecond

// relay carries one output of a process to the server's: through a pipe that is always read, so that a worker never
// waits for whoever reads the server's log.
type relay struct {
	write *os.File      // for the process; closed here after its start
	done  chan struct{} // the pipe has ended
}

// newRelay starts carrying to w. Without a w the process inherits direct.
func newRelay(w *lossy.Writer, direct *os.File) (*relay, error) {
	if w == nil {
		return &relay{write: direct}, nil
	}
	r, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	x := &relay{write: write, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		defer r.Close()
		lines := w.Lines()
		_, _ = io.Copy(lines, r) // the end of the pipe is the only way this ends
		lines.Flush()
	}()
	return x, nil
}

// started gives up this process's copy of the end that the other process writes to.
func (r *relay) started() {
	if r.done != nil {
		r.write.Close()
	}
}

// await waits until everything that an ended process wrote has been carried.
func (r *relay) await(patience <-chan time.Time) {
	if r.done == nil {
		return
	}
	select {
	case <-r.done:
	case <-patience:
	}
}

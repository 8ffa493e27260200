package worker

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/ring"
	"github.com/covetpy/covet/internal/shm"
)

// Remote is one running worker as the data plane sees it: its memory and its doorbells. It must be closed after it was
// removed from its Dispatcher.
type Remote struct {
	// ID is the worker's number.
	ID int
	// Region is the shared memory.
	Region *ring.Region
	// Wake is rung by the engine and waited for by the worker; Answers[i] is rung by the worker for loop i.
	Wake    *shm.Doorbell
	Answers []*shm.Doorbell

	// credit is how many exchanges it takes at once, set by Dispatcher.Add.
	credit int32
	// inFlight counts the slots taken on all loops: exchanges, and answers owed to clients that have left.
	inFlight  atomic.Int32
	suspended atomic.Bool
	links     []*link // by lane; written by Add before the links are attached

	failure sync.Once
	broken  chan struct{}
	err     error // before broken is closed
	// held is set when a loop could not be asked to let go: then the memory is never unmapped.
	held atomic.Bool
}

// NewRemote makes the memory and the doorbells of one worker. Files are duplicates for the worker's process in the
// order of docs/internals/worker-protocol.md: region, its doorbell, one doorbell for each loop; the caller closes them.
func NewRemote(id, loops, ringBytes int) (r *Remote, files []*os.File, err error) {
	r = &Remote{ID: id, broken: make(chan struct{})}
	defer func() {
		if err != nil {
			for _, f := range files {
				_ = f.Close() // the first error is the one to report
			}
			r.Close()
			r, files = nil, nil
		}
	}()
	r.Region, err = ring.NewRegion(ring.Config{
		Loops: loops, RequestBytes: ringBytes, AnswerBytes: ringBytes, MaxFrame: frame.MaxFrame,
	})
	if err != nil {
		return r, files, err
	}
	if r.Wake, err = shm.NewDoorbell(); err != nil {
		return r, files, err
	}
	ends := []*os.File{r.Region.File(), r.Wake.WaitEnd()}
	for range loops {
		bell, err := shm.NewDoorbell()
		if err != nil {
			return r, files, err
		}
		r.Answers = append(r.Answers, bell)
		ends = append(ends, bell.RingEnd())
	}
	for _, end := range ends {
		f, err := shm.Duplicate(end)
		if err != nil {
			return r, files, err
		}
		files = append(files, f)
	}
	return r, files, nil
}

func newRemote(id, loops, ringBytes int) (*Remote, []*os.File, error) {
	return NewRemote(id, loops, ringBytes)
}

// Broken is closed when the worker has written something into the rings that cannot be: it gets no more exchanges and
// its answers are not read any more, so it is to be killed and removed.
func (r *Remote) Broken() <-chan struct{} { return r.broken }

// Err says what was wrong, after Broken: a *ring.BrokenError or a *frame.Error is in its chain.
func (r *Remote) Err() error {
	select {
	case <-r.broken:
		return r.err
	default:
		return nil
	}
}

// fail marks the worker as broken; the first reason stays.
func (r *Remote) fail(err error) {
	r.failure.Do(func() {
		r.err = fmt.Errorf("worker %d: %w", r.ID, err)
		close(r.broken)
	})
}

// Close unmaps the memory and closes the doorbells; a second Close does nothing.
func (r *Remote) Close() {
	if r.held.Load() {
		return // a loop may still look at it: lost memory is better than a crash
	}
	// Unmapping and closing descriptors of our own fail only for reasons that nobody can act on.
	if r.Region != nil {
		_ = r.Region.Close()
	}
	if r.Wake != nil {
		_ = r.Wake.Close()
	}
	for _, bell := range r.Answers {
		_ = bell.Close()
	}
}

package workertest

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/ring"
	"github.com/covetpy/covet/internal/shm"
)

// Worker speaks the worker's side of a region.
type Worker struct {
	// Handle is called with each frame that arrives on a loop's ring. It answers by Send.
	Handle func(w *Worker, loop int, f []byte)

	region  *ring.Region
	wake    *shm.Doorbell
	answers []*shm.Doorbell
	in      []*ring.Consumer
	out     []*ring.Producer
	waiting [][]byte // frames that did not fit, for each loop one behind the other
	stop    atomic.Bool
	stopped chan struct{}
	// Rung counts the doorbells that it rang.
	Rung int
}

// NewWorker returns a worker that stands still: call Turn, or go Run.
func NewWorker(region *ring.Region, wake *shm.Doorbell, answers []*shm.Doorbell) *Worker {
	w := &Worker{Handle: Echo, region: region, wake: wake, answers: answers, stopped: make(chan struct{}), waiting: make([][]byte, region.Loops())}
	for i := range region.Loops() {
		_, in := region.Requests(i)
		out, _ := region.Answers(i)
		w.in, w.out = append(w.in, in), append(w.out, out)
	}
	return w
}

// Echo answers every request with 200 and its path.
func Echo(w *Worker, loop int, f []byte) {
	if f[frame.Type] != frame.TypeRequest {
		return
	}
	r, err := frame.ParseRequest(f)
	if err != nil {
		panic(err) // the engine's frames are never malformed
	}
	w.Send(loop, frame.AppendResponse(nil, Reply(f, frame.TypeResponse), 200, message.ContentText, -1, r.Path))
}

// Reply is the head of an answer to the frame f.
func Reply(f []byte, kind byte) frame.Head {
	h := frame.ParseHead(f)
	return frame.Head{Type: kind, Slot: h.Slot, Generation: h.Generation}
}

// Send writes a whole frame into a loop's answer ring, or keeps it until there is room. It is published by Turn.
func (w *Worker) Send(loop int, f []byte) {
	if len(w.waiting[loop]) > 0 || !w.put(loop, f) {
		w.waiting[loop] = append(w.waiting[loop], f...)
	}
}

func (w *Worker) put(loop int, f []byte) bool {
	dst := w.out[loop].Reserve(len(f))
	if dst == nil {
		return false
	}
	copy(dst, f)
	w.out[loop].Commit(len(f))
	return true
}

// Piece sends a CHUNK.
func (w *Worker) Piece(loop int, h frame.Head, data []byte) {
	f := make([]byte, frame.SizePiece(len(data)))
	frame.PutPiece(f, h, data)
	w.Send(loop, f)
}

// Signal sends a WANT.
func (w *Worker) Signal(loop int, h frame.Head, value uint32) {
	f := make([]byte, frame.SignalSize)
	frame.PutSignal(f, h, value)
	w.Send(loop, f)
}

// End sends an END or CANCELLED.
func (w *Worker) End(loop int, h frame.Head) {
	f := make([]byte, frame.HeadSize)
	frame.PutEnd(f, h)
	w.Send(loop, f)
}

// Turn handles what has arrived and publishes the answers. It reports whether there was anything to do.
func (w *Worker) Turn() (worked bool) {
	for i := range w.in {
		for {
			f, err := w.in[i].Next()
			if err != nil {
				panic(err) // the engine's rings are never broken
			}
			if f == nil {
				break
			}
			worked = true
			w.Handle(w, i, f)
		}
		w.in[i].Release()
		w.flush(i)
	}
	return worked
}

func (w *Worker) flush(loop int) {
	for len(w.waiting[loop]) > 0 {
		n := binary.LittleEndian.Uint32(w.waiting[loop])
		if !w.put(loop, w.waiting[loop][:n]) {
			w.region.Starved(loop).Raise()
			if w.out[loop].Free() < int(n) { // else it was released meanwhile
				break
			}
			w.region.Starved(loop).Lower()
			continue
		}
		w.waiting[loop] = w.waiting[loop][n:]
	}
	if w.out[loop].Dirty() {
		w.out[loop].Publish()
		if w.region.LoopAsleep(loop).Take() {
			w.Rung++
			w.answers[loop].Ring()
		}
	}
}

// Run turns until Stop, and blocks while there is nothing to do.
func (w *Worker) Run() {
	defer close(w.stopped)
	fds := []unix.PollFd{{Fd: int32(w.wake.FD()), Events: unix.POLLIN}}
	for !w.stop.Load() {
		if w.Turn() {
			continue
		}
		w.region.WorkerAsleep().Raise()
		idle := true
		for _, in := range w.in {
			idle = idle && in.Empty()
		}
		if idle && !w.stop.Load() {
			_, _ = unix.Poll(fds, -1) // a signal only makes it look again
			w.wake.Answer()
		}
		w.region.WorkerAsleep().Lower()
	}
}

// Stop ends Run and returns when it has ended.
func (w *Worker) Stop() {
	w.stop.Store(true)
	w.wake.Ring()
	<-w.stopped
}

// Producer is the raw end of a loop's answer ring, for tests that write what a worker must not write.
func (w *Worker) Producer(loop int) *ring.Producer { return w.out[loop] }

package worker

import (
	"testing"
	"time"

	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/worker/workertest"
)

// hour stands for "no timeout" in tests.
const hour = time.Hour

// template answers requests from one prepared frame, without an allocation.
func template() func(w *workertest.Worker, loop int, f []byte) {
	answer := frame.AppendResponse(nil, frame.Head{Type: frame.TypeResponse}, 200, message.ContentJSON, -1, []byte(`{"message":"Hello, World!"}`), "x-a", "b")
	return func(w *workertest.Worker, loop int, f []byte) {
		copy(answer[frame.Slot:frame.HeadSize], f[frame.Slot:frame.HeadSize])
		w.Send(loop, answer)
	}
}

// quiet ends exchanges without recording anything.
type quiet struct {
	answered int
	head     [128]byte
}

func (q *quiet) Answered(x *message.Exchange, err error) {
	if err == nil && len(x.Response.Body) == 27 {
		q.answered++
	}
}
func (q *quiet) Started(*message.Exchange) bool { return false }
func (q *quiet) Ended(*message.Exchange, error) {}
func (q *quiet) Gone(*message.Exchange)         {}

// turnOnce dispatches a batch of exchanges and turns both sides until all are answered.
func turnOnce(b *bench, batch []*message.Exchange, params []message.Span, q *quiet) {
	for _, x := range batch {
		x.Reset()
		x.Request.Head = q.head[:0] // the codec's buffer, which the dispatcher must not keep
		workertest.Fill(x, message.MethodGet, "/users/42")
		b.d.Dispatch(x, 1, params, q)
	}
	b.loop.Turn()
	for _, w := range b.workers {
		w.Turn()
	}
	b.loop.Turn()
}

func batchOf(n int) (batch []*message.Exchange) {
	for range n {
		x, _ := workertest.NewExchange(message.MethodGet, "/users/42")
		batch = append(batch, x)
	}
	return batch
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	for _, strategy := range []string{"least-loaded", "round-robin", "prefer-awake"} {
		b := newBench(t, 2, DispatchConfig{Strategy: strategy})
		b.workers[0].Handle, b.workers[1].Handle = template(), template()
		var q quiet
		batch, params := batchOf(16), []message.Span{{Off: 7, Len: 2}}
		turnOnce(b, batch, params, &q)
		if n := testing.AllocsPerRun(200, func() { turnOnce(b, batch, params, &q) }); n != 0 {
			t.Errorf("%s: %v allocations for 16 requests", strategy, n)
		}
		if q.answered != 16*202 {
			t.Errorf("%s: %d answered", strategy, q.answered)
		}
	}
}

func BenchmarkDispatch(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(map[int]string{1: "batch=1", 16: "batch=16", 64: "batch=64"}[n], func(b *testing.B) {
			t := newBench(b, 1, DispatchConfig{})
			t.workers[0].Handle = template()
			var q quiet
			batch, params := batchOf(n), []message.Span{{Off: 7, Len: 2}}
			b.ReportAllocs()
			for i := 0; i < b.N; i += n {
				turnOnce(t, batch, params, &q)
			}
		})
	}
}

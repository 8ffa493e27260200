package compress

import (
	"sync"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

// crew encodes large bodies on goroutines of its own, a bounded number, from a bounded queue. The goroutines end when
// nothing waits: one costs a microsecond to start, the least of these bodies tens to encode.
type crew struct {
	mu      sync.Mutex // guards what follows
	queue   []*job
	running int
	limit   int
	room    int64 // bytes that are still allowed to wait or to be worked on

	jobs sync.Pool // of *job
}

func (w *crew) init(limit int, room int64) {
	w.limit, w.room = limit, room
	w.jobs.New = func() any {
		j := &job{}
		j.task.Do = j
		return j
	}
}

// job is one body on its way:
//
//	loop                                goroutine
//	Respond: copy the body ──submit──▶  encode
//	Run: dress, Respond    ◀──Post────
//
// Until Run it is the exchange's receiver. When the client leaves, or the deadline passes, the loop settles the exchange
// and the goroutine's work is dropped.
type job struct {
	m      *compressor
	exec   mailbox.Executor
	below  message.Stream
	coding coding
	task   mailbox.Task

	// Loop only. X is nil when the exchange is settled.
	x          *message.Exchange
	generation uint32

	// Written before the submission, then read only: by both sides.
	body []byte
	// The goroutine's, until Run.
	out    sink
	failed bool
}

var _ message.Receiver = (*job)(nil)

// take makes a job of x's response, on its loop; nil when there is no room.
func (w *crew) take(m *compressor, x *message.Exchange, below message.Stream, k coding) *job {
	body := x.Response.Body
	w.mu.Lock()
	fits := w.room >= int64(len(body))
	if fits {
		w.room -= int64(len(body))
	}
	w.mu.Unlock()
	if !fits {
		return nil
	}
	j := w.jobs.Get().(*job)
	j.m, j.exec, j.below, j.coding, j.failed = m, x.Executor, below, k, false
	j.x, j.generation = x, x.Generation
	j.body, j.out.b = append(j.body[:0], body...), j.out.b[:0] // the body may be a ring's memory
	x.Response.Body = nil
	x.Receiver = j
	return j
}

// submit queues j for the crew.
func (w *crew) submit(j *job) {
	w.mu.Lock()
	w.queue = append(w.queue, j)
	more := w.running < w.limit
	if more {
		w.running++
	}
	w.mu.Unlock()
	if more {
		go w.work()
	}
}

func (w *crew) work() {
	for {
		w.mu.Lock()
		if len(w.queue) == 0 {
			w.running--
			w.queue = nil
			w.mu.Unlock()
			return
		}
		j := w.queue[0]
		w.queue[0] = nil
		w.queue = w.queue[1:]
		w.mu.Unlock()
		j.encode()
		j.exec.Post(&j.task)
	}
}

// encode is the work.
func (j *job) encode() { j.failed = j.m.encoders[j.coding].encode(&j.out, j.body) != nil }

// recycle gives j and its room back, on the loop, when the goroutine is done with it.
func (j *job) recycle() {
	w := &j.m.crew
	w.mu.Lock()
	w.room += int64(len(j.body))
	w.mu.Unlock()
	j.m, j.exec, j.below, j.x = nil, nil, nil, nil
	if cap(j.body) > maxKept {
		j.body = nil
	}
	if cap(j.out.b) > maxKept {
		j.out.b = nil
	}
	w.jobs.Put(j)
}

// settle parts x from j; nil when that has happened before.
func (j *job) settle() *message.Exchange {
	x := j.x
	j.x = nil
	if x == nil || x.Generation != j.generation {
		return nil
	}
	x.Receiver = nil
	return x
}

// Run implements mailbox.Runner: the body is ready.
func (j *job) Run() {
	if x := j.settle(); x != nil {
		j.respond(x, !j.failed)
	}
	j.recycle()
}

func (j *job) respond(x *message.Exchange, coded bool) {
	r := &x.Response
	f := look(r)
	if coded {
		dress(r, &f, j.coding)
		r.Body = j.out.b
	} else {
		vary(r, &f)
		r.Body = j.body
	}
	j.below.Respond(x)
}

// Expired implements message.Receiver: the handler has answered in time, so the answer goes out as it is.
func (j *job) Expired(*message.Exchange) {
	if x := j.settle(); x != nil {
		j.respond(x, false)
	}
}

// Gone implements message.Receiver.
func (j *job) Gone(*message.Exchange) { j.settle() }

// BodyChunk and BodyEnd implement message.Receiver: the handler has answered, nobody reads what comes.
func (j *job) BodyChunk(*message.Exchange, []byte) {}

// BodyEnd does nothing: see BodyChunk.
func (j *job) BodyEnd(*message.Exchange, error) {}

// Drained does not come: nothing has been written.
func (j *job) Drained(*message.Exchange) {}

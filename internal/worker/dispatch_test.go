package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/ring"
	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/worker/workertest"
)

const testRing = 1 << 18

// bench is a dispatcher with one loop and a few workers, all turned by hand on the test's goroutine.
type bench struct {
	t       testing.TB
	loop    *workertest.Loop
	d       *Dispatcher
	remotes []*Remote
	workers []*workertest.Worker
}

func newBench(t testing.TB, workers int, cfg DispatchConfig) *bench {
	t.Helper()
	loop, err := workertest.NewLoop(0)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, loop: loop, d: NewDispatcher([]transport.Loop{loop}, cfg)}
	for range workers {
		b.add()
	}
	return b
}

func (b *bench) add() (*Remote, *workertest.Worker) {
	b.t.Helper()
	r, files, err := NewRemote(len(b.remotes)+1, 1, testRing)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range files {
		_ = f.Close()
	}
	b.t.Cleanup(func() { r.Close(); r.Close() })
	b.await(func() {
		if err := b.d.Add(r); err != nil {
			b.t.Error(err)
		}
	})
	b.remotes = append(b.remotes, r)
	b.workers = append(b.workers, workertest.NewWorker(r.Region, r.Wake, r.Answers))
	return r, b.workers[len(b.workers)-1]
}

// await runs f beside the loop, which it turns until f has returned.
func (b *bench) await(f func()) {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
			b.loop.Turn()
		}
	}
}

// settle turns loop and workers until neither has anything to do.
func (b *bench) settle() {
	for worked := true; worked; {
		worked = b.loop.Turn()
		for _, w := range b.workers {
			worked = w.Turn() || worked
		}
		worked = b.loop.Turn() || worked
	}
}

type sent struct {
	*workertest.Completion
	x *message.Exchange
	s *workertest.Stream
}

func (b *bench) dispatch(method message.Method, path string) sent {
	x, s := workertest.NewExchange(method, path)
	return b.give(x, s)
}

func (b *bench) give(x *message.Exchange, s *workertest.Stream) sent {
	c := &workertest.Completion{}
	b.d.Dispatch(x, 7, []message.Span{{Off: 1, Len: x.Request.Path.Len - 1}}, c)
	return sent{c, x, s}
}

func (b *bench) code(c sent) fault.Code {
	var e *fault.Error
	if !errors.As(c.Err, &e) {
		return ""
	}
	return e.Code
}

// final checks that everything was answered exactly once and nothing is held any more.
func (b *bench) final(all ...sent) {
	b.t.Helper()
	for i, c := range all {
		if c.Finals != 1 || len(c.s.Violations) > 0 || c.s.Over() == c.WasGone {
			b.t.Errorf("exchange %d: %d ends, over %v, gone %v, violations %v", i, c.Finals, c.s.Over(), c.WasGone, c.s.Violations)
		}
	}
	if !b.d.Drained() {
		b.t.Errorf("not drained: %+v", b.d.Stats())
	}
}

func TestAnswer(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		r, err := frame.ParseRequest(f)
		if err != nil {
			t.Error(err)
		}
		if r.Route != 7 || r.ParamCount() != 1 || string(r.Param(0)) != "users/42" || r.Flags != 0 {
			t.Errorf("route %d, parameter %q, flags %d", r.Route, r.Param(0), r.Flags)
		}
		w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeResponse), 201, message.ContentJSON, -1, []byte(`{}`), "location", "/users/42"))
	}
	c := b.dispatch(message.MethodPost, "/users/42?a=b")
	if c.x.Receiver != message.Receiver(b.remotes[0].links[0]) || b.d.InFlight(b.remotes[0]) != 1 || b.d.Drained() {
		t.Errorf("in flight: %d", b.d.InFlight(b.remotes[0]))
	}
	b.settle()
	b.final(c)
	if c.Err != nil || c.Status != 201 || string(c.s.Body) != `{}` || c.Fields != "location: /users/42\r\n" || c.x.Receiver != nil {
		t.Errorf("%+v, body %q", c.Completion, c.s.Body)
	}
	if b.d.InFlight(b.remotes[0]) != 0 {
		t.Error("the slot is still taken")
	}
}

func TestErrorsReachTheClient(t *testing.T) {
	for _, c := range []struct {
		name   string
		frame  func(h frame.Head) []byte
		code   fault.Code
		status int
		text   string
	}{
		{"registry", func(h frame.Head) []byte {
			return frame.AppendError(nil, h, 422, "validation_failed", "", `[1]`, "x-a", "b")
		}, fault.ValidationFailed, 422, `[1]`},
		{"by status", func(h frame.Head) []byte { return frame.AppendError(nil, h, 404, "", "no user 7", "") }, fault.NotFound, 404, "no user 7"},
		{"details are no JSON", func(h frame.Head) []byte { return frame.AppendError(nil, h, 400, "bad_request", "no", `[1`) }, fault.BadRequest, 400, "no"},
		{"no error status", func(h frame.Head) []byte { return frame.AppendError(nil, h, 200, "", "", "") }, fault.InternalError, 500, ""},
		{"impossible status", func(h frame.Head) []byte {
			h.Type = frame.TypeResponse
			return frame.AppendResponse(nil, h, 101, 0, -1, nil)
		}, fault.InternalError, 500, ""},
		{"response splitting", func(h frame.Head) []byte {
			h.Type = frame.TypeResponse
			return frame.AppendResponse(nil, h, 200, 0, -1, nil, "x-a", "b\r\nset-cookie: c")
		}, fault.InternalError, 500, ""},
		{"head that cannot be sent", func(h frame.Head) []byte {
			h.Type = frame.TypeStart
			return frame.AppendResponse(nil, h, 200, 0, -1, nil, "x a", "b")
		}, fault.InternalError, 500, ""},
		{"cancelled by the worker", func(h frame.Head) []byte {
			f := make([]byte, frame.HeadSize)
			h.Type = frame.TypeCancelled
			frame.PutEnd(f, h)
			return f
		}, fault.ShuttingDown, 503, ""},
	} {
		b := newBench(t, 1, DispatchConfig{})
		b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
			if f[frame.Type] == frame.TypeRequest {
				w.Send(loop, c.frame(workertest.Reply(f, frame.TypeError)))
			}
		}
		got := b.dispatch(message.MethodGet, "/x")
		b.settle()
		b.final(got)
		e := fault.From(got.Err)
		if e == nil || e.Code != c.code || e.HTTPStatus() != c.status || c.text != "" && !strings.Contains(e.Text()+string(e.Details), c.text) {
			t.Errorf("%s: %v", c.name, got.Err)
		}
		if b.remotes[0].Err() != nil {
			t.Errorf("%s: the worker was given up: %v", c.name, b.remotes[0].Err())
		}
	}
}

func TestStreamedAnswerStaysWithinItsCredit(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	piece := make([]byte, frame.MaxChunk)
	const total = 4 << 20
	credit, left := int64(0), int64(total)
	var head frame.Head
	pump := func(w *workertest.Worker) {
		for left > 0 && credit >= int64(len(piece)) {
			h := head
			h.Type = frame.TypeChunk
			w.Piece(0, h, piece)
			credit -= int64(len(piece))
			left -= int64(len(piece))
		}
		if left == 0 {
			left = -1
			h := head
			h.Type = frame.TypeEnd
			w.End(0, h)
		}
	}
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		switch f[frame.Type] {
		case frame.TypeRequest:
			head = workertest.Reply(f, frame.TypeStart)
			w.Send(loop, frame.AppendResponse(nil, head, 200, message.ContentOctets, total, nil))
			credit = frame.StreamWindow
		case frame.TypeCredit:
			n, err := frame.ParseSignal(f)
			if err != nil {
				t.Error(err)
			}
			credit += int64(n)
		}
		pump(w)
	}
	c := b.dispatch(message.MethodGet, "/big")
	c.s.Pending = highWater + 1 // the client does not read
	b.settle()
	if n := len(c.s.Body); n == 0 || n > frame.StreamWindow {
		t.Errorf("%d bytes were taken for a client that does not read", n)
	}
	for i := 0; c.Finals == 0 && i < 1000; i++ {
		c.x.Receiver.Drained(c.x) // now it reads
		b.settle()
	}
	b.final(c)
	if len(c.s.Body) != total || c.s.Started != 1 || c.s.Ended != 1 || c.Err != nil {
		t.Errorf("%d bytes, started %d, ended %d, %v", len(c.s.Body), c.s.Started, c.s.Ended, c.Err)
	}
}

func TestStreamEndings(t *testing.T) {
	for _, c := range []struct {
		name   string
		finish func(w *workertest.Worker, h frame.Head)
		aborts bool
	}{
		{"end", func(w *workertest.Worker, h frame.Head) { h.Type = frame.TypeEnd; w.End(0, h) }, false},
		{"aborted", func(w *workertest.Worker, h frame.Head) {
			h.Type, h.Flags = frame.TypeEnd, frame.FlagAborted
			w.End(0, h)
		}, true},
		{"error", func(w *workertest.Worker, h frame.Head) {
			h.Type = frame.TypeError
			w.Send(0, frame.AppendError(nil, h, 500, "", "", ""))
		}, true},
		{"cancelled", func(w *workertest.Worker, h frame.Head) { h.Type = frame.TypeCancelled; w.End(0, h) }, true},
	} {
		b := newBench(t, 1, DispatchConfig{})
		b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
			h := workertest.Reply(f, frame.TypeStart)
			w.Send(loop, frame.AppendResponse(nil, h, 200, 0, -1, nil))
			c.finish(w, h)
		}
		got := b.dispatch(message.MethodGet, "/x")
		b.settle()
		b.final(got)
		if (got.s.Aborted == 1) != c.aborts || (got.Err != nil) != c.aborts || got.s.Started != 1 {
			t.Errorf("%s: %+v, %+v", c.name, got.Completion, got.s)
		}
	}
}

func TestStartRefusedByTheLayerAbove(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	cancelled := 0
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		switch f[frame.Type] {
		case frame.TypeRequest:
			h := workertest.Reply(f, frame.TypeStart)
			w.Send(loop, frame.AppendResponse(nil, h, 200, 0, -1, nil))
			h.Type = frame.TypeChunk
			w.Piece(loop, h, []byte("x"))
		case frame.TypeCancel:
			cancelled++
			w.End(loop, workertest.Reply(f, frame.TypeCancelled))
		}
	}
	x, s := workertest.NewExchange(message.MethodGet, "/x")
	c := sent{&workertest.Completion{Refuse: true}, x, s}
	b.d.Dispatch(x, 0, nil, c.Completion)
	b.settle()
	b.final(c)
	if cancelled != 1 || b.d.InFlight(b.remotes[0]) != 0 {
		t.Errorf("%d cancels, %d in flight", cancelled, b.d.InFlight(b.remotes[0]))
	}
}

func TestClientGone(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	var cancel []byte
	b.workers[0].Handle = func(_ *workertest.Worker, _ int, f []byte) {
		if f[frame.Type] == frame.TypeCancel {
			cancel = append([]byte(nil), f...)
		}
	}
	c := b.dispatch(message.MethodGet, "/slow")
	b.settle()
	c.x.Receiver.Gone(c.x)
	b.settle()
	b.final(c)
	reason, err := frame.ParseSignal(cancel)
	if err != nil || reason != frame.ReasonGone || !c.WasGone {
		t.Fatalf("reason %d, %v", reason, err)
	}
	if b.d.InFlight(b.remotes[0]) != 1 {
		t.Error("the slot was freed before the final answer")
	}
	// The late answer reaches nobody, its copy is dropped, and so is an answer to a slot that never was.
	late := frame.AppendResponse(nil, workertest.Reply(cancel, frame.TypeResponse), 200, 0, -1, []byte("late"))
	for range 2 {
		b.workers[0].Send(0, late)
	}
	b.workers[0].Send(0, frame.AppendResponse(nil, frame.Head{Type: frame.TypeResponse, Slot: 1 << 30}, 200, 0, -1, nil))
	b.settle()
	if s := b.d.Stats(); b.d.InFlight(b.remotes[0]) != 0 || s.Stale != 2 || s.Cancelled != 1 || b.remotes[0].Err() != nil {
		t.Errorf("in flight %d, %+v, %v", b.d.InFlight(b.remotes[0]), s, b.remotes[0].Err())
	}
	// The slot is used again: the old generation's answer must not reach the new exchange.
	next := b.dispatch(message.MethodGet, "/next")
	b.workers[0].Send(0, late)
	b.settle()
	if next.Finals != 0 {
		t.Fatal("a late answer reached another request")
	}
	next.x.Receiver.Expired(next.x)
	b.final(next)
	if b.code(next) != fault.HandlerTimeout {
		t.Error(next.Err)
	}
}

// sendUpload is the client's side of a body of n bytes that obeys PauseBody.
func sendUpload(b *bench, c sent, n int) (most int) {
	piece := make([]byte, 60_000)
	for i := range piece {
		piece[i] = byte(i)
	}
	for i := 0; n > 0 && i < 1_000_000; i++ {
		if c.s.Reading && !c.s.Paused {
			p := piece[:min(n, len(piece))]
			n -= len(p)
			c.x.Receiver.BodyChunk(c.x, p)
		}
		if n == 0 {
			c.x.Receiver.BodyEnd(c.x, nil)
		}
		most = max(most, cap(b.remotes[0].links[0].slots.all[0].upload.kept))
		b.loop.Turn()
		for _, w := range b.workers {
			w.Turn()
		}
	}
	b.settle()
	return most
}

func TestUploadStreamsInBoundedMemory(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	const total = 64 << 20
	got, sum, ended := 0, 0, false
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		switch f[frame.Type] {
		case frame.TypeRequest:
			if f[frame.Flags]&frame.FlagBodyFollows == 0 {
				t.Error("no body follows")
			}
			w.Signal(loop, workertest.Reply(f, frame.TypeWant), 256<<10)
		case frame.TypeBody:
			d, err := frame.ParsePiece(f)
			if err != nil {
				t.Error(err)
			}
			for i := range d {
				sum += int(d[i]) ^ (got+i)%60_000&0xff
			}
			got += len(d)
			w.Signal(loop, workertest.Reply(f, frame.TypeWant), uint32(len(d)))
		case frame.TypeBodyEnd:
			if r, err := frame.ParseSignal(f); r != frame.ReasonComplete || err != nil {
				t.Error(r, err)
			}
			ended = true
			w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeResponse), 200, 0, -1, nil))
		}
	}
	x, s := workertest.NewExchange(message.MethodPost, "/upload")
	x.Request.ContentLength, x.Request.BodyComplete = total, false
	c := b.give(x, s)
	b.settle()
	if !s.Reading {
		t.Fatal("the body is not being read")
	}
	most := sendUpload(b, c, total)
	b.final(c)
	if got != total || sum != 0 || !ended || c.Err != nil {
		t.Errorf("%d of %d bytes, wrong by %d, ended %v, %v", got, total, sum, ended, c.Err)
	}
	if most > 256<<10 {
		t.Errorf("%d bytes were held back", most)
	}
}

func TestLargeCompleteBodyFollowsAndIsNotSentUnasked(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	var got []byte
	var head frame.Head
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		switch f[frame.Type] {
		case frame.TypeRequest:
			head = workertest.Reply(f, frame.TypeWant)
		case frame.TypeBody:
			d, _ := frame.ParsePiece(f)
			got = append(got, d...)
		case frame.TypeBodyEnd:
			w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeResponse), 200, 0, -1, nil))
		}
	}
	x, s := workertest.NewExchange(message.MethodPost, "/upload")
	x.Request.Body = []byte(strings.Repeat("0123456789", 10_000))
	x.Request.ContentLength = int64(len(x.Request.Body))
	want := string(x.Request.Body)
	c := b.give(x, s)
	b.settle()
	if len(got) != 0 {
		t.Fatal("sent before it was wanted")
	}
	for _, n := range []int{1, 40_000, 40_001, 100_000} {
		b.workers[0].Signal(0, head, uint32(n-len(got)))
		b.settle()
		if len(got) != n {
			t.Errorf("%d bytes, want %d", len(got), n)
		}
	}
	b.final(c)
	if string(got) != want || c.Err != nil || s.Reading {
		t.Errorf("%d bytes, %v", len(got), c.Err)
	}
}

func TestBrokenBody(t *testing.T) {
	for err, want := range map[error]uint32{
		fault.New(fault.ContentTooLarge, ""): frame.ReasonTooLarge,
		fault.New(fault.RequestTimeout, ""):  frame.ReasonTimeout,
		fault.New(fault.BadRequest, ""):      frame.ReasonInvalid,
		context.Canceled:                     frame.ReasonInvalid,
	} {
		b := newBench(t, 1, DispatchConfig{})
		var reason uint32
		b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
			switch f[frame.Type] {
			case frame.TypeRequest:
				w.Signal(loop, workertest.Reply(f, frame.TypeWant), 10)
			case frame.TypeBodyEnd:
				reason, _ = frame.ParseSignal(f)
				w.Send(loop, frame.AppendError(nil, workertest.Reply(f, frame.TypeError), 400, "", "", ""))
			}
		}
		x, s := workertest.NewExchange(message.MethodPost, "/upload")
		x.Request.ContentLength, x.Request.BodyComplete = -1, false
		c := b.give(x, s)
		b.settle()
		x.Receiver.BodyChunk(x, make([]byte, 1000)) // 990 of them are not wanted
		x.Receiver.BodyEnd(x, err)
		b.settle()
		b.final(c)
		if reason != want {
			t.Errorf("%v: reason %d, want %d", err, reason, want)
		}
	}
}

func TestQueue(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{Credit: 2, Queue: 3, QueueTimeout: time.Second})
	b.workers[0].Handle = func(*workertest.Worker, int, []byte) {}
	var all []sent
	for range 7 {
		all = append(all, b.dispatch(message.MethodGet, "/x"))
	}
	for i, want := range []int{0, 0, 0, 0, 0, 1, 1} {
		if all[i].Finals != want {
			t.Errorf("exchange %d: %d ends", i, all[i].Finals)
		}
	}
	if e := fault.From(all[5].Err); e.Code != fault.ServiceUnavailable || len(e.Fields) != 1 || e.Fields[0] != [2]string{"Retry-After", "1"} {
		t.Errorf("%+v", e)
	}
	b.settle()
	// One leaves the middle of the queue, one has a deadline of its own.
	all[3].x.Receiver.Gone(all[3].x)
	all[4].x.Receiver.Expired(all[4].x)
	if b.code(all[4]) != fault.HandlerTimeout {
		t.Error(all[4].Err)
	}
	// An answer makes room for the one that is left.
	b.workers[0].Handle = workertest.Echo
	all[0].x.Receiver.Gone(all[0].x)
	link := b.remotes[0].links[0]
	slot := link.slots.all[0]
	b.workers[0].Send(0, frame.AppendResponse(nil, frame.Head{Type: frame.TypeResponse, Slot: slot.index, Generation: slot.generation}, 200, 0, -1, nil))
	b.settle()
	if all[2].Err != nil || string(all[2].s.Body) != "/x" {
		t.Errorf("%v, %q", all[2].Err, all[2].s.Body)
	}
	// Nothing makes room for this one: it waits for as long as the queue allows.
	b.d.Suspend(b.remotes[0])
	late := b.dispatch(message.MethodGet, "/late")
	b.loop.Pass(999 * time.Millisecond)
	b.settle()
	if late.Finals != 0 {
		t.Error("answered too early")
	}
	b.loop.Pass(50 * time.Millisecond)
	b.settle()
	if b.code(late) != fault.ServiceUnavailable {
		t.Error(late.Err)
	}
	all[1].x.Receiver.Gone(all[1].x)
	b.final(append(all, late)...)
}

func TestSuspendAndResume(t *testing.T) {
	b := newBench(t, 2, DispatchConfig{})
	b.d.Suspend(b.remotes[0])
	for range 4 {
		b.dispatch(message.MethodGet, "/x")
	}
	if a, c := b.d.InFlight(b.remotes[0]), b.d.InFlight(b.remotes[1]); a != 0 || c != 4 {
		t.Errorf("%d and %d", a, c)
	}
	b.d.Suspend(b.remotes[1])
	waiting := b.dispatch(message.MethodGet, "/x")
	b.settle()
	if waiting.Finals != 0 {
		t.Error("a suspended worker answered")
	}
	b.d.Resume(b.remotes[0])
	b.settle()
	b.final(waiting)
}

func TestRingFull(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{Credit: 10_000, Queue: 10_000})
	var all []sent
	for range 2000 { // more than the ring holds
		all = append(all, b.dispatch(message.MethodGet, "/"+strings.Repeat("x", 300)))
	}
	if s := b.d.Stats(); s.Queued == 0 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	for range 100 {
		b.settle()
		b.loop.Pass(20 * time.Millisecond)
	}
	b.final(all...)
	for i, c := range all {
		if c.Err != nil {
			t.Fatalf("exchange %d: %v", i, c.Err)
		}
	}
}

func TestCancelWaitsForRoom(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{Credit: 10_000})
	cancels := 0
	var all []sent
	for b.d.Stats().Queued == 0 {
		all = append(all, b.dispatch(message.MethodGet, "/"+strings.Repeat("x", 2000)))
	}
	for _, c := range all {
		c.x.Receiver.Gone(c.x)
	}
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		if f[frame.Type] == frame.TypeCancel {
			cancels++
			w.End(loop, workertest.Reply(f, frame.TypeCancelled))
		}
	}
	for range 10 {
		b.settle()
		b.loop.Pass(20 * time.Millisecond)
	}
	b.final(all...)
	if cancels != len(all)-1 || b.d.InFlight(b.remotes[0]) != 0 { // the last one was never sent
		t.Errorf("%d cancels for %d exchanges, %d in flight", cancels, len(all), b.d.InFlight(b.remotes[0]))
	}
}

func TestWorkerLost(t *testing.T) {
	b := newBench(t, 2, DispatchConfig{})
	b.d.Suspend(b.remotes[1])
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		if f[frame.Type] == frame.TypeRequest {
			if r, _ := frame.ParseRequest(f); string(r.Path) == "/stream" {
				w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeStart), 200, 0, -1, nil))
			}
		}
	}
	get, post, stream := b.dispatch(message.MethodGet, "/get"), b.dispatch(message.MethodPost, "/post"), b.dispatch(message.MethodGet, "/stream")
	gone := b.dispatch(message.MethodGet, "/gone")
	b.settle()
	gone.x.Receiver.Gone(gone.x)
	dead := b.workers[0]
	b.workers = b.workers[1:]
	b.d.Resume(b.remotes[1])
	b.await(func() { b.d.Remove(b.remotes[0], errors.New("killed")); b.remotes[0].Close() })
	_ = dead
	b.settle()
	b.final(get, post, stream, gone)
	if get.Err != nil || string(get.s.Body) != "/get" {
		t.Errorf("GET was not retried: %v", get.Err)
	}
	if b.code(post) != fault.WorkerLost || fault.From(post.Err).HTTPStatus() != 502 {
		t.Errorf("POST: %v", post.Err)
	}
	if stream.s.Aborted != 1 || b.code(stream) != fault.WorkerLost {
		t.Errorf("stream: %+v", stream.s)
	}
	if s := b.d.Stats(); s.Retried != 1 || s.Lost != 2 {
		t.Errorf("%+v", s)
	}
}

func TestRetriedOnlyOnce(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	b.workers[0].Handle = func(*workertest.Worker, int, []byte) {}
	c := b.dispatch(message.MethodGet, "/x")
	b.settle()
	b.workers = nil
	b.await(func() { b.d.Remove(b.remotes[0], errors.New("killed")) })
	b.await(func() { b.d.Remove(b.remotes[0], errors.New("again")) }) // harmless
	if c.Finals != 0 {
		t.Fatal("not waiting for another worker")
	}
	r, w := b.add()
	w.Handle = func(_ *workertest.Worker, _ int, f []byte) {
		if q, err := frame.ParseRequest(f); err != nil || string(q.Param(0)) != "x" || q.Route != 7 {
			t.Errorf("retried as %q, route %d, %v", q.Param(0), q.Route, err)
		}
	}
	b.settle()
	if b.d.InFlight(r) != 1 {
		t.Fatal("not given to the new worker")
	}
	b.await(func() { b.d.Remove(r, errors.New("killed, too")) })
	b.final(c)
	if b.code(c) != fault.WorkerLost {
		t.Error(c.Err)
	}
}

func TestBrokenWorkerIsGivenUp(t *testing.T) {
	malformed := func(kind byte) func(w *workertest.Worker, h frame.Head) {
		return func(w *workertest.Worker, h frame.Head) { h.Type = kind; w.End(0, h) }
	}
	for name, attack := range map[string]func(w *workertest.Worker, h frame.Head){
		"short response": malformed(frame.TypeResponse),
		"short error":    malformed(frame.TypeError),
		"short want":     malformed(frame.TypeWant),
		"engine's frame": malformed(frame.TypeRequest),
		"unknown frame":  malformed(200),
		"early end":      malformed(frame.TypeEnd),
		"early chunk":    func(w *workertest.Worker, h frame.Head) { h.Type = frame.TypeChunk; w.Piece(0, h, []byte("x")) },
		"start twice": func(w *workertest.Worker, h frame.Head) {
			h.Type = frame.TypeStart
			for range 2 {
				w.Send(0, frame.AppendResponse(nil, h, 200, 0, -1, nil))
			}
		},
		"over the credit": func(w *workertest.Worker, h frame.Head) {
			h.Type = frame.TypeStart
			w.Send(0, frame.AppendResponse(nil, h, 200, 0, -1, nil))
			h.Type = frame.TypeChunk
			for range frame.StreamWindow/frame.MaxChunk + 1 {
				w.Piece(0, h, make([]byte, frame.MaxChunk))
			}
		},
		"broken ring": func(w *workertest.Worker, _ frame.Head) {
			copy(w.Producer(0).Reserve(64), []byte{3})
			w.Producer(0).Commit(64)
		},
	} {
		b := newBench(t, 1, DispatchConfig{})
		b.workers[0].Handle = func(w *workertest.Worker, _ int, f []byte) {
			if f[frame.Type] == frame.TypeRequest {
				attack(w, workertest.Reply(f, 0))
			}
		}
		c := b.dispatch(message.MethodPost, "/x")
		c.s.Pending = highWater + 1
		b.settle()
		select {
		case <-b.remotes[0].Broken():
		default:
			t.Errorf("%s: not noticed", name)
			continue
		}
		var fe *frame.Error
		var re *ring.BrokenError
		if err := b.remotes[0].Err(); !errors.As(err, &fe) && !errors.As(err, &re) {
			t.Errorf("%s: %v", name, err)
		}
		b.await(func() { b.d.Remove(b.remotes[0], b.remotes[0].Err()) })
		b.final(c)
	}
}

func TestWaitIdle(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	c := b.dispatch(message.MethodGet, "/x")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.d.WaitIdle(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- b.d.WaitIdle(context.Background()) }()
	}
	b.settle()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	b.final(c)
}

func TestCreditAskedForByTheWorker(t *testing.T) {
	b := newBench(t, 0, DispatchConfig{Credit: 50})
	for asked, want := range map[uint32]int32{0: 50, 3: 3, 1 << 31: 50} {
		r, files, err := NewRemote(1, 1, testRing)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 3 {
			t.Errorf("%d files", len(files))
		}
		for _, f := range files {
			_ = f.Close()
		}
		r.Region.SetCredit(asked)
		b.await(func() {
			if err := b.d.Add(r); err != nil {
				t.Error(err)
			}
			b.d.Remove(r, nil)
		})
		if r.credit != want {
			t.Errorf("asked %d, credit %d, want %d", asked, r.credit, want)
		}
		r.Close()
	}
}

func TestTooLargeFields(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	c := b.dispatch(message.MethodGet, "/"+strings.Repeat("x", frame.MaxFrame))
	b.final(c)
	if b.code(c) != fault.HeaderFieldsTooLarge {
		t.Error(c.Err)
	}
}

// TestPipelining dispatches the next exchange from inside of the answer of the one before.
func TestPipelining(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{Credit: 1})
	var all []sent
	var next func()
	next = func() {
		if len(all) < 500 {
			c := &workertest.Completion{OnAnswered: next}
			x, s := workertest.NewExchange(message.MethodGet, "/x")
			all = append(all, sent{c, x, s})
			b.d.Dispatch(x, 0, nil, c)
		}
	}
	next()
	b.settle()
	b.final(all...)
	if len(all) != 500 {
		t.Errorf("%d exchanges", len(all))
	}
}

// TestDoorbells checks that a side is rung once a turn and only when it has said that it sleeps.
func TestDoorbells(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	r, w := b.remotes[0], b.workers[0]
	for _, asleep := range []bool{false, true, false} {
		if asleep {
			r.Region.WorkerAsleep().Raise()
		}
		c, d := b.dispatch(message.MethodGet, "/x"), b.dispatch(message.MethodGet, "/x")
		if r.Wake.Answer() {
			t.Error("rung before the end of the turn")
		}
		b.loop.Turn()
		if r.Wake.Answer() != asleep || r.Region.WorkerAsleep().Raised() {
			t.Errorf("asleep %v: rung %v", asleep, !asleep)
		}
		w.Turn()
		if r.Answers[0].Answer() {
			t.Error("the loop was rung though it is awake")
		}
		if b.loop.MayBlock() {
			t.Error("the loop would sleep over an answer")
		}
		b.loop.Turn()
		if !b.loop.MayBlock() || r.Region.LoopAsleep(0).Raised() {
			t.Error("the loop would not sleep, or is still announced as asleep")
		}
		b.final(c, d)
	}
}

func TestStarvedWorkerIsWoken(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	body := make([]byte, 60_000)
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeResponse), 200, 0, -1, body))
	}
	var all []sent
	for range 20 { // a megabyte and more, through a ring of a quarter
		all = append(all, b.dispatch(message.MethodGet, "/x"))
	}
	b.loop.Turn()
	b.workers[0].Turn()
	if !b.remotes[0].Region.Starved(0).Raised() {
		t.Fatal("all of it fits into the ring")
	}
	b.loop.Turn()
	if !b.remotes[0].Wake.Answer() {
		t.Error("the worker was not woken when there was room again")
	}
	b.settle()
	for range 10 {
		b.workers[0].Turn()
		b.settle()
	}
	b.final(all...)
	for _, c := range all {
		if c.Err != nil || len(c.s.Body) != len(body) {
			t.Errorf("%d bytes, %v", len(c.s.Body), c.Err)
		}
	}
}

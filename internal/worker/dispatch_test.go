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

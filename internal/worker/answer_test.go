package worker

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/worker/workertest"
)

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

// What a worker wrote before its answer turned out to be malformed, or one that cannot be sent, is in no other answer.
func TestNothingIsLeftOfARefusedAnswer(t *testing.T) {
	for _, kind := range []byte{frame.TypeResponse, frame.TypeStart} {
		for _, malformed := range []bool{true, false} {
			b := newBench(t, 2, DispatchConfig{})
			b.d.Suspend(b.remotes[1])
			b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
				h := workertest.Reply(f, kind)
				h.Flags = frame.FlagClose
				r := frame.AppendResponse(nil, h, 201, message.ContentHTML, 77, nil, "set-cookie", "half=1", "x-bad", "a\r\nb")
				if malformed {
					binary.LittleEndian.PutUint16(r[frame.ResponseFieldCount:], 1) // more fields than it counts
				}
				w.Send(loop, r)
			}
			b.workers[1].Handle = func(w *workertest.Worker, loop int, f []byte) {
				w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeResponse), 200, 0, -1, []byte("whole"), "x-a", "b"))
			}
			c := b.dispatch(message.MethodGet, "/x")
			c.x.Response.AddField("x-before", "1")
			b.settle()
			want := "x-before: 1\r\n"
			if malformed {
				if b.remotes[0].Err() == nil {
					t.Fatal("the worker is not given up")
				}
				b.d.Resume(b.remotes[1])
				b.workers = b.workers[1:]
				b.await(func() { b.d.Remove(b.remotes[0], b.remotes[0].Err()) })
				b.settle()
				want += "x-a: b\r\n"
			}
			b.final(c)
			if got := string(c.x.Response.Fields()); got != want || c.x.Response.Close || c.x.Response.Type != 0 || (c.Err == nil) != malformed {
				t.Errorf("type %d, malformed %v: fields %q, want %q; close %v, %v", kind, malformed, got, want, c.x.Response.Close, c.Err)
			}
		}
	}
}

package worker

import (
	"context"
	"strings"
	"testing"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/worker/workertest"
)

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

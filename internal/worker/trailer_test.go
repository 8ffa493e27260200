package worker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/worker/workertest"
)

// trailed is an exchange whose request has a trailer section.
func trailed(body []byte) (*message.Exchange, *workertest.Stream) {
	x, s := workertest.NewExchange(message.MethodPost, "/")
	x.Request.Body, x.Request.BodyComplete, x.Request.ContentLength = body, true, int64(len(body))
	x.Request.TrailerHead = []byte("Sum: 7X-Empty:")
	x.Request.Trailer = []message.Field{
		{Name: message.Span{Len: 3}, Value: message.Span{Off: 5, Len: 1}},
		{Name: message.Span{Off: 6, Len: 7}, Value: message.Span{Off: 14}},
	}
	return x, s
}

// A body that came whole is sent in pieces when it has a trailer section: BODYEND carries that.
func TestTrailersOfARequest(t *testing.T) {
	for _, c := range []struct {
		name string
		body string
	}{{"a body", "hello"}, {"an empty body", ""}} {
		b := newBench(t, 1, DispatchConfig{})
		got := ""
		b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
			switch f[frame.Type] {
			case frame.TypeRequest:
				if f[frame.Flags]&frame.FlagBodyFollows == 0 {
					t.Error("no body follows")
				}
				w.Signal(loop, workertest.Reply(f, frame.TypeWant), 100)
			case frame.TypeBody:
				d, err := frame.ParsePiece(f)
				if err != nil {
					t.Error(err)
				}
				got += string(d)
			case frame.TypeBodyEnd:
				reason, fields, err := frame.ParseBodyEnd(f)
				if err != nil || reason != frame.ReasonComplete || fields.Count != 2 {
					t.Errorf("%d %+v %v", reason, fields, err)
				}
				for rest := fields.Block; len(rest) > 0; {
					name, value, after, ok := frame.Next(rest)
					if !ok {
						t.Fatal("malformed fields")
					}
					rest = after
					got += fmt.Sprintf(";%s=%s", name, value)
				}
				w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeResponse), 200, 0, -1, nil))
			}
		}
		x, s := trailed([]byte(c.body))
		sent := b.give(x, s)
		b.settle()
		b.final(sent)
		if want := c.body + ";Sum=7;X-Empty="; got != want || sent.Err != nil {
			t.Errorf("%s: %q, want %q, %v", c.name, got, want, sent.Err)
		}
	}
}

// A trailer section that no frame can hold is left out; the body is still complete.
func TestTrailersTooLargeForAFrame(t *testing.T) {
	b := newBench(t, 1, DispatchConfig{})
	ended := false
	b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
		switch f[frame.Type] {
		case frame.TypeRequest:
			w.Signal(loop, workertest.Reply(f, frame.TypeWant), 100)
		case frame.TypeBodyEnd:
			reason, fields, err := frame.ParseBodyEnd(f)
			ended = err == nil && reason == frame.ReasonComplete && fields.Count == 0
			w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeResponse), 200, 0, -1, nil))
		}
	}
	x, s := trailed(nil)
	x.Request.TrailerHead = []byte(strings.Repeat("x", frame.MaxFrame))
	x.Request.Trailer = []message.Field{{Name: message.Span{Len: 1}, Value: message.Span{Len: frame.MaxFrame}}}
	sent := b.give(x, s)
	b.settle()
	b.final(sent)
	if !ended || sent.Err != nil {
		t.Errorf("ended %v, %v", ended, sent.Err)
	}
}

func TestTrailersOfAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name    string
		end     func(h frame.Head) []byte
		trailer string
		cut     bool
		broken  bool
	}{
		{name: "none", end: func(h frame.Head) []byte { f := make([]byte, frame.HeadSize); frame.PutEnd(f, h); return f }},
		{name: "two", end: func(h frame.Head) []byte { return frame.AppendEnd(nil, h, "Sum", "7", "x-empty", "") },
			trailer: "sum: 7\r\nx-empty: \r\n"},
		{name: "one that must not be sent", end: func(h frame.Head) []byte { return frame.AppendEnd(nil, h, "content-length", "7") },
			cut: true},
		{name: "one that splits", end: func(h frame.Head) []byte { return frame.AppendEnd(nil, h, "a", "b\r\nc: d") }, cut: true},
		{name: "a span beyond the frame", end: func(h frame.Head) []byte {
			f := frame.AppendEnd(nil, h, "a", "b")
			f[frame.EndFields+5] = 0xff
			return f
		}, broken: true},
		{name: "a length beyond the block", end: func(h frame.Head) []byte {
			f := frame.AppendEnd(nil, h, "a", "b")
			f[frame.EndSize] = 0xff
			return f
		}, broken: true},
	} {
		b := newBench(t, 1, DispatchConfig{})
		b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
			if f[frame.Type] != frame.TypeRequest {
				return
			}
			w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeStart), 200, 0, -1, nil))
			w.Piece(loop, workertest.Reply(f, frame.TypeChunk), []byte("body"))
			w.Send(loop, c.end(workertest.Reply(f, frame.TypeEnd)))
		}
		sent := b.dispatch(message.MethodGet, "/")
		b.settle()
		if broken := b.remotes[0].Err() != nil; broken != c.broken {
			t.Errorf("%s: broken: %v", c.name, b.remotes[0].Err())
		}
		if c.broken {
			continue
		}
		b.final(sent)
		if got := string(sent.x.Response.Trailers()); !c.cut && got != c.trailer {
			t.Errorf("%s: %q", c.name, got)
		}
		if cut := sent.s.Aborted == 1; cut != c.cut {
			t.Errorf("%s: cut: %v", c.name, cut)
		}
	}
}

func TestInform(t *testing.T) {
	for _, c := range []struct {
		name   string
		frame  func(h frame.Head) []byte
		want   string
		broken bool
	}{
		{"hints", func(h frame.Head) []byte { return frame.AppendResponse(nil, h, 103, 0, -1, nil, "Link", "</a>") },
			"103 link: </a>\r\n", false},
		{"a field that splits", func(h frame.Head) []byte { return frame.AppendResponse(nil, h, 103, 0, -1, nil, "a", "b\r\nc: d") },
			"", false},
		{"100", func(h frame.Head) []byte { return frame.AppendResponse(nil, h, 100, 0, -1, nil) }, "", true},
		{"101", func(h frame.Head) []byte { return frame.AppendResponse(nil, h, 101, 0, -1, nil) }, "", true},
		{"200", func(h frame.Head) []byte { return frame.AppendResponse(nil, h, 200, 0, -1, nil) }, "", true},
		{"too short", func(h frame.Head) []byte { f := make([]byte, frame.HeadSize); frame.PutEnd(f, h); return f }, "", true},
	} {
		b := newBench(t, 1, DispatchConfig{})
		b.workers[0].Handle = func(w *workertest.Worker, loop int, f []byte) {
			if f[frame.Type] == frame.TypeRequest {
				w.Send(loop, c.frame(workertest.Reply(f, frame.TypeInform)))
				w.Send(loop, frame.AppendResponse(nil, workertest.Reply(f, frame.TypeResponse), 200, 0, -1, nil, "x-final", "1"))
				w.Send(loop, c.frame(workertest.Reply(f, frame.TypeInform))) // after the answer: dropped
			}
		}
		sent := b.dispatch(message.MethodGet, "/")
		b.settle()
		if broken := b.remotes[0].Err() != nil; broken != c.broken {
			t.Errorf("%s: broken: %v", c.name, b.remotes[0].Err())
		}
		if got := strings.Join(sent.s.Informed, ""); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if !c.broken && string(sent.x.Response.Fields()) != "x-final: 1\r\n" {
			t.Errorf("%s: the answer has %q", c.name, sent.x.Response.Fields())
		}
	}
}

package worker

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/worker/workertest"
)

// FuzzHostileWorker lets a worker write anything, in any order, while clients come, send, stall and leave, and ends
// with its death. Whatever it does: no panic, every exchange ends exactly once, and no slot stays taken.
//
// Two bytes are one step: what to do, and with which exchange or value.
func FuzzHostileWorker(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 0, 3, 0, 4, 0})
	f.Add([]byte{0, 0, 0, 1, 9, 0, 10, 0, 2, 0, 3, 0, 4, 0, 11, 1})
	f.Add([]byte{0, 3, 6, 3, 12, 3, 6, 3, 12, 3, 13, 3, 1, 3})
	f.Add([]byte{0, 0, 2, 0, 3, 0, 3, 0, 3, 0, 14, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 15, 0, 4, 0})
	f.Add([]byte{0, 0, 16, 200, 0, 1, 17, 9, 18, 5})
	f.Add([]byte{0, 0, 0, 1, 0, 2, 0, 3, 0, 0, 1, 1, 1, 2, 19, 0, 0, 0, 20, 0, 0, 0, 1, 5})
	f.Add([]byte{0, 0, 21, 3, 2, 0, 21, 4, 3, 0, 22, 0, 0, 1, 21, 75, 0, 2, 2, 0, 22, 72})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) <= 400 { // longer ones find nothing else
			play(t, script)
		}
	})
}

// TestHostileWorkerAtRandom plays scripts that differ every time as little as the seed does: the fuzz target's first
// minute, in every run of the tests.
func TestHostileWorkerAtRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	for i := range 400 {
		script := make([]byte, rng.IntN(400))
		for j := range script {
			script[j] = byte(rng.Uint32())
		}
		play(t, script)
		if t.Failed() {
			t.Fatalf("script %d: %x", i, script)
		}
	}
}

// play runs one script.
func play(t *testing.T, script []byte) {
	b := newBench(t, 2, DispatchConfig{Credit: 5, Queue: 3, Strategy: []string{"", "round-robin", "prefer-awake"}[len(script)%3]})
	b.workers[1].Handle = func(*workertest.Worker, int, []byte) {}
	b.workers[0].Handle = func(*workertest.Worker, int, []byte) {}
	var all []sent
	pick := func(v byte) *sent { return &all[int(v)%len(all)] }
	for i := 0; i+1 < len(script); i += 2 {
		op, v := script[i]%23, script[i+1]
		if len(all) == 0 && op != 0 {
			continue
		}
		step(b, op, v, &all, pick, script[i:])
	}
	b.loop.Turn()
	for _, r := range b.remotes {
		b.await(func() { b.d.Remove(r, errors.New("the end")) })
	}
	b.loop.Pass(time.Minute) // what waits for a worker that never comes
	b.loop.Turn()
	b.final(all...)
	for _, r := range b.remotes {
		if n := b.d.InFlight(r); n != 0 {
			t.Errorf("%d slots stay taken", n)
		}
	}
}

func step(b *bench, op, v byte, all *[]sent, pick func(byte) *sent, raw []byte) {
	w := b.workers[0]
	h := frame.Head{Slot: uint32(v % 8), Generation: uint32(v>>3) % 4}
	if len(*all) > 0 && v&0x80 == 0 {
		// Most steps name an exchange that this worker holds.
		if k, ok := pick(v).x.Link.Owner.(*link); ok && k.remote == b.remotes[0] {
			s := k.slots.all[pick(v).x.Link.Slot]
			h.Slot, h.Generation = s.index, s.generation
		}
	}
	switch op {
	case 0:
		x, s := workertest.NewExchange([]message.Method{message.MethodGet, message.MethodPost}[v&1], "/x")
		if v&2 != 0 {
			x.Request.ContentLength, x.Request.BodyComplete = -1, false
		} else if v&4 != 0 {
			x.Request.Body = make([]byte, 70_000)
			x.Request.ContentLength = int64(len(x.Request.Body))
		}
		c := sent{&workertest.Completion{Refuse: v&8 != 0}, x, s}
		*all = append(*all, c)
		b.d.Dispatch(x, uint16(v), []message.Span{{Off: 0, Len: 1}}, c.Completion)
	case 1:
		h.Type = frame.TypeResponse
		w.Send(0, frame.AppendResponse(nil, h, int(v)*5, message.ContentType(v%6), int64(v)-1, raw, "x-a", string(raw[:min(len(raw), 8)])))
	case 2:
		h.Type = frame.TypeStart
		w.Send(0, frame.AppendResponse(nil, h, 200, 0, -1, nil, "x-a", "b"))
	case 3:
		h.Type = frame.TypeChunk
		w.Piece(0, h, make([]byte, int(v)*100))
	case 4, 5:
		h.Type, h.Flags = frame.TypeEnd, op-4
		w.End(0, h)
	case 6:
		h.Type = frame.TypeWant
		w.Signal(0, h, uint32(v)<<(v%24))
	case 7:
		h.Type = frame.TypeCancelled
		w.End(0, h)
	case 8:
		h.Type = frame.TypeError
		w.Send(0, frame.AppendError(nil, h, int(v)*4, "", string(raw[:1]), string(raw), "a", "b"))
	case 9:
		if c := pick(v); c.x.Receiver != nil {
			c.x.Receiver.Gone(c.x)
		}
	case 10:
		if c := pick(v); c.x.Receiver != nil && c.s.Started == 0 {
			c.x.Receiver.Expired(c.x)
		}
	case 11:
		b.loop.Turn()
		b.loop.Pass(time.Duration(v) * time.Millisecond)
	case 12:
		if c := pick(v); c.x.Receiver != nil && c.s.Reading && !c.s.Paused {
			c.x.Receiver.BodyChunk(c.x, make([]byte, int(v)*300))
		}
	case 13:
		if c := pick(v); c.x.Receiver != nil && c.s.Reading {
			c.s.Reading = false // no more
			c.s.Paused = true
			c.x.Receiver.BodyEnd(c.x, nil)
		}
	case 14:
		pick(v).s.Pending = int(v) << 10
	case 15:
		if c := pick(v); c.x.Receiver != nil && c.s.Started > 0 {
			c.x.Receiver.Drained(c.x)
		}
	case 16: // any bytes as the content of a frame
		if f := w.Producer(0).Reserve(64); f != nil {
			clear(f)
			copy(f, raw)
			binary.LittleEndian.PutUint32(f, 64)
			w.Producer(0).Commit(64)
		}
	case 17: // any bytes, the length too
		if f := w.Producer(0).Reserve(64); v == 9 && f != nil {
			copy(f, raw)
			w.Producer(0).Commit(64)
		}
	case 18:
		w.Turn()
	case 19:
		b.d.Suspend(b.remotes[v&1])
	case 20:
		b.d.Resume(b.remotes[v&1])
	case 21: // mostly early hints, with fields that may be broken
		h.Type = frame.TypeInform
		f := frame.AppendResponse(nil, h, 100+int(v%8), 0, -1, nil, "link", string(raw[:min(len(raw), 8)]))
		f[frame.ResponseFields+int(v>>3)%8] ^= v >> 6
		w.Send(0, f)
	case 22: // trailer fields, likewise
		h.Type = frame.TypeEnd
		f := frame.AppendEnd(nil, h, "sum", string(raw[:min(len(raw), 8)]), "x-more", "1")
		f[frame.EndFields+int(v>>3)%8] ^= v >> 6
		w.Send(0, f)
	}
	if v&1 == 0 {
		w.Turn()
		b.loop.Turn()
	}
}

package engine

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/engine/enginetest"
	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/message"
)

// chaos is a handler that does anything the contract allows, at any time. It answers request n with "n" and filler.
type chaos struct {
	t    *testing.T
	rnd  *rand.Rand
	live map[*trial]bool
	all  []*trial // in the order of their beginning: a seed must always play the same
	cuts int      // aborts and short streams, after which a connection may end early
}

// trial is one exchange of it.
type trial struct {
	c       *chaos
	x       *message.Exchange
	n       string
	started bool
	asked   bool
	paused  bool
	left    int
	pending bool // waits for Drained
	failed  bool // the body has ended badly
	ended   bool // the body has ended
}

func (c *chaos) Serve(x *message.Exchange) {
	q := &x.Request
	w := &trial{c: c, x: x, n: string(q.Bytes(q.Query)), left: c.rnd.IntN(6)}
	if q.BodyComplete && len(q.Body) > 0 && string(q.Body) != strings.Repeat("B", len(q.Body)) {
		c.t.Errorf("a body of %q", q.Body)
	}
	c.live[w] = true
	c.all = append(c.all, w)
	x.Receiver = w
	for range c.rnd.IntN(4) {
		w.act()
		if !c.live[w] {
			return
		}
	}
	x.Detach()
}

// any returns one of the live trials, nil when there is none.
func (c *chaos) any() *trial {
	kept := c.all[:0]
	for _, w := range c.all {
		if c.live[w] {
			kept = append(kept, w)
		}
	}
	c.all = kept
	if len(kept) == 0 {
		return nil
	}
	return kept[c.rnd.IntN(len(kept))]
}

// done ends the trial: before the call that ends the exchange.
func (w *trial) done() { delete(w.c.live, w) }

// act does one thing.
func (w *trial) act() {
	x, s := w.x, w.x.Stream
	switch w.c.rnd.IntN(12) {
	case 0, 1:
		if !w.started {
			x.Response.Status, x.Response.Body = 200, []byte(w.n+strings.Repeat(".", w.c.rnd.IntN(40)))
			if w.c.rnd.IntN(8) == 0 {
				x.Response.Body = []byte(w.n + strings.Repeat(".", 100_000))
			}
			w.done()
			s.Respond(x)
		}
	case 2, 3:
		if !w.started {
			w.started = true
			s.Start(x)
			s.Write(x, []byte(w.n))
		} else if w.left > 0 && !w.pending {
			w.left--
			w.pending = s.Write(x, []byte(strings.Repeat(".", w.c.rnd.IntN(30_000)))) > 100_000
		} else if w.left == 0 {
			w.done()
			s.End(x)
		}
	case 4, 5, 6:
		if !w.asked && !x.Request.BodyComplete {
			w.asked = true
			s.ReadBody(x)
		} else if w.paused {
			w.paused = false
			s.ResumeBody(x)
		}
	case 7:
		if w.asked {
			w.paused = true
			s.PauseBody(x)
		}
	case 8:
		if !w.started {
			s.Inform(x, 103)
		}
	case 9:
		if w.c.rnd.IntN(10) == 0 {
			w.c.cuts++
			w.done()
			s.Abort(x)
		}
	case 10:
		if !w.started {
			s.SetDeadline(x, time.Duration(w.c.rnd.IntN(100))*time.Second)
		}
	}
}

func (w *trial) check(call string) {
	if !w.c.live[w] {
		w.c.t.Fatalf("%s after the end", call)
	}
}

func (w *trial) BodyChunk(_ *message.Exchange, p []byte) {
	w.check("BodyChunk")
	if !w.asked || w.paused || w.ended {
		w.c.t.Errorf("a piece of the body while asked is %v, paused %v, ended %v", w.asked, w.paused, w.ended)
	}
	if string(p) != strings.Repeat("B", len(p)) {
		w.c.t.Errorf("a piece of %q", p)
	}
	w.act()
}

func (w *trial) BodyEnd(_ *message.Exchange, err error) {
	w.check("BodyEnd")
	if w.ended {
		w.c.t.Error("BodyEnd twice")
	}
	w.ended = true
	if w.failed = err != nil; w.failed && fault.From(err).Code == fault.InternalError {
		w.c.t.Errorf("BodyEnd: %v", err)
	}
	w.act()
}

func (w *trial) Drained(*message.Exchange) {
	w.check("Drained")
	w.pending = false
	w.act()
}

func (w *trial) Expired(x *message.Exchange) {
	w.check("Expired")
	if w.started {
		w.c.t.Error("Expired after the start of the response")
	}
	x.Response.Status, x.Response.Body = 504, []byte(w.n)
	w.done()
	x.Stream.Respond(x)
}

func (w *trial) Gone(*message.Exchange) {
	w.check("Gone")
	w.done()
}

// request appends request n of a connection.
func (c *chaos) request(n int) string {
	head := fmt.Sprintf("POST /x?%d HTTP/1.1\r\nHost: a\r\n", n)
	size := c.rnd.IntN(60)
	if c.rnd.IntN(6) == 0 {
		size = 70_000 + c.rnd.IntN(100_000)
	}
	switch c.rnd.IntN(4) {
	case 0:
		return head + "\r\n"
	case 1:
		var b strings.Builder
		b.WriteString(head + "Transfer-Encoding: chunked\r\n\r\n")
		for size > 0 {
			k := 1 + c.rnd.IntN(size)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", k, strings.Repeat("B", k))
			size -= k
		}
		return b.String() + "0\r\n\r\n"
	}
	return head + "Content-Length: " + strconv.Itoa(size) + "\r\n\r\n" + strings.Repeat("B", size)
}

// FuzzConnection plays random conversations against the chaos handler. Whatever happens: responses come in the order
// of the requests, one for each, every exchange ends once, and nothing is left at the end.
func FuzzConnection(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint16(200))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		c := &chaos{t: t, rnd: rnd, live: map[*trial]bool{}}
		r := newRig(t, Config{MaxInline: 32, Limits: h1.Limits{Body: 1 << 20}})
		r.srv = over(r.srv.cfg, c, r.group, [16]byte{})
		if err := r.group.Listen(enginetest.Listener(), r.srv); err != nil {
			t.Fatal(err)
		}
		type client struct {
			conn     *enginetest.Conn
			out      string // to be sent
			next     int
			received strings.Builder
		}
		clients := make([]*client, 3)
		check := func(k *client, final bool) {
			k.received.WriteString(k.conn.Received())
			if final {
				checkAnswers(t, k.received.String(), k.next)
			}
		}
		for range min(steps, 1000) {
			i := rnd.IntN(len(clients))
			k := clients[i]
			if k == nil || k.conn.Ended() {
				if k != nil {
					check(k, true)
				}
				k = &client{conn: r.group.Dial()}
				clients[i] = k
			}
			switch rnd.IntN(10) {
			case 0, 1:
				for range 1 + rnd.IntN(3) {
					k.out += c.request(k.next)
					k.next++
				}
			case 2, 3, 4, 5:
				n := min(len(k.out), 1+rnd.IntN(1<<rnd.IntN(18)))
				k.conn.Send(k.out[:n])
				k.out = k.out[n:]
			case 6:
				if w := c.any(); w != nil {
					w.act()
				}
			case 7:
				k.conn.Window = rnd.IntN(1 << 20)
				if rnd.IntN(2) == 0 {
					k.conn.Window = -1
				}
			case 8:
				r.loop.Advance(time.Duration(rnd.IntN(1<<rnd.IntN(14))) * time.Millisecond)
			case 9:
				switch rnd.IntN(40) {
				case 0:
					k.conn.Reset()
				case 1:
					k.conn.CloseSend()
				case 2:
					r.srv.shards[0].drain.begin()
				}
			}
			r.loop.Turn()
			if rnd.IntN(2) == 0 {
				r.loop.Settle()
			}
			check(k, false)
		}
		// All clients read what there is and leave.
		for _, k := range clients {
			if k != nil {
				k.conn.Window = -1
			}
		}
		r.loop.Settle()
		for _, k := range clients {
			if k != nil {
				check(k, true)
				k.conn.Reset()
			}
		}
		r.loop.Settle()
		if len(c.live) > 0 {
			t.Errorf("%d exchanges were not told of their end", len(c.live))
		}
		if n := r.srv.Stats().Bugs; n > 0 {
			t.Errorf("%d bugs", n)
		}
		r.quiet()
	})
}

// checkAnswers reads the responses that one client got: final response n answers request n. The last may be cut.
func checkAnswers(t *testing.T, all string, asked int) {
	t.Helper()
	br := bufio.NewReader(strings.NewReader(all))
	for n := 0; ; {
		if _, err := br.Peek(1); err == io.EOF {
			return
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			if strings.Contains(err.Error(), "EOF") {
				return // cut in the head
			}
			t.Fatalf("response %d: %v", n, err)
		}
		if res.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(res.Body)
		if n >= asked && res.StatusCode != 408 {
			t.Fatalf("response %d to %d requests: %d %.200q", n, asked, res.StatusCode, body)
		}
		if res.StatusCode == 200 || res.StatusCode == 504 {
			want := strconv.Itoa(n)
			if got := strings.TrimRight(string(body), "."); got != want && !(err != nil && strings.HasPrefix(want, got)) {
				t.Fatalf("response %d is %.100q", n, body)
			}
		}
		if err != nil {
			return // cut in the body
		}
		n++
	}
}

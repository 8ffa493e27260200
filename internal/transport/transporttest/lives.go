package transporttest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/transport"
)

// lineage is what all lives of a test share.
type lineage struct {
	t    *testing.T
	seed uint64 // logged when the test fails; the order of events is the machine's
	born atomic.Uint64
	open atomic.Int64
	// file holds the text twice, so that every part of a stream is one of the file.
	file *testFile
}

// streamLen is after how many bytes what a connection carries begins again, wherever in it that one began.
const streamLen = 1 << 20

// newLineage makes the text from a seed that differs from run to run.
func newLineage(t *testing.T) *lineage {
	g := &lineage{t: t, seed: rand.Uint64(), file: newFileOf(t, bytes.Repeat(pattern(streamLen), 2))}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", g.seed)
		}
	})
	return g
}

// random returns the source of chance number k of a kind.
func (g *lineage) random(kind, k uint64) *rand.Rand { return rand.New(rand.NewPCG(g.seed+k, kind)) }

// at returns n ≤ streamLen bytes of the text, from the offset i of the stream of client k.
func (g *lineage) at(k, i, n int) []byte {
	from := g.offset(k, i)
	return g.file.content[from : from+n]
}

func (g *lineage) offset(k, i int) int { return (k*12_345 + i) % streamLen }

// acceptor makes sessions that live by chance.
func (g *lineage) acceptor() transport.Acceptor {
	return probes(g.t, func(p *probe) {
		g.open.Add(1)
		v := &life{g: g, r: g.random(1, g.born.Add(1)), client: -1}
		v.live(p)
	})
}

// life is an echo that consumes in odd pieces and pauses, resumes, half-closes, closes and aborts by chance, from
// every callback and from a timer. It writes, sends parts of a file and runs ahead of its client, who knows what comes:
// what it gets must be the beginning of that.
type life struct {
	g       *lineage
	p       *probe
	r       *rand.Rand
	timer   clock.Timer
	reserve bool
	client  int // -1: it has not said who it is
	sent    int // of its stream
}

func (v *life) live(p *probe) {
	v.p = p
	v.timer.Do = v
	p.data = func(p *probe, in []byte) int {
		n := len(in)
		if v.client < 0 {
			v.client, n = int(in[0]), 1
		} else if v.r.IntN(3) == 0 {
			n = 1 + v.r.IntN(n)
		}
		v.output(n)
		if n < len(in) || p.conn.Pending() > 64<<10 {
			v.rest() // somebody must ask for what is left: perhaps nothing more comes
		}
		v.chance()
		return n
	}
	p.drained = func(*probe) {
		if v.r.IntN(4) == 0 {
			v.output(v.r.IntN(streamLen / 10))
		}
		v.chance()
	}
	p.eof = func(p *probe) { p.close() }
	p.closed = func(p *probe, _ error) {
		p.conn.Loop().Unschedule(&v.timer)
		v.g.open.Add(-1)
	}
	v.chance()
}

// output sends the next n bytes of the client's stream, in one of the three ways.
func (v *life) output(n int) {
	if v.client < 0 || v.p.closing || v.p.finished {
		return
	}
	from := v.g.offset(v.client, v.sent)
	v.sent += n
	if k := v.r.IntN(8); k < 3 {
		cut := v.r.IntN(n + 1) // also nothing, and in pieces that follow one another
		v.p.sendFile(v.g.file, int64(from), int64(cut))
		from, n = from+cut, n-cut
		if k == 0 {
			v.p.sendFile(v.g.file, int64(from), int64(n))
			return
		}
	}
	b := v.g.file.content[from : from+n]
	if v.reserve = !v.reserve; !v.reserve || n > transport.MaxReserve {
		v.p.write(b)
		return
	}
	v.p.conn.Commit(len(append(v.p.conn.Reserve(n), b...)))
}

// rest pauses until the timer fires.
func (v *life) rest() {
	v.p.pause()
	l := v.p.conn.Loop()
	l.Schedule(&v.timer, l.Now())
}

// Fire implements clock.Firer.
func (v *life) Fire() {
	v.p.resume()
	v.chance()
}

func (v *life) chance() {
	if v.p.closing {
		return
	}
	switch v.r.IntN(400) {
	case 0:
		v.p.abort()
	case 1:
		v.p.close()
	case 2:
		v.p.closeWrite()
	case 3:
		v.p.close()
		v.p.abort()
	case 4, 5:
		v.p.pause()
		v.p.resume()
	case 6, 7, 8, 9:
		v.rest()
	case 10:
		v.p.resume()
		v.output(v.r.IntN(streamLen))
		v.p.close()
	case 11:
		v.output(v.r.IntN(streamLen))
		v.p.closeWrite()
	case 12:
		v.output(v.r.IntN(streamLen))
		v.p.abort()
	case 13:
		evict(v.g.t, v.g.file.under)
	case 14:
		v.p.conn.Reserve(1 + v.r.IntN(transport.MaxReserve)) // and nothing comes of it
	case 15, 16, 17, 18:
		v.output(v.r.IntN(streamLen)) // ahead of the client, which may not read
	}
}

// visit is a client that writes in odd pieces, reads in others, and leaves by FIN, by closing or by a reset.
func (g *lineage) visit(addr net.Addr, k int) {
	c, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		return // reset before the dialler looked at it
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var wg sync.WaitGroup
	wg.Go(func() {
		r := g.random(2, uint64(k))
		b := make([]byte, 30_000)
		b[0] = byte(k) // who it is
		for sent, total := 0, 1+r.IntN(250_000); sent < total; {
			n := 1 + r.IntN(len(b))
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
			sent += n
		}
		switch w, ok := c.(interface{ CloseWrite() error }); {
		case r.IntN(5) == 0:
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = c.Close()
		case ok:
			_ = w.CloseWrite()
		}
	})
	r := g.random(3, uint64(k))
	b := make([]byte, 70_000)
	for got := 0; ; {
		n, err := c.Read(b[:1+r.IntN(len(b))])
		if want := g.at(int(byte(k)), got, n); !bytes.Equal(b[:n], want) {
			g.t.Errorf("client %d: byte %d of the stream is wrong", k, got+firstDifference(b[:n], want))
			err = io.ErrUnexpectedEOF
		}
		got += n
		if isTimeout(err) {
			g.t.Errorf("client %d hangs after %d bytes", k, got)
		}
		if err != nil {
			break
		}
	}
	_ = c.Close()
	wg.Wait()
}

func randomLives(t *testing.T, newGroup NewGroup) {
	const clients, visits = 24, 10
	h := start(t, newGroup, transport.Config{Loops: 2, MaxInput: 10_000})
	g := newLineage(t)
	a := g.acceptor()
	addrs := []net.Addr{h.serve(a), h.listen("unix:"+socketPath(t), a)}
	var wg sync.WaitGroup
	for k := range clients {
		wg.Go(func() {
			for j := range visits {
				g.visit(addrs[(k+j)%len(addrs)], k*visits+j)
			}
		})
	}
	wg.Wait()
	eventually(t, "every session is told that its connection is gone", func() bool { return g.open.Load() == 0 })
	for _, l := range h.group.Loops() {
		expectBuffers(t, l, 0)
	}
	g.file.free()
}

// livesCutShort closes groups in the middle of lives, whatever is in flight: everything comes back.
func livesCutShort(t *testing.T, newGroup NewGroup) {
	const rounds, clients = 12, 12
	for range rounds {
		h := start(t, newGroup, transport.Config{Loops: 2, MaxInput: 10_000})
		g := newLineage(t)
		a := g.acceptor()
		addrs := []net.Addr{h.serve(a), h.listen("unix:"+socketPath(t), a)}
		var wg sync.WaitGroup
		var over atomic.Bool
		for k := range clients {
			wg.Go(func() {
				for j := 0; !over.Load(); j++ {
					g.visit(addrs[(k+j)%len(addrs)], k+j*clients)
				}
			})
		}
		until := uint64(1 + g.random(4, 0).IntN(3*clients))
		eventually(t, "some have lived", func() bool { return g.born.Load() >= until })
		over.Store(true)
		h.close()
		if n := g.open.Load(); n != 0 {
			t.Errorf("%d sessions were not told that the group is closed", n)
		}
		wg.Wait()
		g.file.free()
	}
}

package transporttest

import (
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

// life is an echo that consumes in odd pieces and pauses, resumes, half-closes, closes and aborts by chance, from
// every callback and from a timer. What its client gets back must be the beginning of what it sent.
type life struct {
	p       *probe
	r       *rand.Rand
	timer   clock.Timer
	reserve bool
}

func (v *life) live(p *probe) {
	v.p = p
	v.timer.Do = v
	p.data = func(p *probe, in []byte) int {
		n := len(in)
		if v.r.IntN(3) == 0 {
			n = 1 + v.r.IntN(n)
		}
		v.output(in[:n])
		if n < len(in) || p.conn.Pending() > 64<<10 {
			v.rest() // somebody must ask for what is left: perhaps nothing more comes
		}
		v.chance()
		return n
	}
	p.drained = func(*probe) { v.chance() }
	p.eof = func(p *probe) { p.close() }
	p.closed = func(p *probe, _ error) { p.conn.Loop().Unschedule(&v.timer) }
	v.chance()
}

func (v *life) output(b []byte) {
	if v.reserve = !v.reserve; !v.reserve || len(b) > transport.MaxReserve {
		v.p.write(b)
		return
	}
	v.p.conn.Commit(len(append(v.p.conn.Reserve(len(b)), b...)))
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
	switch v.r.IntN(120) {
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
	}
}

// streamByte is byte i of what client k sends.
func streamByte(k, i int) byte { return byte(k*37 + i + i>>8) }

// visit is a client that writes in odd pieces, reads in others, and leaves by FIN, by closing or by a reset.
func visit(t *testing.T, addr net.Addr, k int) {
	c, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		return // reset before the dialler looked at it
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var wg sync.WaitGroup
	wg.Go(func() {
		r := rand.New(rand.NewPCG(uint64(k), 2))
		b := make([]byte, 30_000)
		for sent, total := 0, r.IntN(250_000); sent < total; {
			n := 1 + r.IntN(len(b))
			for i := range n {
				b[i] = streamByte(k, sent+i)
			}
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
	r := rand.New(rand.NewPCG(uint64(k), 3))
	b := make([]byte, 70_000)
	for got := 0; ; {
		n, err := c.Read(b[:1+r.IntN(len(b))])
		for i := range n {
			if b[i] != streamByte(k, got+i) {
				t.Errorf("client %d: byte %d of the echo is wrong", k, got+i)
				err = io.ErrUnexpectedEOF
				break
			}
		}
		got += n
		if isTimeout(err) {
			t.Errorf("client %d hangs after %d bytes", k, got)
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
	var seed, open atomic.Int64
	a := probes(t, func(p *probe) {
		open.Add(1)
		v := &life{r: rand.New(rand.NewPCG(uint64(seed.Add(1)), 1))}
		v.live(p)
		unschedule := p.closed
		p.closed = func(p *probe, err error) { unschedule(p, err); open.Add(-1) }
	})
	addrs := []net.Addr{h.serve(a), h.listen("unix:"+socketPath(t), a)}
	var wg sync.WaitGroup
	for k := range clients {
		wg.Go(func() {
			for j := range visits {
				visit(t, addrs[(k+j)%len(addrs)], k*visits+j)
			}
		})
	}
	wg.Wait()
	eventually(t, "every session is told that its connection is gone", func() bool { return open.Load() == 0 })
	for _, l := range h.group.Loops() {
		expectBuffers(t, l, 0)
	}
}

//go:build linux && (amd64 || arm64)

package ringloop

import (
	"fmt"
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

// wayward is an echo that pauses, resumes, half-closes, closes and aborts at random, from every callback and timer.
type wayward struct {
	t      *testing.T
	c      transport.Conn
	r      *rand.Rand
	timer  clock.Timer
	open   *atomic.Int32
	closed bool // Close or Abort was called
	gone   bool
}

func (s *wayward) whim() {
	switch s.r.IntN(200) {
	case 0:
		s.c.Abort()
		s.closed = true
	case 1:
		s.c.Close()
		s.closed = true
	case 2:
		s.c.CloseWrite()
	case 3:
		s.c.Pause()
		s.c.Resume()
	case 4, 5, 6, 7, 8, 9:
		s.c.Pause()
		s.c.Loop().Schedule(&s.timer, s.c.Loop().Now())
	}
}

func (s *wayward) check(call string) {
	if s.closed || s.gone {
		s.t.Errorf("%s came after the end", call)
	}
}

func (s *wayward) Fire() {
	s.c.Resume()
	if !s.closed {
		s.whim()
	}
}

func (s *wayward) Data(in []byte) int {
	s.check("Data")
	n := 1 + s.r.IntN(len(in))
	if s.r.IntN(3) > 0 {
		n = len(in)
	}
	s.c.Write(in[:n])
	if s.c.Pending() > 64<<10 {
		s.c.Pause()
	}
	if s.whim(); n < len(in) && !s.closed {
		// The rest is wanted, although nothing more may come.
		s.c.Pause()
		s.c.Loop().Schedule(&s.timer, s.c.Loop().Now())
	}
	return n
}

func (s *wayward) Drained() {
	s.check("Drained")
	s.c.Resume()
	s.whim()
}

func (s *wayward) EOF() {
	s.check("EOF")
	s.c.Close()
	s.closed = true
}

func (s *wayward) Closed(error) {
	if s.gone {
		s.t.Error("Closed came twice")
	}
	s.gone = true
	s.c.Loop().Unschedule(&s.timer)
	s.open.Add(-1)
}

// at is byte i of the stream that a client sends.
func at(seed, i int) byte { return byte(seed*31 + i + i>>8) }

func waywardClient(t *testing.T, addr net.Addr, seed int) {
	c, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		return // reset before it was accepted: the server's whim
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	var wg sync.WaitGroup
	wg.Go(func() {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		b := make([]byte, 40_000)
		for sent, total := 0, r.IntN(300_000); sent < total; {
			n := 1 + r.IntN(len(b))
			for i := range n {
				b[i] = at(seed, sent+i)
			}
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
			sent += n
		}
		switch w, ok := c.(interface{ CloseWrite() error }); {
		case r.IntN(4) == 0:
			_ = c.Close()
		case ok:
			_ = w.CloseWrite()
		}
	})
	r := rand.New(rand.NewPCG(uint64(seed), 3))
	b := make([]byte, 100_000)
	for got := 0; ; {
		n, err := c.Read(b[:1+r.IntN(len(b))])
		for i := range n {
			if b[i] != at(seed, got+i) {
				t.Errorf("client %d: byte %d differs", seed, got+i)
				err = io.ErrUnexpectedEOF
				break
			}
		}
		got += n
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("client %d hangs after %d bytes", seed, got)
		}
		if err != nil {
			break
		}
	}
	_ = c.Close()
	wg.Wait()
}

func TestRandomLives(t *testing.T) {
	tunings := []tuning{defaultTuning(), {entries: 2, buffers: 4, bufferSize: 500}}
	for i, tn := range tunings {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			g := startGroup(t, transport.Config{Loops: 2, MaxInput: 10_000}, tn)
			var open atomic.Int32
			var seed atomic.Uint64
			a := acceptFunc(func(c transport.Conn) transport.Session {
				open.Add(1)
				s := &wayward{t: t, c: c, r: rand.New(rand.NewPCG(seed.Add(1), 1)), open: &open}
				s.timer.Do = s
				s.whim()
				return s
			})
			addrs := []net.Addr{serve(t, g, "127.0.0.1:0", a), serve(t, g, "unix:"+t.TempDir()+"/s", a)}
			var wg sync.WaitGroup
			for k := range 40 {
				wg.Go(func() {
					for j := range 10 {
						waywardClient(t, addrs[(k+j)%2], k*100+j)
					}
				})
			}
			wg.Wait()
			deadline := time.Now().Add(patience)
			for open.Load() != 0 && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond) // the pause of a poll
			}
			for _, l := range g.loops {
				run(l, func() {
					if l.Buffers() != 0 || l.conns.used != 0 || l.wheel.Len() != 0 {
						t.Errorf("%d buffers, %d connections, %d timers are left", l.Buffers(), l.conns.used, l.wheel.Len())
					}
				})
			}
		})
	}
}

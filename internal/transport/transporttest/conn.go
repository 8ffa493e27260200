package transporttest

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/transport"
)

// dialError dials and closes at once: only the error matters.
func dialError(addr net.Addr) (bool, error) {
	c, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		return false, err
	}
	return true, c.Close()
}

func addresses(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	type pair struct{ remote, local netip.AddrPort }
	for _, host := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		got := make(chan pair, 1)
		l, err := net.Listen("tcp", host)
		if err != nil {
			if host == "[::1]:0" {
				continue // a machine without IPv6
			}
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr)
		if err := h.group.Listen(transport.Listener{L: l}, probes(t, func(p *probe) {
			got <- pair{p.conn.Remote(), p.conn.Local()}
			p.echo()
		})); err != nil {
			t.Fatal(err)
		}
		if addr.IP.IsUnspecified() {
			addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: addr.Port}
		}
		c := dial(t, addr)
		c.roundTrip()
		p := within(t, got, "the connection is accepted")
		if want := addrPort(t, c.LocalAddr()); p.remote != want {
			t.Errorf("%s: Remote() = %v, want %v", host, p.remote, want)
		}
		if want := addrPort(t, c.RemoteAddr()); p.local != want {
			t.Errorf("%s: Local() = %v, want %v", host, p.local, want)
		}
	}
}

// addrPort is a without the IPv4-in-IPv6 form: a client's address must not depend on how the server listens.
func addrPort(t *testing.T, a net.Addr) netip.AddrPort {
	t.Helper()
	p := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func unixSocket(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{Loops: 2})
	addr := h.listen("unix:"+socketPath(t), probes(t, func(p *probe) {
		if p.conn.Remote().IsValid() || p.conn.Local().IsValid() {
			t.Errorf("addresses of a Unix socket: %v, %v", p.conn.Remote(), p.conn.Local())
		}
		p.echo()
	}))
	c := dial(t, addr)
	for range 100 {
		c.roundTrip()
	}
	c.closeWrite()
	c.expectEnd()
}

func idsAreUnique(t *testing.T, newGroup NewGroup) {
	var (
		mu   sync.Mutex
		seen = map[uint64]bool{}
	)
	a := probes(t, func(p *probe) {
		mu.Lock()
		defer mu.Unlock()
		if seen[p.conn.ID()] {
			t.Errorf("id %d came twice", p.conn.ID())
		}
		seen[p.conn.ID()] = true
		p.echo()
	})
	// Two groups of one process.
	for range 2 {
		h := start(t, newGroup, transport.Config{Loops: 2})
		addr := h.serve(a)
		for i := range 30 {
			c := dial(t, addr)
			c.roundTrip()
			if i%2 == 0 {
				_ = c.Close()
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 60 {
		t.Errorf("%d ids, want 60", len(seen))
	}
}

// expectBuffers waits until the connections of l hold n pooled buffers.
func expectBuffers(t *testing.T, l transport.Loop, n int) {
	t.Helper()
	b, ok := l.(transport.Buffered)
	if !ok {
		t.Fatalf("a %T does not tell how many buffers it holds", l)
	}
	eventually(t, "the number of buffers held by connections", func() bool {
		var have int
		on(t, l, func() { have = b.Buffers() })
		return have == n
	})
}

func idleHoldsNoBuffer(t *testing.T, newGroup NewGroup) {
	h := start(t, newGroup, transport.Config{})
	reserved := make(chan struct{}, 1)
	addr := h.serve(probes(t, func(p *probe) {
		p.data = func(p *probe, in []byte) int {
			switch {
			case in[0] == 'K' && len(in) < 2:
				return 0 // kept
			case in[0] == 'R':
				_ = append(p.conn.Reserve(100), "thought better of it"...)
				reserved <- struct{}{}
				return len(in)
			}
			p.write(in)
			return len(in)
		}
	}))
	l := h.group.Loops()[0]
	clients := make([]*client, 0, 50)
	for range 50 {
		c := dial(t, addr)
		c.roundTrip()
		clients = append(clients, c)
	}
	expectBuffers(t, l, 0)
	// Unread input is held in one, until it is consumed.
	clients[0].send([]byte("K"))
	expectBuffers(t, l, 1)
	clients[0].send([]byte("K"))
	clients[0].expect("KK")
	expectBuffers(t, l, 0)
	// A reservation that was not used is none.
	clients[0].send([]byte("R"))
	within(t, reserved, "the session reserves")
	expectBuffers(t, l, 0)
	clients[1].send([]byte("K"))
	expectBuffers(t, l, 1)
	clients[1].reset()
	expectBuffers(t, l, 0)
	for _, c := range clients[2:] {
		_ = c.SetDeadline(time.Now().Add(patience))
		c.roundTrip()
	}
}

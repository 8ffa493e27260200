package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A crowd is many connections to one server. They are held by processes of their own, this test binary started again
// with crowdEnv set, because descriptors are limited for each process and ports for each source address.
type crowd struct {
	t       testing.TB
	holders []*holder
}

// crowdEnv makes the test binary a holder: its value is a crowdOrder.
const crowdEnv = "COVET_TEST_CROWD"

// crowdOrder is what a holder does.
type crowdOrder struct {
	Addr   string `json:"addr"`
	Source int    `json:"source"` // the number of the first address that connections come from: see source
	Count  int    `json:"count"`
	// Request is sent on every connection once it is open, and its answer awaited; empty for none.
	Request string `json:"request"`
}

// crowdOpened is the first line that a holder prints: what became of its connections.
type crowdOpened struct {
	Open    int     `json:"open"`
	Failed  int     `json:"failed"`
	First   string  `json:"first"` // the first failure
	Seconds float64 `json:"seconds"`
}

// crowdServed is what a holder prints after each "N\n" on its standard input, which makes it send N requests on every
// connection, one after the other on each and all connections at the same time.
type crowdServed struct {
	Answered int           `json:"answered"`
	Failed   int           `json:"failed"`
	First    string        `json:"first"`
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	Max      time.Duration `json:"max"`
}

type holder struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// eachHolder is how many connections a holder holds at most: some descriptors are for itself.
func eachHolder() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 500
	}
	return int(min(l.Max-100, 20_000))
}

// gather opens n connections to s, from as many processes as they need.
func gather(t testing.TB, s *server, n int, request string) (*crowd, crowdOpened) {
	t.Helper()
	c := &crowd{t: t}
	t.Cleanup(c.leave)
	for n > 0 {
		order := crowdOrder{Addr: s.Addr, Source: s.sources, Count: min(n, eachHolder()), Request: request}
		n -= order.Count
		s.sources += (order.Count + eachSource - 1) / eachSource
		text, err := json.Marshal(order)
		if err != nil {
			t.Fatal(err)
		}
		h := &holder{cmd: exec.Command(os.Args[0])}
		h.cmd.Env = append(os.Environ(), crowdEnv+"="+string(text))
		h.cmd.Stderr = os.Stderr
		if h.in, err = h.cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := h.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		h.out = json.NewDecoder(out)
		if err := h.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c.holders = append(c.holders, h)
	}
	var all crowdOpened
	for _, h := range c.holders {
		var o crowdOpened
		if err := h.out.Decode(&o); err != nil {
			t.Fatalf("a holder of connections ended: %v", err)
		}
		all.Open += o.Open
		all.Failed += o.Failed
		all.Seconds = max(all.Seconds, o.Seconds)
		if all.First == "" {
			all.First = o.First
		}
	}
	return c, all
}

// ask sends n requests on every connection.
func (c *crowd) ask(n int) crowdServed {
	c.t.Helper()
	for _, h := range c.holders {
		if _, err := fmt.Fprintln(h.in, n); err != nil {
			c.t.Fatal(err)
		}
	}
	var all crowdServed
	for _, h := range c.holders {
		var s crowdServed
		if err := h.out.Decode(&s); err != nil {
			c.t.Fatalf("a holder of connections ended: %v", err)
		}
		all.Answered += s.Answered
		all.Failed += s.Failed
		all.P50, all.P99, all.Max = max(all.P50, s.P50), max(all.P99, s.P99), max(all.Max, s.Max)
		if all.First == "" {
			all.First = s.First
		}
	}
	return all
}

// leave ends all connections at once, without a word.
func (c *crowd) leave() {
	for _, h := range c.holders {
		_ = h.cmd.Process.Kill()
	}
	for _, h := range c.holders {
		_ = h.cmd.Wait()
	}
	c.holders = nil
}

func TestMain(m *testing.M) {
	if text := os.Getenv(crowdEnv); text != "" {
		if err := hold(text); err != nil {
			fmt.Fprintln(os.Stderr, "crowd:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// eachSource is how many connections come from one address: far fewer than there are ports, since those of the last
// crowd are still in TIME_WAIT.
const eachSource = 4000

// source is the k-th address of loopback for clients.
func source(k int) *net.TCPAddr {
	return &net.TCPAddr{IP: net.IPv4(127, 1, byte(k/250), byte(k%250+1))}
}

// bindLater lets connect choose the port, when it knows the whole connection (ip(7), IP_BIND_ADDRESS_NO_PORT): bind
// would have to find one that is free towards everybody.
func bindLater(_, _ string, c syscall.RawConn) error {
	const ipBindAddressNoPort = 24
	var err error
	if e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
	}); e != nil {
		return e
	}
	return err
}

// dialers is how many connections a holder opens at the same time.
const dialers = 256

// hold is the life of a holder.
func hold(text string) error {
	var order crowdOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	begin := time.Now()
	conns := make([]net.Conn, order.Count)
	errs := make([]error, order.Count)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range dialers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(conns); i = int(next.Add(1)) - 1 {
				d := net.Dialer{Timeout: patience, LocalAddr: source(order.Source + i/eachSource), Control: bindLater}
				conns[i], errs[i] = d.Dial("tcp", order.Addr)
				if errs[i] == nil && order.Request != "" {
					errs[i] = exchange(conns[i], order.Request)
				}
			}
		})
	}
	wg.Wait()
	opened := crowdOpened{Seconds: time.Since(begin).Seconds()}
	for _, err := range errs {
		switch {
		case err == nil:
			opened.Open++
		case opened.First == "":
			opened.First = err.Error()
			fallthrough
		default:
			opened.Failed++
		}
	}
	if err := out.Encode(opened); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		n, err := strconv.Atoi(in.Text())
		if err != nil {
			return err
		}
		if err := out.Encode(askAll(conns, order.Request, n)); err != nil {
			return err
		}
	}
	return in.Err()
}

// askAll sends n requests on each of the connections and measures each answer.
func askAll(conns []net.Conn, request string, n int) (s crowdServed) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var times []time.Duration
	for _, c := range conns {
		if c == nil {
			continue
		}
		wg.Go(func() {
			own := make([]time.Duration, 0, n)
			var err error
			for range n {
				begin := time.Now()
				if err = exchange(c, request); err != nil {
					break
				}
				own = append(own, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, own...)
			if err != nil {
				s.Failed++
				if s.First == "" {
					s.First = err.Error()
				}
			}
		})
	}
	wg.Wait()
	s.Answered = len(times)
	if len(times) > 0 {
		slices.Sort(times)
		s.P50, s.P99, s.Max = times[len(times)/2], times[len(times)*99/100], times[len(times)-1]
	}
	return s
}

// exchange sends a request and reads its answer, which must be a 200.
func exchange(c net.Conn, request string) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	r, err := http.ReadResponse(bufio.NewReaderSize(c, 1024), nil)
	if err != nil {
		return fmt.Errorf("receive head: %w", err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return fmt.Errorf("receive body: %w", err)
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", r.StatusCode)
	}
	return nil
}

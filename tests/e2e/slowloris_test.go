package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// attacker keeps connections busy in one phase with as little as it can (CVE-2007-6750 and its kin).
type attacker struct {
	phase string
	first string // what it sends at once
	then  string // what it sends a byte of now and then
	reads bool   // whether it reads responses at all
	// late says that its end takes longer than the short form waits: the rate of a body is averaged over seconds.
	late bool
	want string // the beginning of what it gets before the end
}

var attackers = []attacker{
	{phase: "silent", reads: true},
	{phase: "request line", first: "GET /", then: "a", reads: true, want: "HTTP/1.1 408"},
	{phase: "fields", first: "GET / HTTP/1.1\r\nHost: a\r\n", then: "X: y\r\n", reads: true, want: "HTTP/1.1 408"},
	{phase: "idle", first: "GET /users/1 HTTP/1.1\r\nHost: a\r\n\r\n", reads: true, want: "HTTP/1.1 200"},
	{phase: "small body", first: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab", reads: true, want: "HTTP/1.1 408"},
	{phase: "streamed body", first: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nab", reads: true, want: "HTTP/1.1 408"},
	{phase: "chunk", first: "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", reads: true, want: "HTTP/1.1 408"},
	{phase: "slow body", first: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", then: "b", reads: true, late: true, want: "HTTP/1.1 408"},
	{phase: "never reads", first: strings.Repeat("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n", 2), then: "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n"},
}

// siege is a crowd of attackers.
type siege struct {
	t    testing.TB
	s    *server
	pace time.Duration
	stop chan struct{}
	all  sync.WaitGroup

	ended   []atomic.Int64 // by number of the attacker: connections that the server has ended
	longest []atomic.Int64 // the longest life of one, in nanoseconds
	wrong   atomic.Pointer[string]
}

// besiege starts n attackers, as many of each phase, evenly over a time: together they would be a storm, which is
// another test. Each opens a new connection when its last one is ended.
func besiege(t testing.TB, s *server, n int, pace, over time.Duration) *siege {
	g := &siege{t: t, s: s, pace: pace, stop: make(chan struct{}), ended: make([]atomic.Int64, n), longest: make([]atomic.Int64, n)}
	for i := range n {
		g.all.Go(func() {
			begin := time.NewTimer(over * time.Duration(i) / time.Duration(n))
			defer begin.Stop()
			select {
			case <-begin.C:
			case <-g.stop:
				return
			}
			for g.life(i, &attackers[i%len(attackers)]) {
			}
		})
	}
	return g
}

// life is one connection of attacker i; false means that the siege is over.
func (g *siege) life(i int, a *attacker) (again bool) {
	d := net.Dialer{Timeout: patience, LocalAddr: source(g.s.sources + i/eachSource), Control: bindLater}
	if !a.reads {
		d.Control = smallWindow
	}
	dialled, err := d.Dial("tcp", g.s.Addr)
	if err != nil {
		g.complain("%s: %v", a.phase, err)
		return false
	}
	conn := dialled.(*net.TCPConn)
	defer conn.Close()
	_ = conn.SetLinger(0)
	begin := time.Now()
	over := make(chan string, 1)
	if a.reads {
		go func() {
			got, _ := io.ReadAll(conn)
			over <- string(got)
		}()
	}
	if _, err := io.WriteString(conn, a.first); err != nil {
		g.complain("%s: %v", a.phase, err)
		return false
	}
	pace := time.NewTicker(g.pace)
	defer pace.Stop()
	for k := 0; ; k++ {
		select {
		case <-g.stop:
			return false
		case got := <-over:
			if !strings.HasPrefix(got, a.want) || a.want == "" && got != "" {
				g.complain("%s: received %q", a.phase, got)
				return false
			}
			g.end(i, begin)
			return true
		case <-pace.C:
			if a.then == "" {
				continue
			}
			// A client that does not read learns of the end by what it cannot send any more.
			if _, err := conn.Write([]byte{a.then[k%len(a.then)]}); err != nil && !a.reads {
				g.end(i, begin)
				return true
			}
		}
	}
}

// smallWindow keeps the kernel from reading in the client's place, before the connection tells how much it would.
func smallWindow(network, address string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
	}); e != nil {
		return e
	}
	return errors.Join(err, bindLater(network, address, c))
}

func (g *siege) end(i int, begin time.Time) {
	life := int64(time.Since(begin))
	if life > g.longest[i].Load() {
		g.longest[i].Store(life) // only attacker i writes it
	}
	g.ended[i].Add(1)
}

func (g *siege) complain(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	g.wrong.CompareAndSwap(nil, &text)
}

// awaitEnds waits until every attacker has been ended at least once; those that are late only if it is told to.
func (g *siege) awaitEnds(late bool) {
	g.t.Helper()
	await(g.t, "the server ends every slow connection", func() bool {
		if w := g.wrong.Load(); w != nil {
			g.t.Fatal(*w)
		}
		for i := range g.ended {
			if (late || !attackers[i%len(attackers)].late) && g.ended[i].Load() == 0 {
				return false
			}
		}
		return true
	})
}

// lift ends the siege and tells how long connections have lived, by phase.
func (g *siege) lift() {
	g.t.Helper()
	close(g.stop)
	g.all.Wait()
	if w := g.wrong.Load(); w != nil {
		g.t.Error(*w)
	}
	for p := range attackers {
		var longest time.Duration
		ends := int64(0)
		for i := p; i < len(g.ended); i += len(attackers) {
			longest = max(longest, time.Duration(g.longest[i].Load()))
			ends += g.ended[i].Load()
		}
		g.t.Logf("%-14s %5d connections ended by the server, the longest after %v", attackers[p].phase, ends, longest.Round(time.Millisecond))
	}
}

// visitorEnv makes TestVisitor an ordinary client: its value is an address and a number of requests.
const visitorEnv = "COVET_TEST_VISITOR"

// visit lets an ordinary client send n requests on one connection, one after the other, and returns the median and the
// 99th percentile of their times. The client is a process of its own, this test binary started again: it must not
// wait for the attackers' share of this one.
func visit(t testing.TB, s *server, n int) (p50, p99 time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestVisitor$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", visitorEnv, s.Addr, n))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("an ordinary client: %v: %s", err, out)
	}
	if _, err := fmt.Sscanf(string(out), "times %d %d", &p50, &p99); err != nil {
		t.Fatalf("an ordinary client says %q", out)
	}
	return p50, p99
}

// TestVisitor is the process of visit; on its own it does nothing.
func TestVisitor(t *testing.T) {
	var address string
	var n int
	if _, err := fmt.Sscan(os.Getenv(visitorEnv), &address, &n); err != nil {
		return
	}
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	times := make([]time.Duration, 0, n)
	for range n {
		_ = conn.SetDeadline(time.Now().Add(patience))
		begin := time.Now()
		if _, err := io.WriteString(conn, request("GET", "/users/1")); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != 200 {
			t.Fatalf("status %d, %v", r.StatusCode, err)
		}
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	fmt.Printf("times %d %d\n", times[n/2], times[n*99/100])
}

// cpu is the processor time that a process has used.
func cpu(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
	fields := strings.Fields(rest)
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux, whatever the kernel's own rate
	return time.Duration(user+system) * tick
}

// Slow clients in every phase are ended at their deadlines, and nobody else notices them. In the long form there are
// 5,000 of them, and an ordinary client's 99th percentile stays under twice that of the idle server.
func TestSoakSlowloris(t *testing.T) {
	n := allowed(t, soak(300, 5000))
	measured := os.Getenv("COVET_SOAK") != ""
	deadline, pace, visits := 500*time.Millisecond, 50*time.Millisecond, 300
	if measured {
		deadline, pace, visits = 10*time.Second, 2*time.Second, 20_000
	}
	bound := deadline.String()
	for _, transport := range []string{"uring", "epoll", "net"} {
		t.Run(transport, func(t *testing.T) {
			s := start(t, raw, "--transport", transport, "--workers", "2", "--head-timeout", bound, "--body-timeout", bound,
				"--keep-alive-timeout", bound, "--write-timeout", bound)
			pid := s.status().PID
			visit(t, s, visits) // warm-up
			const rounds = 5
			middle := func() (p50, p99 time.Duration) {
				var p50s, p99s []time.Duration
				for range rounds {
					a, b := visit(t, s, visits)
					p50s, p99s = append(p50s, a), append(p99s, b)
				}
				slices.Sort(p50s)
				slices.Sort(p99s)
				return p50s[rounds/2], p99s[rounds/2]
			}
			idle50, idle99 := middle()
			before := memory(t, pid)
			begin, used := time.Now(), cpu(t, pid)
			g := besiege(t, s, n, pace, deadline)
			g.awaitEnds(measured)
			busy50, busy99 := middle()
			grown := memory(t, pid) - before
			share := 100 * (cpu(t, pid) - used).Seconds() / time.Since(begin).Seconds()
			g.lift()
			t.Logf("%d slow connections: an ordinary client's p50 %v → %v, p99 %v → %v; engine memory +%d KiB, %.0f%% of a core",
				n, idle50, busy50, idle99, busy99, grown>>10, share)
			if measured && busy99 >= 2*idle99 {
				t.Errorf("p99 under attack is %v, idle %v", busy99, idle99)
			}
			if grown > 256<<20 {
				t.Errorf("the engine has grown by %d MiB", grown>>20)
			}
			visit(t, s, visits)
		})
	}
}

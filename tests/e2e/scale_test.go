package e2e

import (
	"syscall"
	"testing"
	"time"
)

// allowed is how many connections of n the server can hold under this machine's limit of open files.
func allowed(t *testing.T, n int) int {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	const own = 100 // what the server needs for itself
	if most := int(min(l.Max, 1<<30)) - own; n > most {
		t.Logf("this machine allows %d descriptors a process: %d connections instead of %d", l.Max, most, n)
		return most
	}
	return n
}

// A storm of connections arrives, is served, stays idle, leaves at once, and comes again.
func TestScaleIdle(t *testing.T) {
	n := allowed(t, soak(2000, 100_000))
	for _, transport := range []string{"uring", "epoll"} {
		t.Run(transport, func(t *testing.T) {
			s := start(t, faults, "--workers", "1", "--transport", transport, "--keep-alive-timeout", "1h")
			l := startLoad(t, s, 64, request("GET", "/users/1"))
			l.awaitMore(t, 5000)
			l.finish()
			s.get("/users/7") // its connection stays
			pid := s.status().PID
			before, files := memory(t, pid), descriptors(t, pid)
			for _, round := range []string{"first", "second"} {
				c, opened := gather(t, s, n, request("GET", "/users/1"))
				if opened.Failed > 0 || opened.Open != n {
					t.Fatalf("%s storm: %d connections are open, %d failed: %s", round, opened.Open, opened.Failed, opened.First)
				}
				grown := memory(t, pid) - before
				t.Logf("%s storm: %d connections, each with a request, in %.2f s; %d bytes of engine memory each",
					round, n, opened.Seconds, grown/int64(n))
				if per := grown / int64(n); n >= 10_000 && per > 2<<10 {
					t.Errorf("an idle connection holds %d bytes", per)
				}
				if a := s.get("/users/7"); a.Status != 200 {
					t.Errorf("one more client gets %d", a.Status)
				}
				c.leave()
				await(t, "descriptors are back", func() bool { return descriptors(t, pid) <= files })
			}
		})
	}
}

// Many connections are busy at the same time: each is answered, and in turn.
func TestScaleBusy(t *testing.T) {
	n := allowed(t, soak(500, 20_000))
	s := start(t, faults, "--workers", "2", "--queue", "40000")
	c, opened := gather(t, s, n, request("GET", "/users/1"))
	if opened.Failed > 0 {
		t.Fatalf("%d of %d connections failed: %s", opened.Failed, n, opened.First)
	}
	each := soak(4, 10)
	begin := time.Now()
	served := c.ask(each)
	t.Logf("%d connections × %d requests in %.1f s: p50 %v, p99 %v, longest %v", n, each, time.Since(begin).Seconds(),
		served.P50, served.P99, served.Max)
	if served.Failed > 0 || served.Answered != n*each {
		t.Errorf("%d answers of %d; %d connections failed: %s", served.Answered, n*each, served.Failed, served.First)
	}
}

// A storm over the limit of connections: those that are refused see it at once, the others are served.
func TestScaleOverTheLimit(t *testing.T) {
	const limit, n = 200, 500
	for _, transport := range []string{"uring", "epoll", "net"} {
		t.Run(transport, func(t *testing.T) {
			s := start(t, faults, "--workers", "1", "--transport", transport, "--max-connections", "200")
			c, opened := gather(t, s, n, request("GET", "/users/1"))
			if opened.Open != limit || opened.Failed != n-limit {
				t.Errorf("%d connections were served and %d refused, for a limit of %d: %s", opened.Open, opened.Failed, limit, opened.First)
			}
			c.leave()
			await(t, "the server takes new connections", func() bool {
				c, opened := gather(t, s, 1, request("GET", "/users/1"))
				defer c.leave()
				return opened.Open == 1
			})
		})
	}
}

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// load keeps connections busy until it is stopped, and counts what became of every single request: unlike a
// general load generator it tells a reset from a close, and never retries.
type load struct {
	stop chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	status map[int]int
	broken []string // connections that ended otherwise than by the server's own announcement
}

// startLoad opens n connections that send the request, or several in a row, again and again.
func startLoad(t testing.TB, s *server, n int, request string) *load {
	t.Helper()
	l := &load{stop: make(chan struct{}), status: map[int]int{}}
	for range n {
		l.done.Add(1)
		go func() {
			defer l.done.Done()
			for !l.stopped() {
				if err := l.converse(s.Addr, request); err != nil {
					l.mu.Lock()
					l.broken = append(l.broken, err.Error())
					l.mu.Unlock()
				}
			}
		}()
	}
	return l
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// converse uses one connection until the load stops or the server announces its end.
func (l *load) converse(addr, request string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for !l.stopped() {
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, request); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		for range strings.Count(request, " HTTP/1.1\r\n") {
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				return fmt.Errorf("receive head: %w", err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return fmt.Errorf("receive body: %w", err)
			}
			l.mu.Lock()
			l.status[r.StatusCode]++
			l.mu.Unlock()
			if r.Close {
				return nil
			}
		}
	}
	return nil
}

// total is how many requests have been answered so far.
func (l *load) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, c := range l.status {
		n += c
	}
	return n
}

// awaitMore waits until n more requests have been answered.
func (l *load) awaitMore(t testing.TB, n int) {
	t.Helper()
	want := l.total() + n
	await(t, fmt.Sprintf("%d requests are answered", want), func() bool { return l.total() >= want })
}

// finish stops the load and returns the counts by status.
func (l *load) finish() (status map[int]int, broken []string) {
	close(l.stop)
	l.done.Wait()
	return maps.Clone(l.status), l.broken
}

func request(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: test\r\n\r\n"
}

package conformance

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/engine"
)

// A flood is a request without end: SECURITY-CASES, "Exhaustion".
type floodCase struct {
	name   string
	from   string
	head   string // sent first
	repeat string // then this, so many times
	times  int
	tail   string
	status int
}

var floods = []floodCase{
	{"100,000 tiny fields", "RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\n", "a: b\r\n", 100_000, "\r\n", 431},
	{"100,000 fields without values", "RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\n", "a:\r\n", 100_000, "\r\n", 431},
	{"a field of 10 MB", "RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\nX: ", strings.Repeat("y", 1000), 10_000, "\r\n\r\n", 431},
	{"a name of 10 MB", "RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\n", strings.Repeat("X", 1000), 10_000, ": y\r\n\r\n", 431},
	{"a path of 10 MB", "RFC 9112 §3", "GET /", strings.Repeat("a", 1000), 10_000, " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
	{"a path of escapes", "RFC 9112 §3", "GET /", "%61", 1_000_000, " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
	{"a path of dot segments", "RFC 9112 §3", "GET ", "/a/..", 1_000_000, " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
	{"1,000,000 query keys", "RFC 9112 §3", "GET /?", "k=v&", 1_000_000, " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
	{"a method of 10 MB", "RFC 9112 §3", "", strings.Repeat("A", 1000), 10_000, " / HTTP/1.1\r\nHost: a\r\n\r\n", 414},
	{"100,000 cookies in one field", "RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b", "; k=v", 100_000, "\r\n\r\n", 431},
	{"100,000 cookie fields", "RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\n", "Cookie: k=v\r\n", 100_000, "\r\n", 431},
	{"an Authorization of 1 MB of dots", "Go CVE-2025-30204", "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ", strings.Repeat(".", 1000), 1000, "\r\n\r\n", 431},
	{"100,000 trailer fields", "RFC 6585 §5", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "a: b\r\n", 100_000, "\r\n", 431},
	{"1,000,000 extensions", "RFC 9112 §7.1.1; Go CVE-2023-39326", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1", ";a=b", 1_000_000, "\r\nx\r\n0\r\n\r\n", 400},
	{"100,000 chunks with extensions", "RFC 9112 §7.1.1; Go CVE-2023-39326", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1;aaaaaaaaaaaaaaaa\r\nx\r\n", 100_000, "0\r\n\r\n", 400},
	{"1,000,000 chunks of one byte", "RFC 9112 §7.1", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 1_000_000, "0\r\n\r\n", 413},
	{"leading zeros of a chunk size", "RFC 9112 §7.1", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "0", 1_000_000, "1\r\nx\r\n0\r\n\r\n", 400},
	{"empty lines", "RFC 9112 §2.2", "", "\r\n", 1_000_000, good, 400},
	{"ten thousand Connection options", "RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x", ",x", 10_000, "\r\n\r\n", 431},
}

// send writes the flood until the server does not take any more of it.
func (f *floodCase) send(conn net.Conn) error {
	piece := strings.Repeat(f.repeat, max(1, min(f.times, 32<<10/len(f.repeat))))
	if _, err := io.WriteString(conn, f.head); err != nil {
		return err
	}
	for left := f.times * len(f.repeat); left > 0; left -= len(piece) {
		if len(piece) > left {
			piece = piece[:left]
		}
		if _, err := io.WriteString(conn, piece); err != nil {
			return err
		}
	}
	_, err := io.WriteString(conn, f.tail)
	return err
}

// Requests without end are refused at their limit, with little memory, while others are served.
func TestFloods(t *testing.T) {
	for _, kind := range transports(t) {
		t.Run(kind, func(t *testing.T) {
			s := serve(t, kind, engine.Config{Limits: limits, LingerTimeout: 200 * time.Millisecond}, newProbe)
			stop := ordinary(t, s)
			before := sysMemory()
			var all sync.WaitGroup
			for i := range floods {
				f := &floods[i]
				for range 4 {
					all.Go(func() {
						k, err := s.dial()
						if err != nil {
							t.Error(err)
							return
						}
						defer k.end()
						sent := make(chan error, 1)
						go func() { sent <- f.send(k) }()
						got, err := io.ReadAll(k)
						var timeout interface{ Timeout() bool }
						if errors.As(err, &timeout) && timeout.Timeout() {
							t.Errorf("%s: the connection does not end; received %q", f.name, got)
						}
						k.end()
						<-sent
						if r, rest, err := readResponse(got, ""); err != nil || r.status != f.status || len(rest) > 0 {
							t.Errorf("%s: %v, want %d, received %q", f.name, err, f.status, got)
						}
						for _, c := range k.link.all() {
							if c.complete {
								t.Errorf("%s: the handler saw a complete request", f.name)
							}
						}
					})
				}
			}
			all.Wait()
			if n := stop(); n == 0 {
				t.Error("nobody else was served meanwhile")
			}
			// Over a hundred megabytes were sent; what the server may keep of them is its limits for each connection.
			const allowed = 48 << 20
			if grown := sysMemory() - before; grown > allowed {
				t.Errorf("the process has grown by %d MiB", grown>>20)
			}
		})
	}
}

// sysMemory is what the process has from the system for its Go memory; buffers of the loops are not part of it.
func sysMemory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

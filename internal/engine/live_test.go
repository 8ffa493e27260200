package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
)

// kinds are the transports that this machine has.
func kinds(t testing.TB) (all []string) {
	for _, k := range []string{"uring", "epoll", "net"} {
		s, err := New(Config{Transport: k, Logger: slog.New(slog.DiscardHandler)}, &app{})
		if err != nil {
			t.Logf("not here: %v", err)
			continue
		}
		s.Close()
		all = append(all, k)
	}
	if len(all) == 0 {
		t.Fatal("no transport at all")
	}
	return all
}

// serveOn starts a server on a loopback port.
func serveOn(t testing.TB, kind string, h message.Handler) (s *Server, address string) {
	t.Helper()
	s, err := New(Config{Transport: kind, Logger: slog.New(slog.DiscardHandler)}, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	l, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := s.Listen(l); err != nil {
		t.Fatal(err)
	}
	return s, address
}

func TestLive(t *testing.T) {
	for _, kind := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			s, address := serveOn(t, kind, &app{t: t})
			if s.Kind() != kind {
				t.Errorf("kind %q", s.Kind())
			}
			client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
			defer client.CloseIdleConnections()
			large := strings.Repeat("0123456789abcdef", 40<<10) // 640 KiB
			for _, c := range []struct{ name, method, path, body, want string }{
				{"get", "GET", "/hello", "", "hello"},
				{"later", "GET", "/later?7", "", "later 7"},
				{"whole", "POST", "/echo", "ping", "whole:ping"},
				{"streamed in", "POST", "/echo", large, "streamed:" + large},
				{"streamed in with pauses", "POST", "/pieces", large, "streamed:" + large},
				{"both ways", "POST", "/duplex", large, strings.ToUpper(large)},
				{"streamed out", "GET", "/flood", "", strings.Repeat("f", 1<<20)},
				{"big", "GET", "/big", "", strings.Repeat("b", 300<<10)},
				{"chunks", "GET", "/stream", "", "onetwo"},
				{"early", "POST", "/early", strings.Repeat("x", 100<<10), "early"},
				{"again", "GET", "/hello", "", "hello"},
			} {
				for _, chunked := range []bool{false, true} {
					var body io.Reader = strings.NewReader(c.body)
					if chunked {
						body = io.MultiReader(body) // hides the length
					}
					req, err := http.NewRequest(c.method, "http://"+address+c.path, body)
					if err != nil {
						t.Fatal(err)
					}
					res, err := client.Do(req)
					if err != nil {
						t.Fatalf("%s: %v", c.name, err)
					}
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					want := c.want
					if chunked && c.name == "whole" && bytes.HasPrefix(got, []byte("streamed:")) {
						want = "streamed:ping" // depends on how the bytes arrive
					}
					if err != nil || string(got) != want {
						t.Errorf("%s, chunked %v: %d bytes (%.40q), want %d; %v", c.name, chunked, len(got), got, len(want), err)
					}
				}
			}
		})
	}
}

// A client that sends far more than is wanted still reads the response: no reset destroys it.
func TestLiveUnwantedUpload(t *testing.T) {
	for _, kind := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			_, address := serveOn(t, kind, &app{t: t})
			c := dial(t, address)
			const size = 4 << 20
			fmt.Fprintf(c, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if err != nil || !strings.HasSuffix(string(got), "early") || !strings.Contains(string(got), "connection: close") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestLivePipelining(t *testing.T) {
	for _, kind := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			_, address := serveOn(t, kind, &app{t: t})
			c := dial(t, address)
			const n = 600 // more than one batch
			var all strings.Builder
			for i := range n {
				path := "/target?"
				if i%7 == 0 {
					path = "/later?"
				}
				fmt.Fprintf(&all, "GET %s%d HTTP/1.1\r\nHost: a\r\n\r\n", path, i)
			}
			if _, err := io.WriteString(c, all.String()); err != nil {
				t.Fatal(err)
			}
			br := bufio.NewReader(c)
			for i := range n {
				res, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Fatalf("response %d: %v", i, err)
				}
				got, _ := io.ReadAll(res.Body)
				want := fmt.Sprintf("/target?%d", i)
				if i%7 == 0 {
					want = fmt.Sprintf("later %d", i)
				}
				if string(got) != want {
					t.Fatalf("response %d is %q", i, got)
				}
			}
		})
	}
}

// A drain lets the exchange in progress finish and then closes.
func TestLiveDrain(t *testing.T) {
	for _, kind := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			s, address := serveOn(t, kind, &app{t: t})
			busy, idle := dial(t, address), dial(t, address)
			for _, c := range []net.Conn{busy, idle} {
				io.WriteString(c, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
				if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
					t.Fatal(err)
				}
			}
			io.WriteString(busy, "POST /pieces HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- s.Drain(ctx) }()
			// The idle connection ends without anything being sent to it.
			if got, err := io.ReadAll(idle); len(got) != 0 || err != nil {
				t.Errorf("idle: %q, %v", got, err)
			}
			if _, err := busy.Write(make([]byte, 100_000)); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(busy), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(res.Body); len(got) != 100_000+len("streamed:") || !res.Close {
				t.Errorf("%d bytes, close %v", len(got), res.Close)
			}
			busy.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if _, err := net.DialTimeout("tcp", address, time.Second); err == nil {
				t.Error("still listening")
			}
		})
	}
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

// plain answers what the plaintext benchmarks ask for.
type plain struct{ body []byte }

func (p plain) Serve(x *message.Exchange) {
	x.Response.Type, x.Response.Body = message.ContentText, p.body
	x.Stream.Respond(x)
}

// round sends requests on c and reads as many bytes as their answers have.
type round struct {
	c        net.Conn
	send, in []byte
}

func newRound(t testing.TB, address string, deep int) *round {
	r := &round{c: dial(t, address)}
	r.c.SetDeadline(time.Time{})
	one := "GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
	io.WriteString(r.c, one)
	br := bufio.NewReader(r.c)
	size := 0
	for { // the head, with its fixed size
		line, err := br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		size += len(line)
		if line == "\r\n" {
			break
		}
	}
	body := make([]byte, len("Hello, World!"))
	if _, err := io.ReadFull(br, body); err != nil || string(body) != "Hello, World!" {
		t.Fatal(string(body), err)
	}
	r.send = []byte(strings.Repeat(one, deep))
	r.in = make([]byte, deep*(size+len(body)))
	return r
}

func (r *round) do(t testing.TB) {
	if _, err := r.c.Write(r.send); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r.c, r.in); err != nil {
		t.Fatal(err)
	}
}

func TestPlaintextAllocatesNothing(t *testing.T) {
	for _, kind := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			_, address := serveOn(t, kind, plain{[]byte("Hello, World!")})
			for _, deep := range []int{1, 16} {
				r := newRound(t, address, deep)
				for range 50 {
					r.do(t)
				}
				if n := testing.AllocsPerRun(300, func() { r.do(t) }); n > 0 {
					t.Errorf("%d requests in a round: %v allocations", deep, n)
				}
			}
		})
	}
}

func BenchmarkPlaintext(b *testing.B) {
	for _, kind := range kinds(b) {
		for _, deep := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/pipeline=%d", kind, deep), func(b *testing.B) {
				_, address := serveOn(b, kind, plain{[]byte("Hello, World!")})
				r := newRound(b, address, deep)
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					r.do(b)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*deep), "ns/request")
			})
		}
	}
}

// Idle connections hold no buffer of the transport.
func TestLiveIdleHoldsNothing(t *testing.T) {
	for _, kind := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			s, address := serveOn(t, kind, plain{[]byte("Hello, World!")})
			for range 50 {
				newRound(t, address, 1)
			}
			loop := s.Loops()[0]
			buffered, ok := loop.(transport.Buffered)
			if !ok {
				t.Fatal("the loop does not tell its buffers")
			}
			held := make(chan int)
			ask := &call{f: func() { held <- buffered.Buffers() }}
			ask.task.Do = ask
			// The loop may still be told that the last answer has been sent.
			for end := time.Now().Add(20 * time.Second); ; {
				loop.Post(&ask.task)
				n := <-held
				if n == 0 {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%d buffers", n)
				}
			}
			if st := s.Stats(); st.Exchanges != 0 || st.Open != 50 {
				t.Errorf("%d exchanges, %d connections", st.Exchanges, st.Open)
			}
		})
	}
}

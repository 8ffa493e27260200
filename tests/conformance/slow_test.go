package conformance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/engine"
	"github.com/covetpy/covet/internal/message"
)

// drip is the pace of slow clients: many of their bytes fit into every deadline of patientConfig, so that a deadline
// which starts anew with each byte never comes.
const drip = 20 * time.Millisecond

// patientConfig has deadlines short enough to wait for.
var patientConfig = engine.Config{
	Limits:      limits,
	HeadTimeout: 300 * time.Millisecond, BodyTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond,
	WriteTimeout: 400 * time.Millisecond, LingerTimeout: 300 * time.Millisecond, HandlerTimeout: 2 * patience,
	MinRate: 1000, // far more than one byte every drip
}

// slow is a client that keeps a connection busy with as little as it can.
type slow struct {
	name string
	from string

	first string // what it sends at once
	then  string // what it sends a byte of every now and then, again and again
	// status is the response that must come before the end, 0 for none; statuses before it are those of complete requests.
	before []string
	status int
}

// slowClients are one for each phase of a connection: SECURITY-CASES, "one byte every 10 s"; CVE-2007-6750.
var slowClients = []slow{
	{name: "says nothing", from: "RFC 9112 §9.5"},
	{name: "empty line, and then silence", from: "RFC 9112 §2.2", first: "\r", status: 408},
	{name: "PRI and then silence", from: "SECURITY-CASES; Go CVE-2026-56853", first: "PRI", status: 408},
	{name: "request line", from: "RFC 9110 §15.5.9", first: "GET /", then: "a", status: 408},
	{name: "method", from: "RFC 9110 §15.5.9", first: "G", then: "E", status: 408},
	{name: "fields", from: "RFC 9110 §15.5.9; Slowloris", first: "GET / HTTP/1.1\r\nHost: a\r\n", then: "X-A: b\r\n", status: 408},
	{name: "value", from: "RFC 9110 §15.5.9; Slowloris", first: "GET / HTTP/1.1\r\nHost: a\r\nX: ", then: "y", status: 408},
	{name: "second request", from: "RFC 9110 §15.5.9", first: good + "GET /", then: "a", before: []string{"200"}, status: 408},
	{name: "idle", from: "RFC 9112 §9.5", first: good, before: []string{"200"}},
	{name: "silence in a small body", from: "RFC 9110 §15.5.9", first: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", status: 408},
	{name: "silence in a streamed body", from: "RFC 9110 §15.5.9", first: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nhe", status: 408},
	{name: "silence in a chunk", from: "RFC 9110 §15.5.9", first: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", status: 408},
	{name: "silence in a chunk size", from: "RFC 9110 §15.5.9", first: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5", status: 408},
	{name: "silence before the last chunk", from: "RFC 9110 §15.5.9", first: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", status: 408},
	{name: "silence after 100-continue", from: "RFC 9110 §10.1.1", first: "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", status: 408},
	{name: "body that nobody reads", from: "RFC 9112 §9.3", first: "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n", then: "b", before: []string{"401"}},
	{name: "bytes after a refusal", from: "RFC 9112 §9.6", first: "\x00", then: "b", status: 400},
	{name: "bytes after the end", from: "RFC 9112 §9.6", first: "GET /close HTTP/1.1\r\nHost: a\r\n\r\n", then: "b", before: []string{"200"}},

	{name: "small body", from: "SECURITY-CASES: one byte every 10 s in the body",
		first: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", then: "b", status: 408},
	{name: "streamed body", from: "SECURITY-CASES: one byte every 10 s in the body",
		first: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n", then: "b", status: 408},
	{name: "chunk size", from: "SECURITY-CASES: one byte every 10 s in the body",
		first: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", then: "1;a\r\nb\r\n", status: 408},
	{name: "trailer section", from: "SECURITY-CASES: one byte every 10 s in the body",
		first: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", then: "y", status: 408},
}

// run plays the client until the server ends the connection, for as long as give allows.
func (w *slow) run(k *client, give time.Duration) (got []byte, err error) {
	type end struct {
		got []byte
		err error
	}
	ended := make(chan end, 1)
	if err := k.SetReadDeadline(time.Now().Add(give)); err != nil {
		return nil, err
	}
	go func() {
		got, err := io.ReadAll(k)
		ended <- end{got, err}
	}()
	k.send([]byte(w.first))
	pace := time.NewTicker(drip)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case e := <-ended:
			return e.got, e.err
		case <-pace.C:
			if w.then != "" {
				_ = k.SetWriteDeadline(time.Now().Add(patience))
				k.send([]byte{w.then[i%len(w.then)]})
			}
		}
	}
}

// Each phase has its own deadline, which no drip of bytes moves; everyone else is served meanwhile.
func TestSlowClients(t *testing.T) {
	for _, kind := range transports(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := serve(t, kind, patientConfig, newProbe)
			stop := ordinary(t, s)
			type outcome struct {
				w   *slow
				err error
			}
			done := make(chan outcome)
			for i := range slowClients {
				w := &slowClients[i]
				k, err := s.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer k.end()
				go func() { done <- outcome{w, w.play(k, 2*patience)} }()
			}
			for range slowClients {
				o := <-done
				if o.err != nil {
					t.Errorf("%s: %v", o.w.name, o.err)
				}
				if os.Getenv("COVET_CONFORMANCE_VERBOSE") != "" {
					fmt.Printf("%-5s  slow: %s, %s  [%s]\n", map[bool]string{true: "ok", false: "FAIL"}[o.err == nil], o.w.name, kind, o.w.from)
				}
			}
			if n := stop(); n == 0 {
				t.Error("nobody else was served meanwhile")
			}
		})
	}
}

// play runs the client and judges what it got.
func (w *slow) play(k *client, give time.Duration) error {
	got, err := w.run(k, give)
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("the server does not end the connection; received %q", got)
	}
	// A reset is an end, too, after what was to be said.
	rest := got
	for _, want := range w.before {
		var r *response
		if r, rest, err = readResponse(rest, ""); err != nil || fmt.Sprint(r.status) != want {
			return fmt.Errorf("want %s first: %v, received %q", want, err, got)
		}
	}
	if w.status == 0 {
		if len(rest) > 0 {
			return fmt.Errorf("received %q", got)
		}
		return nil
	}
	r, rest, err := readResponse(rest, "")
	if err != nil || r.status != w.status || len(rest) > 0 || !r.connectionHas("close") {
		return fmt.Errorf("want %d and the end: %v, received %q", w.status, err, got)
	}
	return nil
}

// ordinary is a client that asks again and again until it is stopped. It fails the test when it is not answered.
func ordinary(t testing.TB, s *server) (stop func() (served int)) {
	t.Helper()
	k, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	quit, done := make(chan struct{}), make(chan int)
	go func() {
		defer k.end()
		served := 0
		defer func() { done <- served }()
		buf := make([]byte, 4096)
		for {
			select {
			case <-quit:
				return
			default:
			}
			_ = k.SetDeadline(time.Now().Add(patience))
			k.send([]byte(good))
			// A response of the probe fits into one segment.
			n, err := k.Read(buf)
			if err != nil || !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200") {
				t.Errorf("an ordinary client: %v, received %q", err, buf[:n])
				return
			}
			served++
		}
	}()
	return func() int {
		close(quit)
		return <-done
	}
}

// A client that never reads: its output is bounded and its connection ends when it has taken nothing for WriteTimeout,
// be it one endless response or the answers to endless requests.
func TestNeverReads(t *testing.T) {
	for _, kind := range transports(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/whole", "/endless"} {
				s := serve(t, kind, patientConfig, func(*links) message.Handler { return handlerFunc(flood) })
				k, err := s.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer k.end()
				if err := k.SetReadBuffer(4 << 10); err != nil {
					t.Fatal(err)
				}
				request := []byte("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
				_ = k.SetWriteDeadline(time.Now().Add(patience))
				for err == nil { // until the server has stopped reading, and then ends the connection
					_, err = k.Write(request)
				}
				var timeout interface{ Timeout() bool }
				if errors.As(err, &timeout) && timeout.Timeout() {
					t.Errorf("%s: the server does not end the connection", path)
				}
				if st := s.Stats(); st.WriteTimeouts != 1 {
					t.Errorf("%s: %d write timeouts", path, st.WriteTimeouts)
				}
				s.Close()
			}
		})
	}
}

// flood answers with far more than any buffer holds.
func flood(x *message.Exchange) {
	if string(x.Request.Bytes(x.Request.Path)) == "/whole" {
		x.Response.Body = make([]byte, 1<<20)
		x.Stream.Respond(x)
		return
	}
	f := &flooder{piece: make([]byte, 64<<10)}
	x.Receiver = f
	x.Stream.Start(x)
	f.Drained(x)
}

type flooder struct{ piece []byte }

func (f *flooder) Drained(x *message.Exchange) {
	for range 64 { // the kernel of a client that does read would take all of it: in turns
		if x.Stream.Write(x, f.piece) > 0 {
			return
		}
	}
	x.Stream.End(x)
}

func (f *flooder) BodyChunk(*message.Exchange, []byte) {}
func (f *flooder) BodyEnd(*message.Exchange, error)    {}
func (f *flooder) Gone(*message.Exchange)              {}
func (f *flooder) Expired(*message.Exchange)           {}

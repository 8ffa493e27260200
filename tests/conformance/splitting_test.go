package conformance

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/engine"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
)

// run serves an app on one kind of loops until the test ends, and returns its address.
func run(t testing.TB, kind string, routes func(app *covet.App)) (address string) {
	t.Helper()
	app := covet.New(covet.WithTransport(kind), covet.WithDrainTimeout(patience),
		covet.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	routes(app)
	l, err := transport.Open(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- app.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return address
}

// ask sends bytes on a new connection and returns everything that comes back. A server must end the connection.
func ask(t testing.TB, address, send string) []byte {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%v; received %q", err, got)
	}
	return got
}

// forged are texts that would split a response if they were sent as they are: RFC 9110 §5.5, RFC 9112 §11.1.
var forged = []string{
	"a\r\nX-Forged: 1", "a\nX-Forged: 1", "a\rX-Forged: 1", "a\x00b", "\r\n\r\nX-Forged", "a\r\n X-Forged", "a\r", "a\n",
	"\x00", "a\x0bX-Forged", "a\x7f", "a\x1b[31m", "a\r\n\r\nHTTP/1.1 200 OK\r\nX-Forged: 1\r\n\r\n",
}

// A handler that tries to send what would split the response gets a 500; nothing of it is sent, and the next request
// of the connection is answered.
func TestResponseSplitting(t *testing.T) {
	type attempt struct {
		name    string
		handler covet.Handler
	}
	var attempts []attempt
	add := func(name, value string, h covet.Handler) {
		attempts = append(attempts, attempt{fmt.Sprintf("%s %q", name, value), h})
	}
	for _, v := range forged {
		add("SetHeader value", v, func(c *covet.Ctx) error { c.SetHeader("x-a", v); return c.Text(200, "x") })
		add("AddHeader value", v, func(c *covet.Ctx) error { c.AddHeader("x-a", v); return c.Text(200, "x") })
		add("header name", "X-"+v, func(c *covet.Ctx) error { c.SetHeader("X-"+v, "1"); return c.Text(200, "x") })
		add("content type", v, func(c *covet.Ctx) error { return c.Bytes(200, v, []byte("x")) })
		add("location", v, func(c *covet.Ctx) error { return c.Redirect(302, "/"+v) })
		add("cookie value", v, func(c *covet.Ctx) error {
			c.SetCookie(&http.Cookie{Name: "a", Value: v})
			return c.Text(200, "x")
		})
		add("cookie name", v, func(c *covet.Ctx) error {
			c.SetCookie(&http.Cookie{Name: "a" + v, Value: "b"})
			return c.Text(200, "x")
		})
		add("cookie path", v, func(c *covet.Ctx) error {
			c.SetCookie(&http.Cookie{Name: "a", Value: "b", Path: "/" + v})
			return c.Text(200, "x")
		})
		add("cookie domain", v, func(c *covet.Ctx) error {
			c.SetCookie(&http.Cookie{Name: "a", Value: "b", Domain: v})
			return c.Text(200, "x")
		})
		add("header before a stream", v, func(c *covet.Ctx) error {
			c.SetHeader("x-a", v)
			return c.Stream(200, func(w io.Writer) error {
				_, err := io.WriteString(w, strings.Repeat("x", 100_000))
				return err
			})
		})
	}
	for _, name := range []string{"", " ", "X Y", "X:", ":", "X\t", "é", "X\xff", "(x)"} {
		add("header name", name, func(c *covet.Ctx) error { c.SetHeader(name, "1"); return c.Text(200, "x") })
	}
	for _, status := range []int{-1, 0, 99, 100, 101, 199, 1000, 100_000} {
		add("status", fmt.Sprint(status), func(c *covet.Ctx) error { return c.Text(status, "x") })
	}
	for _, kind := range transports(t) {
		t.Run(kind, func(t *testing.T) {
			address := run(t, kind, func(app *covet.App) {
				for i, a := range attempts {
					app.Get(fmt.Sprintf("/pooled/%d", i), a.handler)
					if !strings.HasPrefix(a.name, "header before a stream") {
						app.Get(fmt.Sprintf("/inline/%d", i), a.handler, covet.Inline())
					}
				}
				app.Get("/next", func(c *covet.Ctx) error { return c.Text(200, "next") })
			})
			for i, a := range attempts {
				for _, mode := range []string{"pooled", "inline"} {
					if mode == "inline" && strings.HasPrefix(a.name, "header before a stream") {
						continue
					}
					got := ask(t, address, fmt.Sprintf("GET /%s/%d HTTP/1.1\r\nHost: a\r\n\r\n", mode, i)+next)
					r, rest, err := readResponse(got, "GET")
					if err != nil || r.status != 500 || strings.Contains(strings.ToLower(string(got)), "forged") {
						t.Errorf("%s, %s: %v, received %q", a.name, mode, err, got)
						continue
					}
					if r, rest, err = readResponse(rest, "GET"); err != nil || r.body != "next" || len(rest) > 0 {
						t.Errorf("%s, %s: the request after: %v, received %q", a.name, mode, err, got)
					}
				}
			}
		})
	}
}

// The fields of an error, the interim responses and the trailer section are other ways to the wire.
func TestResponseSplittingBelow(t *testing.T) {
	for _, kind := range transports(t) {
		t.Run(kind, func(t *testing.T) {
			for _, v := range forged {
				taken := ""
				s := serve(t, kind, engine.Config{ServerName: v}, func(*links) message.Handler {
					return handlerFunc(func(x *message.Exchange) {
						r := &x.Response
						for name, took := range map[string]bool{
							"AddField value":      r.AddField("x-a", v),
							"AddField name":       r.AddField("x-"+v, "1"),
							"SetField value":      r.SetField("x-a", v),
							"SetField name":       r.SetField("x-"+v, "1"),
							"AddFieldBytes value": r.AddFieldBytes([]byte("x-a"), []byte(v)),
							"AddFieldBytes name":  r.AddFieldBytes([]byte("x-"+v), []byte("1")),
							"AddTrailer value":    r.AddTrailer("x-a", v),
							"AddTrailer name":     r.AddTrailer("x-"+v, "1"),
						} {
							if took {
								taken += name + "; "
							}
						}
						// Names to announce, and an offer, are lists: what is no token in them is left out.
						r.AddField("trailer", v)
						r.AddField("upgrade", v)
						x.Stream.Inform(x, 103)
						x.Stream.Start(x)
						x.Stream.Write(x, []byte("body"))
						r.AddTrailer("x-late", v)
						x.Stream.End(x)
					})
				})
				got := ask(t, s.address, next)
				if taken != "" {
					t.Errorf("%q is taken by %s", v, taken)
				}
				if r, rest, err := readResponse(got, "GET"); err != nil || r.body != "body" || len(rest) > 0 ||
					strings.Contains(strings.ToLower(string(got)), "forged") {
					t.Errorf("%q: %v, received %q", v, err, got)
				}
				s.Close()
			}
		})
	}
}

// An error's own fields pass through the same check.
func TestResponseSplittingByErrors(t *testing.T) {
	for _, kind := range transports(t) {
		t.Run(kind, func(t *testing.T) {
			for _, v := range forged {
				address := run(t, kind, func(app *covet.App) {
					app.Get("/next", func(*covet.Ctx) error {
						return &fault.Error{Code: fault.Forbidden, Message: v, Fields: [][2]string{{"x-a", v}, {"x-" + v, "1"}}}
					})
				})
				got := ask(t, address, next)
				r, rest, err := readResponse(got, "GET")
				if err != nil || len(rest) > 0 {
					t.Errorf("%q: %v, received %q", v, err, got)
					continue
				}
				for name, values := range r.fields {
					if strings.Contains(name+strings.Join(values, ""), "orged") {
						t.Errorf("%q: field %s: %q", v, name, values)
					}
				}
				// The message is quoted as JSON text: no byte of it is a control character.
				if i := strings.IndexFunc(r.body, func(c rune) bool { return c < ' ' || c == 0x7f }); i >= 0 && r.body[i] != 0x7f {
					t.Errorf("%q: the body is %q", v, r.body)
				}
			}
		})
	}
}

type handlerFunc func(x *message.Exchange)

func (f handlerFunc) Serve(x *message.Exchange) { f(x) }

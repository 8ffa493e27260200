package covet

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/transport"
)

func TestServe(t *testing.T) {
	for _, kind := range []string{"auto", "net"} {
		t.Run(kind, func(t *testing.T) {
			l := &logged{}
			a, _ := newTest(t, WithTransport(kind))
			a.set.log = newLogger(l)
			var order []string
			a.OnStart(func(context.Context) error { order = append(order, "start"); return nil })
			a.OnStop(func(context.Context) error { order = append(order, "stop"); return nil })
			a.Get("/inline", func(c *Ctx) error { return c.Text(200, "inline") }, Inline())
			a.Get("/pooled/{id}", func(c *Ctx) error { return c.Text(200, c.Param("id")) })
			a.Post("/echo", func(c *Ctx) error {
				return c.Stream(200, func(w io.Writer) error { _, err := io.Copy(w, c.BodyReader()); return err })
			})
			a.Get("/panic", func(*Ctx) error { panic("x") })
			open, err := transport.Open(t.Context(), "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			url := "http://" + open.Addr().String()
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- a.Serve(ctx, open) }()
			big := strings.Repeat("0123456789", 50_000)
			client := &http.Client{Transport: &http.Transport{}}
			for _, c := range []struct {
				method, path, body, want string
				status                   int
			}{
				{"GET", "/inline", "", "inline", 200}, {"GET", "/pooled/7", "", "7", 200}, {"POST", "/echo", big, big, 200},
				{"GET", "/panic", "", "internal_error", 500}, {"GET", "/none", "", "not_found", 404},
				{"OPTIONS", "/inline", "", "", 204}, {"GET", "/readyz", "", "ready", 200}, {"HEAD", "/inline", "", "", 200},
			} {
				r, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(r)
				if err != nil {
					t.Fatalf("%s: %v", c.path, err)
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != c.status || !strings.Contains(string(b), c.want) {
					t.Errorf("%s: %d, %d bytes, %v", c.path, resp.StatusCode, len(b), err)
				}
			}
			client.CloseIdleConnections()
			stop()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
			if !slices.Equal(order, []string{"start", "stop"}) || !strings.Contains(l.String(), "listening") {
				t.Errorf("hooks %q, log %s", order, l)
			}
			if conn, err := net.Dial("tcp", open.Addr().String()); err == nil {
				conn.Close()
				t.Error("it still listens")
			}
		})
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	a, _ := newTest(t)
	a.Get("bad", func(*Ctx) error { return nil })
	if err := a.Run("127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "run_test.go:") {
		t.Errorf("err = %v", err)
	}
	b, _ := newTest(t)
	if err := b.Run("127.0.0.1:99999"); err == nil {
		t.Error("a port of 99999 was taken")
	}
}

package covet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/message"
)

func TestStream(t *testing.T) {
	a, l := newTest(t)
	big := strings.Repeat("x", 3*streamChunk+7)
	a.Use(Middleware{After: func(c *Ctx, err error) error { c.SetHeader("x-after", fmt.Sprint(err)); return err }})
	a.Get("/small", func(c *Ctx) error {
		return c.Stream(201, func(w io.Writer) error { _, err := io.WriteString(w, "small"); return err })
	})
	a.Get("/big", func(c *Ctx) error {
		c.SetHeader("content-type", "text/big")
		return c.Stream(200, func(w io.Writer) error { _, err := io.WriteString(w, big); return err })
	})
	a.Get("/flush", func(c *Ctx) error {
		return c.Stream(200, func(w io.Writer) error {
			for range 3 {
				if _, err := io.WriteString(w, "tick "); err != nil {
					return err
				}
				if err := w.(Flusher).Flush(); err != nil {
					return err
				}
			}
			return nil
		})
	})
	a.Get("/early", func(c *Ctx) error {
		return c.Stream(200, func(w io.Writer) error {
			_, _ = io.WriteString(w, "never seen")
			return fault.New(fault.Conflict, "too bad")
		})
	})
	a.Get("/cut", func(c *Ctx) error {
		return c.Stream(200, func(w io.Writer) error { _, _ = io.WriteString(w, big); return errors.New("middle") })
	})
	a.Get("/loop", func(c *Ctx) error { return c.Stream(200, func(io.Writer) error { return nil }) }, Inline())
	a.Get("/replaced", func(c *Ctx) error {
		return c.Stream(200, func(w io.Writer) error { _, err := io.WriteString(w, big); return err })
	}, With(Middleware{After: func(c *Ctx, err error) error { return fault.New(fault.Gone, "") }}))
	a.Get("/redirected", func(c *Ctx) error {
		return c.Stream(200, func(w io.Writer) error { _, err := io.WriteString(w, big); return err })
	}, With(Middleware{After: func(c *Ctx, err error) error { return c.Redirect(302, "/x") }}))
	s := start(t, a)
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/redirected", "", 302},
		{"/small", "small", 201}, {"/big", big, 200}, {"/flush", "tick tick tick ", 200},
		{"/early", "too bad", 409}, {"/loop", "internal_error", 500}, {"/replaced", "gone", 410},
	} {
		got := ask(t, s, "GET", c.path, "")
		if got.status != c.status || got.err != nil || got.body != c.body && (c.status < 400 || !strings.Contains(got.body, c.body)) {
			t.Errorf("%s: %d %v, %d bytes", c.path, got.status, got.err, len(got.body))
		}
		if got.header.Get("X-After") == "" {
			t.Errorf("%s: After did not run before the head", c.path)
		}
	}
	if got := ask(t, s, "GET", "/cut", ""); got.err == nil {
		t.Errorf("a stream that failed looks complete: %d, %d bytes", got.status, len(got.body))
	}
	a.faults.wait()
	if !strings.Contains(l.String(), "middle") {
		t.Errorf("logged: %s", l)
	}
}

func TestBody(t *testing.T) {
	a, _ := newTest(t)
	a.Post("/whole", func(c *Ctx) error {
		b, err := c.Body()
		if err != nil {
			return err
		}
		return c.Text(200, fmt.Sprint(len(b)))
	}, BodyLimit(1<<20))
	a.Post("/inline", func(c *Ctx) error {
		b, err := c.Body()
		if err != nil {
			return err
		}
		return c.Text(200, fmt.Sprint(len(b)))
	}, Inline())
	a.Post("/echo", func(c *Ctx) error {
		return c.Stream(200, func(w io.Writer) error { _, err := io.Copy(w, c.BodyReader()); return err })
	})
	a.Post("/limited", func(c *Ctx) error { _, err := io.Copy(io.Discard, c.BodyReader()); return err }, BodyLimit(100))
	a.Post("/ignored", func(c *Ctx) error { return c.Text(200, "done") })
	s := start(t, a)
	big := strings.Repeat("0123456789", 200_000)
	for _, c := range []struct {
		path, body, want string
		status           int
	}{
		{"/whole", "", "0", 200}, {"/whole", "abc", "3", 200}, {"/whole", big[:1<<20], "1048576", 200},
		{"/whole", big, "content_too_large", 413}, {"/inline", "abc", "3", 200}, {"/inline", big, "2000000", 200},
		{"/echo", big, big, 200}, {"/echo", "x", "x", 200}, {"/limited", "abc", "", 204},
		{"/limited", big[:101], "content_too_large", 413}, {"/ignored", big, "done", 200},
	} {
		for _, chunked := range []bool{false, true} {
			r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if chunked {
				r.ContentLength = -1
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatalf("%s %d: %v", c.path, len(c.body), err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != c.status || !strings.Contains(string(b), c.want) {
				t.Errorf("%s with %d bytes, chunked %v: %d, %d bytes, %v", c.path, len(c.body), chunked, resp.StatusCode, len(b), err)
			}
		}
	}
}

func TestClientLeaves(t *testing.T) {
	entered, ended, done := make(chan struct{}), make(chan error, 1), make(chan struct{})
	a, _ := newTest(t)
	a.Get("/wait", func(c *Ctx) error {
		c.Set("k", "handler")
		close(entered)
		<-c.Context().Done()
		ended <- c.Context().Err()
		return c.Text(200, "to nobody")
	}, With(Middleware{Before: func(c *Ctx) error { c.Set("k", "before"); return nil },
		Done: func(c *Ctx) {
			if c.Get("k") != "before" {
				t.Errorf("Done sees %v", c.Get("k"))
			}
			close(done)
		}}))
	s := start(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-entered; cancel() }()
	if resp, err := http.DefaultClient.Do(r); err == nil {
		resp.Body.Close()
		t.Fatal("an answer came")
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended with %v", err)
	}
	<-done
}

func TestTimeout(t *testing.T) {
	left := make(chan struct{})
	a, _ := newTest(t)
	a.Use(Middleware{Before: func(c *Ctx) error { c.SetHeader("x-cors", "*"); return nil },
		After: func(c *Ctx, err error) error { c.SetHeader("x-after", "1"); return err }})
	a.Get("/slow", func(c *Ctx) error {
		defer close(left)
		<-c.Context().Done()
		c.SetHeader("x-late", "1")
		return c.Text(200, "too late")
	}, Timeout(time.Millisecond))
	a.Get("/error", func(c *Ctx) error { return fmt.Errorf("query: %w", context.DeadlineExceeded) })
	s := start(t, a)
	got := ask(t, s, "GET", "/slow", "")
	if got.status != 504 || !strings.Contains(got.body, "handler_timeout") || got.header.Get("X-Cors") != "*" ||
		got.header.Get("X-After") != "1" || got.header.Get("X-Late") != "" {
		t.Errorf("%d %s %v", got.status, got.body, got.header)
	}
	<-left
	if got := ask(t, s, "GET", "/error", ""); got.status != 504 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestPoolRefusesWhatItCannotHold(t *testing.T) {
	release := make(chan struct{})
	running := make(chan struct{}, 8)
	a, _ := newTest(t, WithConcurrency(1, 1))
	a.Get("/block", func(c *Ctx) error { running <- struct{}{}; <-release; return c.Text(200, "ok") })
	s := start(t, a)
	answers := make(chan answer, 8)
	send := func() { go func() { answers <- ask(t, s, "GET", "/block", "") }() }
	send()
	<-running // one runs; of the next three one may wait
	for range 3 {
		send()
	}
	for range 2 {
		if got := <-answers; got.status != 503 || got.header.Get("Retry-After") != "1" {
			t.Errorf("%d %v", got.status, got.header)
		}
	}
	close(release)
	for range 2 {
		if got := <-answers; got.status != 200 {
			t.Errorf("%d", got.status)
		}
	}
}

// postedTasks is a loop that runs nothing.
type postedTasks chan *mailbox.Task

func (p postedTasks) Post(t *mailbox.Task) { p <- t }

// TestStreamGoesOnWithoutItsClient has a handler that goes on writing though its client left while a piece was on its
// way: a task that is put into a mailbox twice takes those that wait behind it out, of this request and of all others.
func TestStreamGoesOnWithoutItsClient(t *testing.T) {
	a, _ := newTest(t)
	a.Get("/", func(c *Ctx) error {
		return c.Stream(200, func(w io.Writer) error {
			for range 3 {
				_, _ = io.WriteString(w, "x")
				_ = w.(Flusher).Flush()
			}
			return nil
		})
	})
	h, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	posted := make(postedTasks, 100)
	x := &message.Exchange{}
	x.Reset()
	x.Loop, x.Executor = -1, posted
	x.Request.Method, x.Request.Head = message.MethodGet, []byte("/")
	x.Request.Path = message.Span{Len: 1}
	h.Serve(x)
	w := x.Receiver.(*away)
	seen := map[*mailbox.Task]bool{}
	for next := (*mailbox.Task)(nil); next != &w.back; {
		if next = <-posted; seen[next] {
			t.Fatal("a task was posted again before it ran")
		}
		if seen[next] = true; next == &w.write {
			x.Receiver.Gone(x)
		}
	}
	if len(seen) != 2 {
		t.Errorf("%d tasks, want the first write and the end", len(seen))
	}
}

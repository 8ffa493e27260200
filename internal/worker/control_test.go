package worker

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestDecode(t *testing.T) {
	for line, check := range map[string]func(event) bool{
		`{"type":"hello","pid":7,"python":"3.11.7","covet":"0.1.0","layout":1,"loop":"asyncio","more":1}`: func(e event) bool {
			return e.hello != nil && *e.hello == hello{7, "3.11.7", "0.1.0", 1, "asyncio"}
		},
		`{"type":"routes","title":"t","routes":[{"id":3,"methods":["GET"],"path":"/a","line":9}]}`: func(e event) bool {
			return e.routes != nil && e.routes.Title == "t" && len(e.routes.Routes) == 1 && e.routes.Routes[0].ID == 3 && e.routes.Routes[0].Line == 9
		},
		`{"type":"ready"}`:   func(e event) bool { return e.ready },
		`{"type":"drained"}`: func(e event) bool { return e.drained },
		`{"type":"failed","stage":"import","message":"m","hint":"h","traceback":"t"}`: func(e event) bool {
			return e.failed != nil && *e.failed == StartError{"import", "m", "h", "t"}
		},
	} {
		if e, err := decode([]byte(line)); err != nil || !check(e) {
			t.Errorf("%s: %+v, %v", line, e, err)
		}
	}
	for _, line := range []string{``, `x`, `[]`, `{}`, `{"type":"nosuch"}`, `{"type":"hello","pid":"x"}`, `{"type":"routes","routes":[{"id":70000}]}`} {
		if e, err := decode([]byte(line)); err == nil {
			t.Errorf("%q is taken as %+v", line, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"routes","routes":[{"id":3,"methods":["GET"]}]}`))
	f.Add([]byte(`{"type":"hello"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := decode(line)
		kinds := 0
		for _, is := range []bool{e.hello != nil, e.routes != nil, e.failed != nil, e.ready, e.drained} {
			if is {
				kinds++
			}
		}
		if (err == nil) != (kinds == 1) {
			t.Errorf("%d kinds and error %v", kinds, err)
		}
	})
}

func TestChannel(t *testing.T) {
	a, b := net.Pipe()
	c := newControl(a)
	go func() {
		in := bufio.NewScanner(b)
		for in.Scan() {
			if in.Text() == `{"type":"drain","grace":1.5}` {
				_, _ = io.WriteString(b, `{"type":"drained"}`+"\n")
				b.Close()
				return
			}
		}
	}()
	if err := c.drain(1500 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if e, err := c.next(); err != nil || !e.drained {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := c.next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// A line over the bound is an error, not memory without end.
func TestChannelBound(t *testing.T) {
	a, b := net.Pipe()
	c := newControl(a)
	go func() {
		piece := strings.Repeat("x", 64<<10)
		for {
			if _, err := io.WriteString(b, piece); err != nil {
				return
			}
		}
	}()
	if _, err := c.next(); !errors.Is(err, bufio.ErrTooLong) {
		t.Errorf("endless line: %v", err)
	}
	c.close()
}

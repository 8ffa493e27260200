package lossy

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a receiver that waits until it is opened.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.Write(p)
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.String()
}

func TestEverythingArrivesInOrder(t *testing.T) {
	g := newGate()
	close(g.open)
	w := New(g, Config{})
	var want strings.Builder
	for i := range 5000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	w.Close(time.Minute)
	if g.String() != want.String() {
		t.Errorf("%d bytes arrived of %d", len(g.String()), want.Len())
	}
}

// A receiver that does not take anything costs lines, never time, and the gap is told.
func TestStuckReceiverCostsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		w := New(g, Config{Bound: 40, Notice: func(n uint64) []byte { return fmt.Appendf(nil, "%d lost\n", n) }})
		_, _ = w.Write([]byte("0123456789012345678\n"))
		synctest.Wait() // the goroutine hangs in the receiver with the first line
		for range 5 {
			_, _ = w.Write([]byte("0123456789012345678\n"))
		}
		if n := len(w.waiting) + w.writing; n > 40 {
			t.Errorf("%d bytes wait", n)
		}
		close(g.open)
		synctest.Wait()
		_, _ = w.Write([]byte("again\n"))
		w.Close(time.Minute)
		want := strings.Repeat("0123456789012345678\n", 2) + "4 lost\nagain\n"
		if g.String() != want {
			t.Errorf("got %q, want %q", g.String(), want)
		}
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		w := New(g, Config{})
		_, _ = w.Write([]byte("line\n"))
		begin := time.Now()
		w.Close(time.Second)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("waited for %v", d)
		}
		_, _ = w.Write([]byte("late\n"))
		close(g.open)
	})
}

func TestLines(t *testing.T) {
	g := newGate()
	close(g.open)
	w := New(g, Config{})
	a, b := w.Lines(), w.Lines()
	for _, step := range []struct {
		to *Lines
		p  string
	}{{a, "a1 "}, {b, "b1\nb"}, {a, "more\na2\n"}, {b, "2"}, {a, "a3"}} {
		if n, err := step.to.Write([]byte(step.p)); n != len(step.p) || err != nil {
			t.Fatal(n, err)
		}
	}
	a.Flush()
	b.Flush()
	b.Flush()
	w.Close(time.Minute)
	if want := "b1\na1 more\na2\na3\nb2\n"; g.String() != want {
		t.Errorf("got %q, want %q", g.String(), want)
	}
}

func TestLineWithoutEndIsBounded(t *testing.T) {
	g := newGate()
	close(g.open)
	w := New(g, Config{Bound: 4 * maxLine})
	l := w.Lines()
	for range 3 * maxLine / 1024 {
		_, _ = l.Write(bytes.Repeat([]byte("x"), 1024))
		if len(l.part) > maxLine {
			t.Fatalf("%d bytes are kept", len(l.part))
		}
	}
	l.Flush()
	w.Close(time.Minute)
	if n := strings.Count(g.String(), "x"); n != 3*maxLine {
		t.Errorf("%d bytes arrived", n)
	}
}

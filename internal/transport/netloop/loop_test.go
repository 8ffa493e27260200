//go:build unix

package netloop

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

// patience bounds waits that end with an event.
const patience = 30 * time.Second

// lateRinger rings its own doorbell when the loop has announced its sleep, and lets the loop go on when the ring
// has been taken from the descriptor, before the loop sleeps: nothing but rung remembers it.
type lateRinger struct {
	l     *loop
	bell  *os.File
	rings int
	done  chan struct{}
}

func (s *lateRinger) Poll() bool {
	if s.rings == 100 {
		s.rings++
		close(s.done)
	}
	return false
}

func (s *lateRinger) Flush() {}
func (s *lateRinger) Awake() {}

func (s *lateRinger) PrepareSleep() bool {
	if s.rings < 100 {
		s.rings++
		if _, err := s.bell.Write([]byte{1}); err == nil {
			for deadline := time.Now().Add(patience); !s.l.rung.Load() && time.Now().Before(deadline); {
				runtime.Gosched()
			}
		}
	}
	return true
}

func TestRingBeforeSleepIsRemembered(t *testing.T) {
	tg, err := New(transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	l := tg.(*group).loops[0]
	s := &lateRinger{l: l, bell: w, done: make(chan struct{})}
	l.Post(&mailbox.Task{Do: runFunc(func() {
		if err := l.Attach(s, int(r.Fd())); err != nil {
			t.Errorf("attach: %v", err)
		}
	})})
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Fatal("the loop sleeps although the doorbell rang")
	}
}

// TestAttachRefuses: what is no descriptor is an error and leaves nothing.
func TestAttachRefuses(t *testing.T) {
	tg, err := New(transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	l := tg.(*group).loops[0]
	done := make(chan struct{})
	l.Post(&mailbox.Task{Do: runFunc(func() {
		defer close(done)
		if err := l.Attach(nil, -1); err == nil {
			t.Error("descriptor -1 was attached")
		}
		if l.sources.Len() != 0 || len(l.bells) != 0 {
			t.Error("a refused source stays")
		}
	})})
	<-done
}

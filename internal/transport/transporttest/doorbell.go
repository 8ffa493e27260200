package transporttest

import "testing"

// doorbell is a descriptor that becomes readable when it is rung, from any goroutine.
type doorbell struct {
	t           *testing.T
	read, write int
	one         []byte // what a ring writes
	closed      bool
}

// doorbellKind is one of the kinds of descriptor that a Source may be woken by.
type doorbellKind struct {
	name string
	make func(t *testing.T) *doorbell
}

// fd is the descriptor to attach.
func (b *doorbell) fd() int { return b.read }

// newDoorbell makes one of the system's first kind.
func newDoorbell(t *testing.T) *doorbell {
	t.Helper()
	return doorbells(t)[0].make(t)
}

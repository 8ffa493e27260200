package transporttest

import "testing"

// doorbells: the bridge needs shared memory and descriptors that this system does not offer, so no transport
// attaches sources here.
func doorbells(t *testing.T) []doorbellKind {
	t.Helper()
	t.Skip("no doorbells on this system")
	return nil
}

func (b *doorbell) ring()  {}
func (b *doorbell) close() {}

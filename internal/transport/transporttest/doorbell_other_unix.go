//go:build unix && !linux

package transporttest

import "testing"

func doorbells(t *testing.T) []doorbellKind {
	t.Helper()
	return []doorbellKind{{"pipe", newPipe}}
}

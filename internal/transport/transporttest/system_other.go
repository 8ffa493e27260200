//go:build !linux

package transporttest

import (
	"net"
	"os"
	"testing"
	"time"
)

// openFiles cannot count here; the goroutines of closed groups are still counted.
func openFiles(*testing.T) int { return 0 }

// smallWindow dials as usual: the sizes of these systems' socket buffers are small already.
func smallWindow() *net.Dialer { return &net.Dialer{Timeout: time.Minute} }

// outOfDescriptors needs a limit that counts the lowest free descriptor, as Linux has it.
func outOfDescriptors(t *testing.T, _ NewGroup) { t.Skip("needs Linux") }

// evict leaves the file where it is: only Linux has a way to ask.
func evict(*testing.T, *os.File) {}

package netloop

import (
	"testing"

	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/transport/transporttest"
)

func TestContract(t *testing.T) { transporttest.Run(t, New) }

// TestContractPortable runs what systems without raw descriptors get, on this one.
func TestContractPortable(t *testing.T) {
	transporttest.Run(t, func(cfg transport.Config) (transport.Group, error) { return newGroup(cfg, newPortable) })
}

func TestAllocations(t *testing.T) { transporttest.Allocations(t, New) }

func TestFileAllocations(t *testing.T) { transporttest.FileAllocations(t, New) }

func BenchmarkRoundTrip(b *testing.B) { transporttest.Benchmark(b, New) }

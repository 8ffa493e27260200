//go:build linux

package epollloop_test

import (
	"testing"

	"github.com/covetpy/covet/internal/transport/epollloop"
	"github.com/covetpy/covet/internal/transport/transporttest"
)

func TestContract(t *testing.T) { transporttest.Run(t, epollloop.New) }

func TestAllocations(t *testing.T) { transporttest.Allocations(t, epollloop.New) }

func TestFileAllocations(t *testing.T) { transporttest.FileAllocations(t, epollloop.New) }

func BenchmarkRoundTrip(b *testing.B) { transporttest.Benchmark(b, epollloop.New) }

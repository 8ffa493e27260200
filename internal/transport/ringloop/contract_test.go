//go:build linux && (amd64 || arm64)

package ringloop

import (
	"testing"

	"github.com/covetpy/covet/internal/transport"
	"github.com/covetpy/covet/internal/transport/transporttest"
	"github.com/covetpy/covet/internal/uring"
)

func TestContract(t *testing.T) { transporttest.Run(t, New) }

// The same with next to nothing of everything: the submission queue is always full, the completion queue overflows,
// receive buffers run out at every message and cut it into pieces.
func TestContractScarce(t *testing.T) {
	transporttest.Run(t, func(cfg transport.Config) (transport.Group, error) {
		return newGroup(cfg, tuning{entries: 2, buffers: 2, bufferSize: 100})
	})
}

// Zero-copy sends, of every size: the blocks stay until the kernel has released them.
func TestContractZeroCopy(t *testing.T) {
	if !uring.Probe().ZeroCopy {
		t.Skip("this kernel's sockets always copy")
	}
	transporttest.Run(t, func(cfg transport.Config) (transport.Group, error) {
		cfg.ZeroCopy = 1
		return New(cfg)
	})
}

// The modes of older kernels.
func TestContractModes(t *testing.T) {
	if testing.Short() {
		t.Skip("long: the two other modes differ in the kernel only")
	}
	for _, m := range []uring.Mode{uring.ModeCoop, uring.ModePlain} {
		t.Run(m.String(), func(t *testing.T) {
			transporttest.Run(t, func(cfg transport.Config) (transport.Group, error) {
				tn := defaultTuning()
				tn.mode = m
				return newGroup(cfg, tn)
			})
		})
	}
}

func TestFileAllocations(t *testing.T) { transporttest.FileAllocations(t, New) }

//go:build goexperiment.simd && amd64

package h1

import (
	"simd/archsimd"

	"github.com/covetpy/covet/internal/ascii"
)

// vectorKernels are the kernels of this build that only run on some processors.
func vectorKernels() []kernel {
	if !archsimd.X86.AVX() {
		return nil
	}
	return []kernel{
		{"name/simd", scanNameSIMD, ascii.IsTokenByte},
		{"value/simd", scanValueSIMD, ascii.IsValueByte},
		{"path/simd", scanPathSIMD, func(c byte) bool { return pathBytes[c] }},
		{"query/simd", scanQuerySIMD, func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' }},
	}
}

//go:build !goexperiment.simd || !amd64

package h1

// vectorKernels are the kernels of this build that only run on some processors.
func vectorKernels() []kernel { return nil }

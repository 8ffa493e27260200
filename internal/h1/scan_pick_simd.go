//go:build goexperiment.simd && amd64

package h1

import "simd/archsimd"

func scanName(b []byte, i int) int {
	if archsimd.X86.AVX() {
		return scanNameSIMD(b, i)
	}
	return scanNameScalar(b, i)
}

func scanValue(b []byte, i int) int {
	if archsimd.X86.AVX() {
		return scanValueSIMD(b, i)
	}
	return scanValueSWAR(b, i)
}

func scanPath(b []byte, i int) int {
	if archsimd.X86.AVX() {
		return scanPathSIMD(b, i)
	}
	return scanPathScalar(b, i)
}

func scanQuery(b []byte, i int) int {
	if archsimd.X86.AVX() {
		return scanQuerySIMD(b, i)
	}
	return scanQuerySWAR(b, i)
}

//go:build !goexperiment.simd || !amd64

package h1

// Names and paths are short and their classes have many holes: a table look-up a byte beats arithmetic on words.

func scanName(b []byte, i int) int  { return scanNameScalar(b, i) }
func scanValue(b []byte, i int) int { return scanValueSWAR(b, i) }
func scanPath(b []byte, i int) int  { return scanPathScalar(b, i) }
func scanQuery(b []byte, i int) int { return scanQuerySWAR(b, i) }

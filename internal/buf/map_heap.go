//go:build !unix

package buf

// mapSlab returns size bytes of the Go heap on systems without anonymous mappings.
func mapSlab(size int) []byte { return make([]byte, size) }

func unmapSlab([]byte) {}

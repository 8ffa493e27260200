//go:build !unix

package file

// nonBlocking is not needed: names do not lead to FIFOs here.
const nonBlocking = 0

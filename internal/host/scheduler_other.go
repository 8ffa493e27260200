//go:build !linux

package host

// Batch does nothing here: the policy is Linux's.
func Batch() error { return nil }

//go:build !linux

package host

import "time"

// Batch does nothing here: the policy is Linux's.
func Batch() error { return nil }

// Ordinary does nothing here: the policy is Linux's.
func Ordinary() error { return nil }

func processTime() (time.Duration, bool) { return 0, false }

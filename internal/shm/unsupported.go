//go:build !unix

package shm

import (
	"errors"
	"os"
)

// MemoryFile is not available on this system.
type MemoryFile struct{}

// NewMemoryFile returns errors.ErrUnsupported.
func NewMemoryFile(string, int64) (*MemoryFile, error) { return nil, errors.ErrUnsupported }

// OpenMemoryFile returns errors.ErrUnsupported.
func OpenMemoryFile(*os.File) (*MemoryFile, error) { return nil, errors.ErrUnsupported }

// Size is 0.
func (*MemoryFile) Size() int64 { return 0 }

// File is nil.
func (*MemoryFile) File() *os.File { return nil }

// Close does nothing.
func (*MemoryFile) Close() error { return nil }

// Map returns errors.ErrUnsupported.
func (*MemoryFile) Map(int64, int64) (*Mapping, error) { return nil, errors.ErrUnsupported }

// MapTwice returns errors.ErrUnsupported.
func (*MemoryFile) MapTwice(int64, int64) (*Mapping, error) { return nil, errors.ErrUnsupported }

// Mapping is not available on this system.
type Mapping struct{}

// Bytes is nil.
func (*Mapping) Bytes() []byte { return nil }

// Close does nothing.
func (*Mapping) Close() error { return nil }

// Doorbell is not available on this system.
type Doorbell struct{}

// NewDoorbell returns errors.ErrUnsupported.
func NewDoorbell() (*Doorbell, error) { return nil, errors.ErrUnsupported }

// OpenDoorbell returns errors.ErrUnsupported.
func OpenDoorbell(*os.File) (*Doorbell, error) { return nil, errors.ErrUnsupported }

// FD is -1.
func (*Doorbell) FD() int { return -1 }

// WaitEnd is nil.
func (*Doorbell) WaitEnd() *os.File { return nil }

// RingEnd is nil.
func (*Doorbell) RingEnd() *os.File { return nil }

// Ring does nothing.
func (*Doorbell) Ring() {}

// Answer is false.
func (*Doorbell) Answer() bool { return false }

// Close does nothing.
func (*Doorbell) Close() error { return nil }

// Duplicate returns errors.ErrUnsupported.
func Duplicate(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

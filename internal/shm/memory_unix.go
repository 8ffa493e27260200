//go:build unix

package shm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MemoryFile is anonymous shared memory of a fixed size, behind a descriptor that another process can be given.
type MemoryFile struct {
	file *os.File
	size int64
}

// NewMemoryFile returns zeroed memory of size bytes, a multiple of the system's page size. Where the system can (Linux),
// the size is sealed: nobody with the descriptor can truncate the file, which would make every access by others fault.
func NewMemoryFile(name string, size int64) (*MemoryFile, error) {
	if size <= 0 || size%int64(os.Getpagesize()) != 0 {
		return nil, fmt.Errorf("shm: %d bytes are not a whole number of pages", size)
	}
	file, err := create(name, size)
	if err != nil {
		return nil, fmt.Errorf("shm: memory file of %d bytes: %w", size, err)
	}
	return &MemoryFile{file: file, size: size}, nil
}

// OpenMemoryFile is the other process's NewMemoryFile: memory behind a file that it was handed. The file is the
// MemoryFile's from here on.
func OpenMemoryFile(file *os.File) (*MemoryFile, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("shm: memory file: %w", err)
	}
	return &MemoryFile{file: file, size: info.Size()}, nil
}

// Size is the size in bytes.
func (m *MemoryFile) Size() int64 { return m.size }

// File returns the file for handing it to a child process. It stays the MemoryFile's.
func (m *MemoryFile) File() *os.File { return m.file }

// Close closes the descriptor; mappings stay.
func (m *MemoryFile) Close() error {
	err := m.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// Map maps length bytes from offset, both multiples of the page size.
func (m *MemoryFile) Map(offset, length int64) (*Mapping, error) {
	return m.mapTimes(offset, length, 1)
}

// MapTwice maps length bytes from offset twice in a row: byte i and byte length+i of the Mapping are the same byte.
// What wraps around the end of a ring is contiguous in it.
func (m *MemoryFile) MapTwice(offset, length int64) (*Mapping, error) {
	return m.mapTimes(offset, length, 2)
}

func (m *MemoryFile) mapTimes(offset, length int64, times int) (*Mapping, error) {
	page := int64(os.Getpagesize())
	if offset < 0 || length <= 0 || offset%page != 0 || length%page != 0 || length > m.size || offset > m.size-length {
		return nil, fmt.Errorf("shm: cannot map %d bytes at %d of a file of %d bytes", length, offset, m.size)
	}
	total := uintptr(length) * uintptr(times)
	// The address range is reserved first, so that nothing else can take the place behind the first copy.
	base, err := unix.MmapPtr(-1, 0, nil, total, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("shm: reserve %d bytes of addresses: %w", total, err)
	}
	for i := range times {
		at := unsafe.Add(base, i*int(length))
		if _, err := unix.MmapPtr(int(m.file.Fd()), offset, at, uintptr(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			_ = unix.MunmapPtr(base, total) // the first error is the one to report
			return nil, fmt.Errorf("shm: map %d bytes: %w", length, err)
		}
	}
	mapping := &Mapping{bytes: unsafe.Slice((*byte)(base), total)}
	mapping.open.Store(true)
	return mapping, nil
}

// Mapping is a piece of a MemoryFile in this process's address space.
type Mapping struct {
	bytes []byte
	open  atomic.Bool
}

// Bytes is the memory, valid until Close.
func (m *Mapping) Bytes() []byte { return m.bytes }

// Close unmaps the memory.
func (m *Mapping) Close() error {
	if !m.open.Swap(false) {
		return nil
	}
	b := m.bytes
	m.bytes = nil
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}

//go:build unix && !linux

package shm

import "os"

// create makes an unlinked file: nobody else can open it, and it is gone with the last descriptor and mapping.
func create(name string, size int64) (*os.File, error) {
	file, err := os.CreateTemp("", name+"-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close() // the first error is the one to report
		return nil, err
	}
	if err := file.Truncate(size); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

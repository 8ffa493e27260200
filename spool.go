package covet

import (
	"fmt"
	"os"
)

// spool is the temporary file that holds the files of one form, one behind the other. Its name is removed at once where
// the system allows it: then nothing is left of it, however the process ends.
type spool struct {
	f     *os.File
	size  int64
	named bool
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "covet-form-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("making a temporary file for a form: %w", err)
	}
	return &spool{f: f, named: os.Remove(f.Name()) != nil}, nil
}

func (s *spool) write(b []byte) error {
	n, err := s.f.Write(b)
	s.size += int64(n)
	if err != nil {
		return fmt.Errorf("writing a file of a form: %w", err)
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (s *spool) ReadAt(p []byte, off int64) (int, error) { return s.f.ReadAt(p, off) }

// close gives the space back. There is nobody to tell of an error: the data was never to be kept.
func (s *spool) close() {
	_ = s.f.Close()
	if s.named {
		_ = os.Remove(s.f.Name())
	}
}

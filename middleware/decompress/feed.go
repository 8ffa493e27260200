package decompress

import (
	"io"
	"sync"
)

// feed is the coded body between loop and goroutine. It is the reader of the decoder.
type feed struct {
	mu    sync.Mutex // guards what follows
	wake  sync.Cond  // for the goroutine
	data  []byte
	full  bool // the client was stopped
	asked bool // and is about to go on
	ended bool
	err   error
	quit  bool
	taken bool // the loop has taken the decoded piece

	// The goroutine's.
	reader        // what was taken from data
	memory []byte // of reader
	failed error  // what Read failed with
	post   func() // posts the task that lets the client go on
}

// add appends a piece and reports whether the client is to be stopped.
func (f *feed) add(p []byte) (stop bool) {
	f.mu.Lock()
	f.data = append(f.data, p...)
	if len(f.data) >= feedHigh && !f.full {
		f.full, f.asked, stop = true, false, true
	}
	f.mu.Unlock()
	f.wake.Broadcast()
	return stop
}

func (f *feed) end(err error) {
	f.mu.Lock()
	f.ended, f.err = true, err
	f.mu.Unlock()
	f.wake.Broadcast()
}

// take tells the goroutine that its piece was taken.
func (f *feed) take() {
	f.mu.Lock()
	f.taken = true
	f.mu.Unlock()
	f.wake.Broadcast()
}

// fill waits until there is something to read. The engine's deadlines bound the wait: they end the body, or the request.
func (f *feed) fill() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.data) == 0 && !f.ended && !f.quit {
		f.wake.Wait()
	}
	switch {
	case f.quit:
		f.failed = errQuit
	case f.ended && f.err != nil:
		f.failed = f.err // what has come is of no use any more
	case len(f.data) > 0:
		f.data, f.memory = f.memory[:0], f.data
		f.b = f.memory
		if f.full && !f.asked {
			f.asked = true
			f.post()
		}
		return nil
	default:
		return io.EOF
	}
	return f.failed
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.b) == 0 {
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	return f.reader.Read(p)
}

// ReadByte implements io.ByteReader.
func (f *feed) ReadByte() (byte, error) {
	if len(f.b) == 0 {
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	return f.reader.ReadByte()
}

// peek returns the next n bytes, fewer at the end of the body, without taking them.
func (f *feed) peek(n int) ([]byte, error) {
	for len(f.b) < n {
		had := append([]byte(nil), f.b...)
		f.b = nil
		err := f.fill()
		if err == io.EOF { //nolint:errorlint // it is never wrapped
			f.b = had
			break
		}
		if err != nil {
			return nil, err
		}
		if len(had) > 0 {
			f.memory = append(had, f.b...)
			f.b = f.memory
		}
	}
	return f.b[:min(n, len(f.b))], nil
}

// over reports whether the request is.
func (f *feed) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.quit
}

package lossy

import "bytes"

// maxLine is how much of a line is gathered before it is passed on in pieces: output of another process need not have
// lines at all.
const maxLine = 64 << 10

// Lines makes whole lines of one stream of bytes that comes in pieces, such as a process's output, so that the lines
// of several streams are not mixed. It is for one goroutine.
type Lines struct {
	w    *Writer
	part []byte
}

// Lines returns a splitter in front of w.
func (w *Writer) Lines() *Lines { return &Lines{w: w} }

// Write takes the next piece. It never waits and never fails.
func (l *Lines) Write(p []byte) (int, error) {
	n := len(p)
	end := bytes.LastIndexByte(p, '\n') + 1
	if end > 0 {
		whole := p[:end]
		if len(l.part) > 0 {
			l.part = append(l.part, whole...)
			whole = l.part
		}
		_, _ = l.w.Write(whole)
		l.part = l.part[:0]
	}
	l.part = append(l.part, p[end:]...)
	if len(l.part) >= maxLine {
		l.Flush()
	}
	return n, nil
}

// Flush passes a last line without an end on.
func (l *Lines) Flush() {
	if len(l.part) > 0 {
		_, _ = l.w.Write(append(l.part, '\n'))
		l.part = l.part[:0]
	}
}

package serve

import (
	"bytes"
	"log/slog"
	"os"
	"time"

	"github.com/covetpy/covet/internal/lossy"
)

// lastLines is how long the end of the server waits for whoever reads its output.
const lastLines = time.Second

// takeOutput puts writers that never wait in front of the server's output and that of its workers: a log reader that
// stays but does not read must not stop them. On a terminal workers write themselves: they look whether they may use
// colours, and lines appear as they are printed.
func (s *instance) takeOutput() {
	c := lossy.Config{Notice: s.dropped}
	s.out = lossy.New(s.Out, c)
	s.Out = s.out
	if !s.Color {
		s.workerOut, s.workerErr = lossy.New(os.Stdout, lossy.Config{}), s.out
	}
}

// giveOutput brings what is left to its readers.
func (s *instance) giveOutput() {
	if s.workerOut != nil {
		s.workerOut.Close(lastLines)
	}
	s.out.Close(lastLines)
}

// dropped renders the line that tells of dropped lines, in the format of the log.
func (s *instance) dropped(lines uint64) []byte {
	var b bytes.Buffer
	newLog(&b, slog.LevelWarn.String(), s.text()).Warn("log lines were dropped: whoever reads the log is too slow", "lines", lines)
	return b.Bytes()
}

package compress

import (
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// sink is where encoders write: a slice that grows and is kept.
type sink struct{ b []byte }

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// encoder makes one body after the other, each from Reset to Close.
type encoder interface {
	Reset(w io.Writer)
	io.WriteCloser
}

// liveEncoder is an encoder whose client sees all that was written when Flush has returned.
type liveEncoder interface {
	encoder
	Flush() error
}

const (
	// window is how far back the encoders of streams look, in bytes: it is what they keep for as long as a stream is
	// open. In JSON and HTML, repetition is near.
	window    = 64 << 10
	windowLog = 16
	// wholeWindowLog is the window of brotli for whole bodies: 256 KiB, as zstd's. Without it the package takes 4 MiB.
	wholeWindowLog = 18
)

// encoders are the pools of one coding. Bodies that are known whole are encoded in a moment, by few encoders at a time,
// which may be large; every open stream has an encoder to itself, which is to be small.
type encoders struct{ whole, live sync.Pool }

func (e *encoders) init(k coding, l Level) {
	e.whole.New = func() any { return newWhole(k, l) }
	e.live.New = func() any { return newLive(k, l) }
}

// newWhole makes an encoder for whole bodies. What the levels stand for was measured: see docs/guide/compression.md.
func newWhole(k coding, l Level) encoder {
	switch k {
	case zstded:
		return newZstd(l, 4*window)
	case brotlied:
		if l == Fast {
			// The newer of the package's two encoders: at its first level it is by far the fastest for what it saves. Its
			// higher levels are slower than the other's, and it cannot flush.
			return brotli.NewWriterV2(io.Discard, 1)
		}
		return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: [...]int{0, 2, 6}[l], LGWin: wholeWindowLog})
	default:
		w, err := gzip.NewWriterLevel(io.Discard, [...]int{5, 6, 9}[l])
		mustNot(err)
		return w
	}
}

// newLive makes an encoder for streams.
func newLive(k coding, l Level) liveEncoder {
	switch k {
	case zstded:
		return newZstd(Fast, window) // the next level takes three times the memory, for a few bytes
	case brotlied:
		return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: [...]int{2, 3, 5}[l], LGWin: windowLog})
	default:
		return &liveGzip{}
	}
}

func newZstd(l Level, window int) *zstd.Encoder {
	level := [...]zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression}[l]
	// One at a time and no goroutines: an encoder that is dropped leaves nothing behind. A checksum is of no use under
	// TCP's and costs.
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
	mustNot(err)
	return w
}

// mustNot ends the program for options that the libraries do not take: constants of this file.
func mustNot(err error) {
	if err != nil {
		panic("compress: " + err.Error())
	}
}

// liveGzip is gzip (RFC 1952) with 8 KiB of memory instead of the 800 KiB to 1 MiB of an encoder that keeps hash tables
// between two writes: each Write is a deflate block of its own that may refer to the last text before it. Everything is
// flushed always.
type liveGzip struct {
	w    io.Writer
	sum  uint32
	size uint32
	past []byte
}

var _ liveEncoder = (*liveGzip)(nil)

// maxPast is how far back the stateless compressor looks.
const maxPast = 8 << 10

// Reset begins a body.
func (g *liveGzip) Reset(w io.Writer) {
	g.w, g.sum, g.size, g.past = w, 0, 0, g.past[:0]
	// RFC 1952 section 2.3: magic, deflate, no flags, no time, no extra flags, unknown system.
	_, _ = w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}) // a sink does not fail
}

// Write implements io.Writer.
func (g *liveGzip) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := flate.StatelessDeflate(g.w, p, false, g.past); err != nil {
		return 0, err
	}
	g.sum = crc32.Update(g.sum, crc32.IEEETable, p)
	g.size += uint32(len(p)) // modulo 2^32, as RFC 1952 section 2.3.1 wants it
	if g.past == nil {
		g.past = make([]byte, 0, maxPast)
	}
	if len(p) >= maxPast {
		g.past = append(g.past[:0], p[len(p)-maxPast:]...)
		return len(p), nil
	}
	if over := len(g.past) + len(p) - maxPast; over > 0 {
		g.past = g.past[:copy(g.past, g.past[over:])]
	}
	g.past = append(g.past, p...)
	return len(p), nil
}

// Flush does nothing: see liveGzip.
func (g *liveGzip) Flush() error { return nil }

// Close ends the body.
func (g *liveGzip) Close() error {
	if err := flate.StatelessDeflate(g.w, nil, true, nil); err != nil {
		return err
	}
	s, n := g.sum, g.size
	_, err := g.w.Write([]byte{
		byte(s), byte(s >> 8), byte(s >> 16), byte(s >> 24), byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24),
	})
	return err
}

// encode appends p to out in the coding, by an encoder of the pool. A panic of an encoder is an error: it costs the
// coding, not the process.
func (e *encoders) encode(out *sink, p []byte) (err error) {
	defer caught(&err)
	w := e.whole.Get().(encoder)
	w.Reset(out)
	_, err = w.Write(p)
	if err == nil {
		err = w.Close()
	}
	if err == nil { // one that failed is not used again
		w.Reset(nil)
		e.whole.Put(w)
	}
	return err
}

// piece writes p, and flushes if that is asked for.
func piece(w liveEncoder, p []byte, flush bool) (err error) {
	defer caught(&err)
	if _, err = w.Write(p); err == nil && flush {
		err = w.Flush()
	}
	return err
}

// finish ends a body.
func finish(w liveEncoder) (err error) {
	defer caught(&err)
	return w.Close()
}

// caught makes an error of a panic. To be deferred.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("compress: an encoder failed: %v", p)
	}
}

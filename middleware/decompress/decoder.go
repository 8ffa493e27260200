package decompress

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// decoder reads one body after the other. It reads its input to the end and no further than to the end of the coded
// data where the coding has one: what follows is for its user to find.
type decoder interface {
	io.Reader
	Reset(r io.Reader) error
}

func newDecoder(k coding) decoder {
	switch k {
	case brotlied:
		return new(brotli.Reader)
	case zstded:
		// One at a time: without goroutines of its own, a decoder that is dropped leaves nothing behind.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			panic("decompress: " + err.Error()) // these options are constants
		}
		return d
	case deflated:
		return &zlibReader{}
	default:
		return new(gzip.Reader)
	}
}

// zlibReader is the deflate coding: the zlib format (RFC 9110 section 8.4.1.2), whose reader cannot be made without
// data.
type zlibReader struct{ io.ReadCloser }

// Reset implements decoder.
func (z *zlibReader) Reset(r io.Reader) (err error) {
	if z.ReadCloser != nil {
		return z.ReadCloser.(zlib.Resetter).Reset(r, nil)
	}
	z.ReadCloser, err = zlib.NewReader(r)
	return err
}

// reader is a slice to read from. It is an io.ByteReader, so that no decoder reads ahead with a buffer of its own.
type reader struct{ b []byte }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// ReadByte implements io.ByteReader.
func (r *reader) ReadByte() (byte, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c, nil
}

var errTrailing = errors.New("decompress: the body goes on after the end of its coding")

// decodeAll appends what in decodes to, at most limit bytes, to out. Its error is errLarge for more.
func decodeAll(d decoder, in *reader, out []byte, limit int) ([]byte, error) {
	if err := d.Reset(in); err != nil {
		return out, cutOff(err)
	}
	if cap(out) == 0 {
		out = make([]byte, 0, leastOut)
	}
	for idle := 0; ; {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := d.Read(out[len(out):cap(out)])
		if out = out[:len(out)+n]; len(out) > limit {
			return out, errLarge
		}
		if err == io.EOF { //nolint:errorlint // as io.Reader has it
			break
		}
		if err != nil {
			return out, err
		}
		if idle++; n > 0 {
			idle = 0
		} else if idle > maxIdleReads {
			return out, io.ErrNoProgress
		}
	}
	if len(in.b) > 0 {
		return out, errTrailing
	}
	return out, nil
}

// leastOut is what the buffer of a decoded body begins with: it is kept, and grows by half as it needs.
const leastOut = 4 << 10

// maxIdleReads bounds the reads that bring nothing.
const maxIdleReads = 100

// cutOff turns the end of the input inside of a header into what it is.
func cutOff(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.Reader has it
		return io.ErrUnexpectedEOF
	}
	return err
}

const (
	// flateWindow is more than what a gzip or deflate decoder takes: 32 KiB of history and its tables.
	flateWindow = 64 << 10
	// maxZstdWindow is the most that a zstd coded body may ask for (RFC 9659 section 3).
	maxZstdWindow = 8 << 20
	// maxBrotliWindow is the most that brotli has (RFC 7932 section 9.1), without its large-window extension.
	maxBrotliWindow = 16 << 20
	// maxLoopWindow is the most that is made room for on a loop: as much as the usual encoders ask for. It must be
	// zeroed, which takes half a millisecond.
	maxLoopWindow = 4 << 20
	// windowHead is how much of a body tells its window.
	windowHead = 18
)

// window returns the memory that decoding a body needs for its history, by how the body begins; end tells that head is
// all of it. False stands for a body that cannot be told, or asks for too much: its decoder will refuse it, or hold it
// to the most there is.
func window(k coding, head []byte, end bool) (size int64, ok bool) {
	switch k {
	case brotlied:
		return brotliWindow(head)
	case zstded:
		return zstdWindow(head)
	}
	return flateWindow, len(head) > 0 || end
}

// brotliWindow reads WBITS of RFC 7932 section 9.1, from the lowest bit on:
//
//	0          16
//	1 nnn      17+n   for n > 0
//	1 000 000  17
//	1 000 mmm  8+m    for m > 1; m = 1 is the large-window extension, which HTTP does not have
func brotliWindow(head []byte) (int64, bool) {
	if len(head) == 0 {
		return maxBrotliWindow, false
	}
	b := head[0]
	n, m := b>>1&7, b>>4&7
	var bits int
	switch {
	case b&1 == 0:
		bits = 16
	case n > 0:
		bits = 17 + int(n)
	case m == 0:
		bits = 17
	case m > 1:
		bits = 8 + int(m)
	default:
		return maxBrotliWindow, false
	}
	return 1 << bits, true
}

// zstdWindow reads the header of the first frame (RFC 8878 section 3.1.1.1):
//
//	magic 4 | descriptor 1 | window 0-1 | dictionary id 0-4 | content size 0-8
//
// Frames that follow may ask for more; the decoder's own bound holds for them.
func zstdWindow(head []byte) (int64, bool) {
	const magic = 0xfd2fb528
	if len(head) < 6 || binary.LittleEndian.Uint32(head) != magic {
		return maxZstdWindow, false
	}
	descriptor := head[4]
	if single := descriptor&0x20 != 0; !single {
		base := int64(1) << (10 + head[5]>>3)
		size := base + base/8*int64(head[5]&7)
		return min(size, maxZstdWindow), size <= maxZstdWindow
	}
	at := 5 + [...]int{0, 1, 2, 4}[descriptor&3]
	width := 1 << (descriptor >> 6) // of a single segment: 1, 2, 4 or 8
	if len(head) < at+width {
		return maxZstdWindow, false
	}
	var size uint64
	for i := width - 1; i >= 0; i-- {
		size = size<<8 | uint64(head[at+i])
	}
	if width == 2 {
		size += 256
	}
	return int64(min(size, maxZstdWindow)), size <= maxZstdWindow
}

package h1

import (
	"strconv"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// part is where in the grammar of a chunked body (RFC 9112 section 7.1) the decoder stands:
//
//	inSize ──;▶ inExtension ─CR┐
//	  │ └──────────CR──────────┴▶ sizeLF ─┬▶ inData ─▶ dataCR ─▶ dataLF ─▶ inSize
//	                                      └(size 0)─▶ inTrailer ─(empty line)▶ bodyEnd
type part uint8

const (
	inSize part = iota
	inExtension
	sizeLF
	inData
	dataCR
	dataLF
	inTrailer
	bodyEnd
)

const (
	// maxSizeDigits bounds a chunk size: 16 digits hold 64 bits, more are leading zeros that only an attacker sends.
	maxSizeDigits = 16
	// maxExtensions bounds the chunk extensions of one body in bytes. They are ignored (RFC 9112 section 7.1.1),
	// no client is known to send them, and without a bound they are a way to send bytes that no limit counts.
	maxExtensions = 4 << 10
)

// Chunks decodes one chunked body. Every byte is looked at once, however the body is cut.
type Chunks struct {
	part   part
	digits uint8
	// extensions counts the bytes of all extensions.
	extensions uint16
	// fields and scanned belong to the trailer section: field lines seen, bytes of the unfinished line seen.
	fields  uint16
	scanned uint32
	// size is the size being read, then what is left of the chunk; total is the sum of all sizes.
	size, total int64
	// The limits, in bytes but for maxFields.
	maxBody              int64
	maxTrailer, maxField int
	// used is how long the trailer section is so far; trailer holds the lines of it that were kept.
	used    int
	trailer []byte
}

// Reset makes c ready for another body under the limits l, whose values are copied. What an earlier body left in
// Request.TrailerHead is overwritten from here on.
func (c *Chunks) Reset(l *Limits) {
	kept := c.trailer[:0]
	if cap(kept) > maxKeptScratch {
		kept = nil
	}
	*c = Chunks{maxBody: l.body(), maxTrailer: l.head(), maxField: l.fields(), trailer: kept}
}

// Next decodes from the start of in. Data is a piece of the body, a view into in, maybe empty; n is how much of in
// is used up; done is true once the last chunk and the trailer section are used up too. Call again with what follows
// until n is 0 (more input is needed) or done.
//
// Trailer fields are added to r.Trailer, with their bytes in r.TrailerHead, which is memory of c. Fields that must not be
// in a trailer are dropped (RFC 9110 section 6.5.1).
//
// The error is one of 400, 413 and 431; after it the connection must be closed.
func (c *Chunks) Next(r *message.Request, in []byte) (data []byte, n int, done bool, err *fault.Error) {
	for {
		if c.part == inTrailer {
			used, err := c.trailers(r, in[n:])
			if err != nil {
				return nil, 0, false, err
			}
			return nil, n + used, c.part == bodyEnd, nil
		}
		if c.part == bodyEnd {
			return nil, n, true, nil
		}
		if n == len(in) {
			return data, n, false, nil
		}
		b := in[n]
		switch c.part {
		case inSize:
			if digit := unhex(b); digit < 16 {
				if c.digits++; c.digits > maxSizeDigits {
					return nil, 0, false, fault.New(fault.BadRequest, "a chunk size has too many digits")
				}
				// What the check below lets through cannot overflow: at most 16 times the limit of the body.
				if c.size > (c.maxBody-c.total)>>4 {
					return nil, 0, false, tooLarge(c.maxBody)
				}
				if c.size = c.size<<4 | int64(digit); c.size > c.maxBody-c.total {
					return nil, 0, false, tooLarge(c.maxBody)
				}
				n++
				continue
			}
			// RFC 9112 section 7.1: chunk-size = 1*HEXDIG, nothing before it. The "bad" white space that section
			// 7.1.1 lets a recipient tolerate between size and extension is refused.
			if c.digits == 0 {
				return nil, 0, false, fault.New(fault.BadRequest, "a chunk does not start with its size")
			}
			switch b {
			case ';':
				c.part = inExtension
			case '\r':
				c.part = sizeLF
			default:
				return nil, 0, false, fault.New(fault.BadRequest, "a chunk size is not a hexadecimal number")
			}
			n++
		case inExtension:
			end := scanValue(in, n)
			if end-n > maxExtensions-int(c.extensions) {
				return nil, 0, false, fault.New(fault.BadRequest, "the chunk extensions are too long")
			}
			c.extensions += uint16(end - n)
			if n = end; n == len(in) {
				continue
			}
			if in[n] != '\r' {
				return nil, 0, false, fault.New(fault.BadRequest, "a chunk extension holds a control character")
			}
			n++
			c.part = sizeLF
		case sizeLF:
			if b != '\n' {
				return nil, 0, false, badLineEnd()
			}
			n++
			c.total += c.size
			if c.part = inData; c.size == 0 {
				c.part = inTrailer
			}
			c.digits = 0
		case inData:
			if data != nil {
				return data, n, false, nil // one piece a call
			}
			m := int(min(c.size, int64(len(in)-n)))
			data = in[n : n+m : n+m]
			n += m
			if c.size -= int64(m); c.size == 0 {
				c.part = dataCR
			}
		case dataCR:
			if b != '\r' {
				return nil, 0, false, badChunkEnd()
			}
			n++
			c.part = dataLF
		case dataLF:
			if b != '\n' {
				return nil, 0, false, badChunkEnd()
			}
			n++
			c.part = inSize
		}
		if data != nil && c.part == inSize {
			// The chunk is used up with its line end: hand it out before anything of the next one can fail.
			return data, n, false, nil
		}
	}
}

func badChunkEnd() *fault.Error {
	return fault.New(fault.BadRequest, "a chunk is longer than its size")
}

// trailers takes whole lines of the trailer section (RFC 9112 section 7.1.2) from in, until the empty line that ends
// the body, and returns how many bytes they are.
func (c *Chunks) trailers(r *message.Request, in []byte) (n int, err *fault.Error) {
	for {
		line := in[n:]
		if rest := c.maxTrailer - c.used; len(line) > rest {
			line = line[:rest]
		}
		if len(line) > 0 && line[0] == '\r' {
			if len(line) > 1 {
				if line[1] != '\n' {
					return 0, badLineEnd()
				}
				c.part = bodyEnd
				return n + 2, nil
			}
		} else if len(line) > 0 {
			size, err := c.trailerLine(r, line)
			if err != nil {
				return 0, err
			}
			if size > 0 {
				n += size
				c.used += size
				continue
			}
		}
		if c.used+len(line) >= c.maxTrailer {
			return 0, fault.New(fault.HeaderFieldsTooLarge, "the trailer section is longer than the limit of "+strconv.Itoa(c.maxTrailer)+" bytes")
		}
		return n, nil
	}
}

// trailerLine takes the field line at the start of b and returns its size with its line end, 0 when it is
// incomplete.
func (c *Chunks) trailerLine(r *message.Request, b []byte) (size int, err *fault.Error) {
	if int(c.fields) == c.maxField {
		return 0, fault.New(fault.HeaderFieldsTooLarge, "more trailer fields than the limit of "+strconv.Itoa(c.maxField))
	}
	// Until the colon is there the name is scanned anew with every piece; a name may not be longer than this.
	const maxTrailerName = 256
	colon := scanName(b[:min(len(b), maxTrailerName)], 0)
	if colon == len(b) {
		return 0, nil
	}
	if b[colon] != ':' || colon == 0 {
		if colon == maxTrailerName && ascii.IsTokenByte(b[colon]) {
			return 0, fault.New(fault.HeaderFieldsTooLarge, "the name of a trailer field is longer than the limit of "+strconv.Itoa(maxTrailerName)+" bytes")
		}
		return 0, badName(b, colon, 0)
	}
	end := scanValue(b, max(colon+1, int(c.scanned)))
	if end == len(b) || (b[end] == '\r' && end+1 == len(b)) {
		c.scanned = uint32(end)
		return 0, nil
	}
	if b[end] != '\r' {
		return 0, badValue(b[end])
	}
	if b[end+1] != '\n' {
		return 0, badLineEnd()
	}
	c.scanned = 0
	c.fields++
	if !message.ForbiddenInTrailer(b[:colon]) {
		c.keep(r, b[:end], colon)
	}
	return end + 2, nil
}

// keep adds a trailer field to r.
func (c *Chunks) keep(r *message.Request, line []byte, colon int) {
	from, to := colon+1, len(line)
	for from < to && (line[from] == ' ' || line[from] == '\t') {
		from++
	}
	for to > from && (line[to-1] == ' ' || line[to-1] == '\t') {
		to--
	}
	start := uint32(len(c.trailer))
	c.trailer = append(c.trailer, line...)
	r.TrailerHead = c.trailer
	r.Trailer = append(r.Trailer, message.Field{
		Name:  message.Span{Off: start, Len: uint32(colon)},
		Value: message.Span{Off: start + uint32(from), Len: uint32(to - from)},
	})
}

// unhex returns the value of a hexadecimal digit, 0xff for any other byte.
func unhex(c byte) byte {
	switch {
	case c-'0' < 10:
		return c - '0'
	case c|0x20-'a' < 6:
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

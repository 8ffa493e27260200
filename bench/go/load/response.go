package main

import (
	"bytes"
	"errors"
	"fmt"
)

// maxHead bounds the head of a response: no server of the benchmarks comes near.
const maxHead = 64 << 10

var (
	errHead   = errors.New("the head of a response is no HTTP/1.1 or too long")
	errChunk  = errors.New("a chunk of a response is not well formed")
	errLength = errors.New("a response is longer or shorter than it must be")
	errBody   = errors.New("a response has another body than it must have")
)

// reader checks the responses of one connection as their bytes arrive. It keeps no body: bytes are compared where they are.
//
//	head ──▶ body by length ────────────────────▶ head
//	     ├─▶ chunk size ─▶ chunk ─▶ chunk end ─▶ … ─▶ trailer ─▶ head
//	     └─▶ body until the connection ends
type reader struct {
	state   readState
	part    []byte // a line or head that has not ended
	left    int64  // bytes of the body or chunk that are still to come
	at      int    // bytes of the body that were seen
	status  int
	closing bool // the server will close the connection
}

type readState uint8

const (
	inHead readState = iota
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inTrailer
	inRest // the body ends with the connection
)

// feed reads from data what belongs to the answer to a. rest is what follows; done says that the answer is complete
// and right.
func (r *reader) feed(data []byte, a *ask) (rest []byte, done bool, err error) {
	for {
		switch r.state {
		case inHead:
			head, rest, ok, err := r.until(data, "\r\n\r\n")
			if !ok || err != nil {
				return nil, false, err
			}
			data = rest
			if err := r.begin(head, a); err != nil {
				return nil, false, err
			}
			r.part = r.part[:0]
			if r.state == inBody && r.left == 0 {
				return r.end(data, a)
			}
		case inBody, inChunk, inRest:
			n := int64(len(data))
			if r.state != inRest {
				n = min(n, r.left)
			}
			if n == 0 {
				return nil, false, nil
			}
			if err := r.compare(data[:n], a); err != nil {
				return nil, false, err
			}
			data = data[n:]
			if r.left -= n; r.state == inRest || r.left > 0 {
				continue
			}
			if r.state == inBody {
				return r.end(data, a)
			}
			r.state, r.left = inChunkEnd, 0
		case inChunkSize, inChunkEnd, inTrailer:
			line, rest, ok, err := r.until(data, "\r\n")
			if !ok || err != nil {
				return nil, false, err
			}
			data = rest
			last, err := r.line(line)
			r.part = r.part[:0]
			if err != nil {
				return nil, false, err
			}
			if last {
				return r.end(data, a)
			}
		}
	}
}

// line goes on after a line between chunks.
func (r *reader) line(line []byte) (last bool, err error) {
	switch r.state {
	case inChunkEnd:
		if len(line) != 0 {
			return false, errChunk
		}
		r.state = inChunkSize
	case inTrailer:
		return len(line) == 0, nil
	default:
		if i := bytes.IndexByte(line, ';'); i >= 0 {
			line = line[:i]
		}
		if len(line) == 0 || len(line) > 8 {
			return false, errChunk
		}
		r.left = 0
		for _, c := range line {
			switch {
			case c >= '0' && c <= '9':
				c -= '0'
			case c|0x20 >= 'a' && c|0x20 <= 'f':
				c = c | 0x20 - 'a' + 10
			default:
				return false, errChunk
			}
			r.left = r.left<<4 | int64(c)
		}
		if r.state = inChunk; r.left == 0 {
			r.state = inTrailer
		}
	}
	return false, nil
}

// until cuts data after the first mark; what has no mark yet is kept for the next bytes.
func (r *reader) until(data []byte, mark string) (before, after []byte, ok bool, err error) {
	if len(r.part) == 0 {
		if i := bytes.Index(data, []byte(mark)); i >= 0 {
			return data[:i], data[i+len(mark):], true, nil
		}
		r.part = append(r.part, data...)
	} else {
		from := max(len(r.part)-len(mark)+1, 0)
		old := len(r.part)
		r.part = append(r.part, data...)
		if i := bytes.Index(r.part[from:], []byte(mark)); i >= 0 {
			cut := from + i + len(mark)
			return r.part[:from+i], data[cut-old:], true, nil
		}
	}
	if len(r.part) > maxHead {
		return nil, nil, false, errHead
	}
	return nil, nil, false, nil
}

// begin reads a head.
func (r *reader) begin(head []byte, a *ask) error {
	if len(head) < 12 || string(head[:7]) != "HTTP/1." {
		return errHead
	}
	r.status = int(head[9]-'0')*100 + int(head[10]-'0')*10 + int(head[11]-'0')
	r.closing = head[7] == '0'
	r.at, r.left, r.state = 0, -1, inBody
	chunked := false
	for {
		i := bytes.IndexByte(head, '\n')
		if i < 0 {
			break
		}
		head = head[i+1:]
		line := head
		if end := bytes.IndexByte(line, '\r'); end >= 0 {
			line = line[:end]
		}
		// Only three names matter, and their lengths tell them from nearly all others.
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			continue
		}
		value := bytes.Trim(line[colon+1:], " \t")
		switch {
		case colon == 14 && bytes.EqualFold(line[:14], []byte("content-length")):
			r.left = 0
			for _, c := range value {
				if c < '0' || c > '9' || r.left > 1<<40 {
					return errHead
				}
				r.left = r.left*10 + int64(c-'0')
			}
		case colon == 17 && bytes.EqualFold(line[:17], []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case colon == 10 && bytes.EqualFold(line[:10], []byte("connection")):
			r.closing = bytes.EqualFold(value, []byte("close"))
		}
	}
	if r.status != a.Status {
		return fmt.Errorf("status %d instead of %d", r.status, a.Status)
	}
	switch {
	case r.status == 204 || r.status == 304: // RFC 9112 section 6.3: these have no body
		r.left = 0
	case chunked:
		r.state, r.left = inChunkSize, 0
	case r.left < 0:
		r.state, r.closing = inRest, true
	case a.Body != nil && r.left != int64(len(a.Body)):
		return errLength
	}
	return nil
}

// compare checks a piece of a body.
func (r *reader) compare(piece []byte, a *ask) error {
	at := r.at
	r.at += len(piece)
	if a.Body == nil {
		return nil
	}
	if r.at > len(a.Body) {
		return errLength
	}
	want := a.Body[at:r.at]
	if bytes.Equal(piece, want) {
		return nil
	}
	if a.Gzip {
		for i := range piece {
			if p := at + i; piece[i] != want[i] && (p < 4 || p >= 8) {
				return errBody
			}
		}
		return nil
	}
	return errBody
}

// finish ends a body that ends with the connection.
func (r *reader) finish(a *ask) (done bool, err error) {
	if r.state != inRest {
		return false, nil
	}
	_, done, err = r.end(nil, a)
	return done, err
}

func (r *reader) end(rest []byte, a *ask) ([]byte, bool, error) {
	r.state = inHead
	if a.Body != nil && r.at != len(a.Body) || a.Body == nil && a.Empty != (r.at == 0) {
		return nil, false, errLength
	}
	return rest, true, nil
}

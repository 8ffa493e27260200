package engine

import (
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/transport"
)

// framing says how the end of a response body is told.
type framing uint8

const (
	// noBody: the status or the method allows none; what the handler writes is dropped.
	noBody framing = iota
	byLength
	byChunks
	byClose
)

// outBody is the state of the response of the exchange in progress.
type outBody struct {
	// started: the head of the final response has been written. streaming: and pieces may follow.
	started, streaming bool
	// keep: the head promised that the connection goes on. ours: it is our decision, not the client's, that it does
	// not, so that more requests may be on their way.
	keep, ours bool
	framed     framing
	left       int64 // with byLength
	// owed: Write returned more than 0 and Drained has not been called since.
	owed bool
	// informed counts the bytes of interim responses: see maxInterim.
	informed int
}

// maxInterim bounds the interim responses of one exchange, in bytes: a handler that never stops hinting must not fill
// the memory of a client that does not read, nor the patience of one that does.
const maxInterim = 32 << 10

// interimLine is about what the status line of an interim response and its empty line take.
const interimLine = 32

// smallBody is the largest body that is copied into the reservation of the head; larger ones may span buffers.
const smallBody = 16 << 10

// mayHaveBody reports whether a response of that status can have a body at all (RFC 9112 section 6.3).
func mayHaveBody(status int) bool { return status >= 200 && status != 204 && status != 304 }

// resetContent is the status whose body is framed like any other and must be empty all the same (RFC 9110 section
// 15.3.6): clients may take it to have none, and what follows for the next response.
const resetContent = 205

// wire decides what the head says about the connection, and counts the response. More says that the handler may go on
// reading the request while it answers.
func (s *session) wire(x *message.Exchange, more bool) h1.Wire {
	q, r := &x.Request, &x.Response
	if r.Status < 200 || r.Status > 999 {
		r.Status = 500 // not a final status; the rest of the response is the handler's
	}
	if q.Method == message.MethodConnect && r.Status/100 == 2 {
		r.Status = 501 // RFC 9110 section 9.3.6: it would make the connection a tunnel, and there is none
	}
	s.out.started = true
	s.by[byAnswer] = 0
	s.sh.count.responses[statusClass(r.Status)].Add(1)

	version := q.Version
	if version != message.HTTP10 {
		version = message.HTTP11 // also when the request was too broken to tell
	}
	willing := !r.Close && s.goesOn(more)
	s.out.keep = willing && q.KeepAlive
	s.out.ours = !willing
	return h1.Wire{
		Version:   version,
		Head:      q.Method == message.MethodHead,
		KeepAlive: s.out.keep,
		Date:      s.sh.date.at(s.loop.Now()),
		Length:    -1,
	}
}

func statusClass(status int) int {
	if c := status / 100; c < 6 {
		return c
	}
	return 0
}

// goesOn reports whether another request may follow on this connection, as far as it is up to us: see wire.
func (s *session) goesOn(more bool) bool {
	if s.in.broken || s.eof || s.sh.drain.active {
		return false
	}
	if most := s.sh.cfg.MaxRequestsPerConn; most > 0 && s.served >= most {
		return false
	}
	if s.x.Request.Method == message.MethodConnect {
		return false // the client may take what follows for a tunnel
	}
	if s.in.done {
		return true
	}
	// What is left of the request body would have to be read first.
	q := &s.x.Request
	switch {
	case q.ExpectContinue && !s.in.begun && !s.in.asked:
		return false // RFC 9110 section 10.1.1: the client may send the body now, or not: nobody knows what comes next
	case s.tooMuchLeft() && !(more && s.in.wanted):
		return false // RFC 9112 section 9.6: who intends to close the connection says so
	}
	return true
}

// tooMuchLeft reports whether more of the request body is known to come than would be thrown away.
func (s *session) tooMuchLeft() bool { return !s.in.done && !s.in.chunked && s.in.left > maxDiscard }

// writeWhole writes a response whose body is known.
func (s *session) writeWhole(x *message.Exchange) {
	r := &x.Response
	body := r.Body
	w := s.wire(x, false)
	if s.wholeWithTrailer(r, w, body) {
		return
	}
	switch {
	case !mayHaveBody(r.Status):
		body = nil
	case r.Status == resetContent:
		w.Length, body = 0, nil
	case w.Head:
		// RFC 9110 section 9.3.2: the length that the answer to GET would have, if it is known.
		if w.Length = r.Length; w.Length < 0 && len(body) > 0 {
			w.Length = int64(len(body))
		}
		body = nil
	default:
		w.Length = int64(len(body))
	}
	if len(body) <= smallBody {
		s.writeHead(r, w, body)
		return
	}
	s.writeHead(r, w, nil)
	s.write(body)
}

// writeStart writes the head of a response whose body follows in pieces.
func (s *session) writeStart(x *message.Exchange) {
	r := &x.Response
	w := s.wire(x, true)
	s.out.streaming = true
	switch {
	case !mayHaveBody(r.Status):
		s.out.framed = noBody
	case r.Status == resetContent:
		w.Length = 0
		s.out.framed = noBody
	case w.Head:
		w.Length = r.Length
		s.out.framed = noBody
	case r.Length >= 0:
		w.Length = r.Length
		s.out.framed, s.out.left = byLength, r.Length
	case w.Version >= message.HTTP11:
		w.Chunked = true
		s.out.framed = byChunks
	default:
		// RFC 9112 section 6.3, item 8: an HTTP/1.0 client learns the end from the end of the connection.
		s.out.framed = byClose
		s.out.keep, w.KeepAlive = false, false
	}
	s.writeHead(r, w, nil)
}

// writeHead writes a head and a small body behind it.
func (s *session) writeHead(r *message.Response, w h1.Wire, body []byte) {
	bound := h1.HeadBound(r) + len(s.sh.server) + len(body)
	if bound > transport.MaxReserve {
		s.sh.head = s.appendHead(s.sh.head[:0], r, w)
		s.write(s.sh.head)
		s.write(body)
		s.sh.head = nil
		return
	}
	b := append(s.appendHead(s.conn.Reserve(bound), r, w), body...)
	s.commit(len(b))
}

// appendHead appends the codec's head and, in place of the empty line at its end, the Server field.
func (s *session) appendHead(dst []byte, r *message.Response, w h1.Wire) []byte {
	dst = h1.AppendHead(dst, r, w)
	if len(s.sh.server) > 0 {
		dst = append(dst[:len(dst)-len("\r\n")], s.sh.server...)
	}
	return dst
}

// writeInterim writes a 1xx response.
func (s *session) writeInterim(status int, fields []byte) {
	s.sh.head = h1.AppendInterim(s.sh.head[:0], status, fields)
	s.write(s.sh.head)
	if cap(s.sh.head) > maxKeptFields {
		s.sh.head = nil
	}
}

// chunkFrame is more than the size and the line ends around a chunk take.
const chunkFrame = 32

// writePiece writes a piece of the response body.
func (s *session) writePiece(p []byte) {
	switch s.out.framed {
	case noBody:
	case byClose:
		s.write(p)
	case byLength:
		s.write(p[:s.within(int64(len(p)))])
	case byChunks:
		switch {
		case len(p) == 0: // a chunk of no bytes would end the body (RFC 9112 section 7.1)
		case len(p) <= smallBody:
			b := h1.AppendChunkSize(s.conn.Reserve(len(p)+chunkFrame), len(p))
			b = append(append(b, p...), h1.ChunkEnd...)
			s.commit(len(b))
		default:
			b := h1.AppendChunkSize(s.conn.Reserve(chunkFrame), len(p))
			s.commit(len(b))
			s.write(p)
			b = append(s.conn.Reserve(chunkFrame), h1.ChunkEnd...)
			s.commit(len(b))
		}
	}
}

// within returns how many of n bytes the declared length has room for, and counts them.
func (s *session) within(n int64) int64 {
	if n > s.out.left {
		// More than declared would be read as the next response.
		s.sh.count.bugs.Add(1)
		s.sh.cfg.Logger.Error("response body is longer than its declared length")
		n = s.out.left
		s.out.keep = false
	}
	s.out.left -= n
	return n
}

// writeFile writes n bytes of a file as a piece of the response body.
func (s *session) writeFile(f *file.File, off, n int64) {
	switch s.out.framed {
	case noBody:
		return
	case byLength:
		n = s.within(n)
	case byChunks:
		if n == 0 {
			return
		}
		b := h1.AppendChunkSize(s.conn.Reserve(chunkFrame), int(n))
		s.commit(len(b))
		defer func() {
			b := append(s.conn.Reserve(chunkFrame), h1.ChunkEnd...)
			s.commit(len(b))
		}()
	}
	if n > 0 {
		s.conn.SendFile(f, off, n)
		s.written += uint64(n)
		s.watchOutput()
	}
}

// wholeWithTrailer writes a response whose body is known in chunks when trailer fields follow it: only there is a place
// for them (RFC 9112 section 6.5). False: there are none, or there is no such place in this response.
func (s *session) wholeWithTrailer(r *message.Response, w h1.Wire, body []byte) bool {
	if len(r.Trailers()) == 0 || w.Head || w.Version < message.HTTP11 || !mayHaveBody(r.Status) || r.Status == resetContent {
		return false
	}
	w.Chunked = true
	s.out.framed = byChunks
	s.writeHead(r, w, nil)
	s.writePiece(body)
	s.writeLastChunk(r)
	return true
}

// writeLastChunk ends a chunked body, with its trailer fields.
func (s *session) writeLastChunk(r *message.Response) {
	fields := r.Trailers()
	if len(fields) > transport.MaxReserve-chunkFrame {
		s.write(h1.AppendTrailer(nil, fields))
		return
	}
	b := h1.AppendTrailer(s.conn.Reserve(len(fields)+chunkFrame), fields)
	s.commit(len(b))
}

// write and commit are all output of a session.
func (s *session) write(p []byte) {
	if len(p) == 0 {
		return
	}
	s.conn.Write(p)
	s.written += uint64(len(p))
	s.watchOutput()
}

func (s *session) commit(n int) {
	s.conn.Commit(n)
	s.written += uint64(n)
	s.watchOutput()
}

package h1

import (
	"net/http"
	"strconv"

	"github.com/covetpy/covet/internal/message"
)

const (
	// ChunkEnd ends the data of every chunk but the last.
	ChunkEnd = "\r\n"
	// LastChunk ends a chunked body that has no trailer fields.
	LastChunk = "0\r\n\r\n"
)

// Wire is what the connection knows about a response, beside the response itself.
type Wire struct {
	// Version is the client's.
	Version message.Version
	// Head tells that the request was HEAD: the response ends with its head.
	Head bool
	// KeepAlive tells that the connection stays open after this response.
	KeepAlive bool
	// Date is the value of the Date field, 29 bytes, as AppendDate writes it. Empty: no Date.
	Date []byte
	// Chunked tells that the body is chunked. Never with an HTTP/1.0 client.
	Chunked bool
	// Length is the length of the body, or of the one that the answer to HEAD stands for; -1 for no Content-Length.
	// Without Content-Length and without Chunked a body ends with the connection.
	Length int64
}

// maxOwnFields is what a head holds at most beside r.Fields: the status line (15 bytes and a reason of at most 31,
// "Network Authentication Required"), date (37), content-type (16 and 25), one of content-length (37) and
// transfer-encoding (28), connection (24 and 9), the names of trailer (11) and upgrade (11), the empty line (2): 218.
const maxOwnFields = 256

// HeadBound returns an upper bound of the bytes that AppendHead adds for r.
func HeadBound(r *message.Response) int {
	return maxOwnFields + len(r.Fields()) + r.AnnouncedBound() + len(r.Offer())
}

// AppendHead appends the head of a final response: status line, the fields that the codec owns, r.Fields, the empty
// line. A status outside 200 to 999 is written as 500: an interim response is for AppendInterim.
//
// A head that cannot have a body carries no framing, whatever w says: 204 neither length nor coding (RFC 9110 section
// 8.6, RFC 9112 section 6.1), 304 and answers to HEAD no coding, 304 no length of 0, because that would have to be
// the one of the representation.
func AppendHead(dst []byte, r *message.Response, w Wire) []byte {
	status := r.Status
	if status < 200 || status > 999 {
		status = http.StatusInternalServerError
	}
	dst = appendStatusLine(dst, status)
	if len(w.Date) > 0 {
		// RFC 9110 section 6.6.1: an origin server with a clock sends Date.
		dst = append(dst, "date: "...)
		dst = append(dst, w.Date...)
		dst = append(dst, "\r\n"...)
	}
	if t := r.Type.String(); t != "" {
		dst = append(dst, "content-type: "...)
		dst = append(dst, t...)
		dst = append(dst, "\r\n"...)
	}
	switch {
	case status == http.StatusNoContent:
	case w.Chunked:
		if !w.Head && status != http.StatusNotModified {
			dst = append(dst, "transfer-encoding: chunked\r\n"...)
			if r.Announced() {
				// RFC 9110 section 6.6.2: a sender SHOULD name the fields that might be in the trailer section.
				dst = append(r.AppendAnnounced(append(dst, "trailer: "...)), "\r\n"...)
			}
		}
	case w.Length > 0 || (w.Length == 0 && status != http.StatusNotModified):
		dst = append(dst, "content-length: "...)
		dst = strconv.AppendInt(dst, w.Length, 10)
		dst = append(dst, "\r\n"...)
	}
	// RFC 9112 section 9.3 and 9.6. The status line says 1.1 to everyone (RFC 9110 section 2.5), so an HTTP/1.0
	// client, too, is told both that the connection ends and that it stays.
	switch {
	case r.Offer() != "":
		dst = appendOffer(dst, r.Offer(), w)
	case !w.KeepAlive:
		dst = append(dst, "connection: close\r\n"...)
	case w.Version < message.HTTP11:
		dst = append(dst, "connection: keep-alive\r\n"...)
	}
	dst = append(dst, r.Fields()...)
	return append(dst, "\r\n"...)
}

// appendOffer appends Upgrade with its connection option: "A sender of Upgrade MUST also send an "Upgrade" connection
// option" (RFC 9110 section 7.8).
func appendOffer(dst []byte, protocols string, w Wire) []byte {
	dst = append(dst, "connection: upgrade"...)
	if !w.KeepAlive {
		dst = append(dst, ", close"...)
	} else if w.Version < message.HTTP11 {
		dst = append(dst, ", keep-alive"...)
	}
	dst = append(dst, "\r\nupgrade: "...)
	dst = append(dst, protocols...)
	return append(dst, "\r\n"...)
}

// AppendSwitch appends the answer that ends HTTP on a connection: 101 (Switching Protocols) with its Connection and
// Upgrade (RFC 9110 section 15.2.2), and fields in wire form.
func AppendSwitch(dst []byte, protocol string, fields []byte) []byte {
	dst = append(appendStatusLine(dst, http.StatusSwitchingProtocols), "connection: upgrade\r\nupgrade: "...)
	dst = append(append(dst, protocol...), "\r\n"...)
	return append(append(dst, fields...), "\r\n"...)
}

// AppendTrailer appends the end of a chunked body with trailer fields in wire form (RFC 9112 section 7.1.2).
func AppendTrailer(dst, fields []byte) []byte {
	return append(append(append(dst, "0\r\n"...), fields...), "\r\n"...)
}

// AppendInterim appends an interim response (RFC 9110 section 15.2) with fields in wire form, "name: value\r\n" each.
func AppendInterim(dst []byte, status int, fields []byte) []byte {
	dst = appendStatusLine(dst, status)
	dst = append(dst, fields...)
	return append(dst, "\r\n"...)
}

func appendStatusLine(dst []byte, status int) []byte {
	if status == http.StatusOK {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+status/100%10), byte('0'+status/10%10), byte('0'+status%10), ' ')
	// RFC 9112 section 4: the reason may be empty, the space before it may not be missing.
	dst = append(dst, http.StatusText(status)...)
	return append(dst, "\r\n"...)
}

// AppendChunkSize appends the line before a chunk of n bytes. n must not be 0, which would end the body.
func AppendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(n), 16)
	return append(dst, "\r\n"...)
}

package h1

import (
	"strconv"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// framing decides how the body of r is delimited (RFC 9112 section 6.3), whether the connection may be kept
// (section 9.3) and whether the client waits for 100 (Continue).
func framing(l *Limits, r *message.Request, h *heads) (f Framing, err *fault.Error) {
	r.ContentLength = 0
	switch {
	case h.codings > 0:
		if err = coding(r, h); err != nil {
			return NoBody, err
		}
		f = Chunked
		r.ContentLength = -1
	case h.lengths > 0:
		if r.ContentLength, err = length(l, r, h); err != nil {
			return NoBody, err
		}
		if r.ContentLength > 0 {
			f = ByLength
		}
	}
	// RFC 9112 section 9.3: "close" wins; 1.1 persists by default, 1.0 only when asked to.
	r.KeepAlive = !h.close && (r.Version >= message.HTTP11 || h.keepAlive)
	r.ExpectContinue = false
	// RFC 9110 section 10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore
	// that expectation"; an HTTP/1.0 client knows of no other.
	if r.Version >= message.HTTP11 {
		if h.expectOther {
			return NoBody, fault.New(fault.ExpectationFailed, "the only expectation that can be met is 100-continue")
		}
		// Without content nothing is waited for: the server "MAY omit" the 100.
		r.ExpectContinue = h.expectContinue && f != NoBody
	}
	r.BodyComplete = f == NoBody
	return f, nil
}

// coding accepts exactly one transfer coding, chunked.
func coding(r *message.Request, h *heads) *fault.Error {
	switch {
	case r.Version < message.HTTP11:
		// RFC 9112 section 6.1: "A server … that receives an HTTP/1.0 message containing a Transfer-Encoding header
		// field MUST treat the message as if the framing is faulty".
		return fault.New(fault.BadRequest, "Transfer-Encoding in an HTTP/1.0 request")
	case h.lengths > 0:
		// RFC 9112 section 6.3: such a message "ought to be handled as an error".
		return fault.New(fault.BadRequest, "both Transfer-Encoding and Content-Length")
	case h.codings > 1:
		return fault.New(fault.BadRequest, "more than one Transfer-Encoding field")
	case h.padded:
		return fault.New(fault.BadRequest, "white space around the value of Transfer-Encoding")
	}
	value := r.Fields[h.coding].Value.In(r.Head)
	if ascii.EqualFold(value, "chunked") {
		return nil
	}
	if len(value) == 0 || HasToken(value, "chunked") && !endsWithChunkedOnly(value) {
		// RFC 9112 section 6.3: "If a Transfer-Encoding header field is present in a request and the chunked transfer
		// coding is not the final encoding, the message body length cannot be determined reliably": 400. Section 7.1:
		// chunked must not be applied twice.
		return fault.New(fault.BadRequest, "chunked is not the final transfer coding")
	}
	// RFC 9112 section 6.1: a coding that the server does not understand is answered with 501.
	return fault.New(fault.NotImplemented, "the only transfer coding understood is chunked")
}

// endsWithChunkedOnly reports whether chunked is the last member of a list and no other member.
func endsWithChunkedOnly(list []byte) bool {
	comma := len(list) - 1
	for comma >= 0 && list[comma] != ',' {
		comma--
	}
	return comma >= 0 && HasToken(list[comma:], "chunked") && !HasToken(list[:comma], "chunked")
}

// length parses the one Content-Length, strictly 1*DIGIT (RFC 9110 section 8.6).
func length(l *Limits, r *message.Request, h *heads) (int64, *fault.Error) {
	if h.lengths > 1 {
		// RFC 9112 section 6.3 lets a recipient merge identical values; nobody who is honest sends them.
		return 0, fault.New(fault.BadRequest, "more than one Content-Length field")
	}
	value := r.Hot(message.HotContentLength)
	n, ok := decimal(value)
	if !ok || h.padded {
		return 0, fault.New(fault.BadRequest, "Content-Length is not a number")
	}
	if limit := l.body(); n > limit {
		return 0, tooLarge(limit)
	}
	return n, nil
}

func tooLarge(limit int64) *fault.Error {
	return fault.New(fault.ContentTooLarge, "the request body is longer than the limit of "+strconv.FormatInt(limit, 10)+" bytes")
}

// decimal parses 1*DIGIT of at most 18 digits, which cannot overflow (RFC 9110 section 8.6: a recipient "MUST
// anticipate potentially large decimal numerals and prevent parsing errors due to integer conversion overflows").
func decimal(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

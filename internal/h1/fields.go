package h1

import (
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// heads is what the parser notes about the fields of a head while it goes over them. What the notes mean is judged
// only when the head is complete: see framing and Parser.target.
type heads struct {
	hot [message.HotCount]int16
	// hosts, lengths and codings count the fields that decide where a message ends and whom it is for.
	hosts, lengths, codings int16
	// coding is the index of the first Transfer-Encoding.
	coding int16
	// padded: more than one space before the value of Content-Length or Transfer-Encoding, or white space behind it.
	padded bool
	// close and keepAlive are options seen in Connection.
	close, keepAlive bool
	// expectContinue: Expect with 100-continue; expectOther: with anything else.
	expectContinue, expectOther bool
}

// reset empties h for another head.
func (h *heads) reset() {
	*h = heads{}
	for i := range h.hot {
		h.hot[i] = -1
	}
}

// add adds the field line w[start:end], whose name ends at colon, to r.Fields, and notes it in h.
func (h *heads) add(r *message.Request, w []byte, start, colon, end int) {
	// RFC 9112 section 5.1: the value excludes the optional white space around it.
	from, to := colon+1, end
	for from < to && (w[from] == ' ' || w[from] == '\t') {
		from++
	}
	for to > from && (w[to-1] == ' ' || w[to-1] == '\t') {
		to--
	}
	index := int16(len(r.Fields))
	r.Fields = append(r.Fields, message.Field{
		Name:  message.Span{Off: uint32(start), Len: uint32(colon - start)},
		Value: message.Span{Off: uint32(from), Len: uint32(to - from)},
	})

	name := w[start:colon]
	hot := message.HotCount
	switch len(name) {
	case len("host"):
		if same(name, "host") {
			hot = message.HotHost
			h.hosts++
		}
	case len("cookie"): // accept, expect
		switch {
		case same(name, "accept"):
			hot = message.HotAccept
		case same(name, "cookie"):
			hot = message.HotCookie
		case same(name, "expect"):
			h.expect(w[from:to])
		}
	case len("user-agent"): // connection
		switch {
		case same(name, "user-agent"):
			hot = message.HotUserAgent
		case same(name, "connection"):
			h.connection(w[from:to])
		}
	case len("content-type"):
		if same(name, "content-type") {
			hot = message.HotContentType
		}
	case len("authorization"):
		if same(name, "authorization") {
			hot = message.HotAuthorization
		}
	case len("content-length"):
		if same(name, "content-length") {
			hot = message.HotContentLength
			h.lengths++
			h.padded = h.padded || padded(w, colon, from, to, end)
		}
	case len("accept-encoding"):
		if same(name, "accept-encoding") {
			hot = message.HotAcceptEncoding
		}
	case len("transfer-encoding"):
		if same(name, "transfer-encoding") {
			if h.codings == 0 {
				h.coding = index
			}
			h.codings++
			h.padded = h.padded || padded(w, colon, from, to, end)
		}
	}
	if hot < message.HotCount && h.hot[hot] < 0 {
		h.hot[hot] = index
	}
}

// padded reports whether a value w[from:to] is set off by anything but one space at most.
func padded(w []byte, colon, from, to, end int) bool {
	return to != end || from > colon+2 || (from == colon+2 && w[colon+1] != ' ')
}

// same reports whether a token equals a lower-case name of letters and hyphens, of the same length, without regard
// to case. Setting bit 5 maps to those characters nothing else that a token may hold.
func same(token []byte, lower string) bool {
	for i := 0; i < len(lower) && i < len(token); i++ {
		if token[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// connection notes the options of one Connection field (RFC 9110 section 7.6.1).
func (h *heads) connection(value []byte) {
	// Most clients send exactly this.
	if ascii.EqualFold(value, "keep-alive") {
		h.keepAlive = true
		return
	}
	h.close = h.close || HasToken(value, "close")
	h.keepAlive = h.keepAlive || HasToken(value, "keep-alive")
}

// expect notes one Expect field (RFC 9110 section 10.1.1).
func (h *heads) expect(value []byte) {
	if ascii.EqualFold(value, "100-continue") {
		h.expectContinue = true
	} else {
		h.expectOther = true
	}
}

// HasToken reports whether a field value that is a comma-separated list (RFC 9110 section 5.6.1), such as that of
// Connection or Upgrade, has the lower-case member, without regard to case.
func HasToken(list []byte, lower string) bool {
	for i := 0; i < len(list); {
		for i < len(list) && (list[i] == ',' || list[i] == ' ' || list[i] == '\t') {
			i++
		}
		start := i
		for i < len(list) && list[i] != ',' {
			i++
		}
		end := i
		for end > start && (list[end-1] == ' ' || list[end-1] == '\t') {
			end--
		}
		if end > start && ascii.EqualFold(list[start:end], lower) {
			return true
		}
	}
	return false
}

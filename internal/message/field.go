package message

// Span is a piece of a Request's Head: bytes [Off, Off+Len). Spans survive the move of a head to another buffer.
type Span struct{ Off, Len uint32 }

// In returns the bytes of head that s names.
func (s Span) In(head []byte) []byte { return head[s.Off : s.Off+s.Len : s.Off+s.Len] }

// Field is one header field of a request: name as received (any case), value without surrounding white space.
type Field struct{ Name, Value Span }

// Hot names a request field that codecs index while they parse, because nearly every request or handler asks for it.
type Hot uint8

// The numbers are part of the bridge's layout: never reorder them.
const (
	HotHost Hot = iota
	HotContentType
	HotContentLength
	HotCookie
	HotAuthorization
	HotAccept
	HotAcceptEncoding
	HotUserAgent
	// HotCount is how many there are.
	HotCount
)

// String returns the field name in lower case.
func (h Hot) String() string {
	switch h {
	case HotHost:
		return "host"
	case HotContentType:
		return "content-type"
	case HotContentLength:
		return "content-length"
	case HotCookie:
		return "cookie"
	case HotAuthorization:
		return "authorization"
	case HotAccept:
		return "accept"
	case HotAcceptEncoding:
		return "accept-encoding"
	case HotUserAgent:
		return "user-agent"
	}
	return ""
}

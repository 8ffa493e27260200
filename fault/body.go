package fault

import (
	"encoding/hex"
	"time"
	"unicode/utf8"
)

// AppendBody appends the structured body of an error response:
//
//	{"error":{"code":…,"message":…,"details":…,"request_id":…,"timestamp":…}}
//
// The timestamp is at in UTC by RFC 3339 with milliseconds. Details is null when the error has none.
func AppendBody(dst []byte, e *Error, requestID [16]byte, at time.Time) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = appendString(dst, string(e.Code))
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.Text())
	dst = append(dst, `,"details":`...)
	if len(e.Details) == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, e.Details...)
	}
	dst = append(dst, `,"request_id":"`...)
	dst = hex.AppendEncode(dst, requestID[:])
	dst = append(dst, `","timestamp":"`...)
	dst = at.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, `"}}`...)
}

// appendString appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

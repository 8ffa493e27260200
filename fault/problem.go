package fault

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
)

// AppendProblem appends the body of an error response as problem details (RFC 9457 section 3), with the members of the
// structured form as extensions (section 3.2):
//
//	{"type":"about:blank","title":…,"status":…,"detail":…,"code":…,"details":…,"request_id":…}
//
// Details that are not JSON are left out.
func AppendProblem(dst []byte, e *Error, requestID [16]byte) []byte {
	status := e.HTTPStatus()
	dst = append(dst, `{"type":"about:blank","title":`...)
	dst = appendString(dst, http.StatusText(status))
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, `,"detail":`...)
	dst = appendString(dst, e.Text())
	dst = append(dst, `,"code":`...)
	dst = appendString(dst, string(e.Code))
	dst = append(dst, `,"details":`...)
	if len(e.Details) > 0 && json.Valid(e.Details) {
		dst = append(dst, e.Details...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"request_id":"`...)
	dst = hex.AppendEncode(dst, requestID[:])
	return append(dst, `"}`...)
}

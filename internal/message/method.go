package message

// Method is a request method by number: RFC 9110 section 9.3 and PATCH (RFC 5789). Other methods are MethodOther,
// with the name in Request.MethodName.
type Method uint8

// The numbers are part of the bridge's layout: never reorder them.
const (
	MethodOther Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodConnect
	MethodOptions
	MethodTrace
	MethodPatch
	// MethodCount is how many numbers there are.
	MethodCount
)

// String returns the method's token, "" for MethodOther.
func (m Method) String() string {
	switch m {
	case MethodGet:
		return "GET"
	case MethodHead:
		return "HEAD"
	case MethodPost:
		return "POST"
	case MethodPut:
		return "PUT"
	case MethodDelete:
		return "DELETE"
	case MethodConnect:
		return "CONNECT"
	case MethodOptions:
		return "OPTIONS"
	case MethodTrace:
		return "TRACE"
	case MethodPatch:
		return "PATCH"
	}
	return ""
}

// Safe reports whether the method is safe (RFC 9110 section 9.2.1): it may be retried without asking anyone.
func (m Method) Safe() bool {
	return m == MethodGet || m == MethodHead || m == MethodOptions || m == MethodTrace
}

// ParseMethod returns the number of a method token; methods are case-sensitive (RFC 9110 section 9.1).
func ParseMethod(b []byte) Method {
	switch string(b) {
	case "GET":
		return MethodGet
	case "HEAD":
		return MethodHead
	case "POST":
		return MethodPost
	case "PUT":
		return MethodPut
	case "DELETE":
		return MethodDelete
	case "CONNECT":
		return MethodConnect
	case "OPTIONS":
		return MethodOptions
	case "TRACE":
		return MethodTrace
	case "PATCH":
		return MethodPatch
	}
	return MethodOther
}

// Code generated from codes.json; DO NOT EDIT.

package fault

// The codes of the registry, by status.
const (
	// BadRequest is answered with 400: the request is malformed.
	BadRequest Code = "bad_request"
	// Unauthorized is answered with 401: authentication is required.
	Unauthorized Code = "unauthorized"
	// Forbidden is answered with 403: access is denied.
	Forbidden Code = "forbidden"
	// NotFound is answered with 404: no such resource.
	NotFound Code = "not_found"
	// MethodNotAllowed is answered with 405: the method is not allowed for this resource.
	MethodNotAllowed Code = "method_not_allowed"
	// NotAcceptable is answered with 406: no acceptable representation.
	NotAcceptable Code = "not_acceptable"
	// RequestTimeout is answered with 408: the request did not arrive in time.
	RequestTimeout Code = "request_timeout"
	// Conflict is answered with 409: the request conflicts with the state of the resource.
	Conflict Code = "conflict"
	// Gone is answered with 410: the resource is gone.
	Gone Code = "gone"
	// LengthRequired is answered with 411: a Content-Length is required.
	LengthRequired Code = "length_required"
	// PreconditionFailed is answered with 412: a precondition failed.
	PreconditionFailed Code = "precondition_failed"
	// ContentTooLarge is answered with 413: the request body is too large.
	ContentTooLarge Code = "content_too_large"
	// URITooLong is answered with 414: the request target is too long.
	URITooLong Code = "uri_too_long"
	// UnsupportedMediaType is answered with 415: the media type is not supported.
	UnsupportedMediaType Code = "unsupported_media_type"
	// RangeNotSatisfiable is answered with 416: the range cannot be satisfied.
	RangeNotSatisfiable Code = "range_not_satisfiable"
	// ExpectationFailed is answered with 417: the expectation cannot be met.
	ExpectationFailed Code = "expectation_failed"
	// MisdirectedRequest is answered with 421: this server is not responsible for the authority.
	MisdirectedRequest Code = "misdirected_request"
	// ValidationFailed is answered with 422: the request has invalid parameters.
	ValidationFailed Code = "validation_failed"
	// UpgradeRequired is answered with 426: another protocol is required.
	UpgradeRequired Code = "upgrade_required"
	// TooManyRequests is answered with 429: too many requests.
	TooManyRequests Code = "too_many_requests"
	// HeaderFieldsTooLarge is answered with 431: the header fields are too large.
	HeaderFieldsTooLarge Code = "header_fields_too_large"
	// ClientGone is answered with 499: the client left before the response.
	ClientGone Code = "client_gone"
	// InternalError is answered with 500: internal error.
	InternalError Code = "internal_error"
	// NotImplemented is answered with 501: not implemented.
	NotImplemented Code = "not_implemented"
	// WorkerLost is answered with 502: the worker stopped while it handled the request.
	WorkerLost Code = "worker_lost"
	// ServiceUnavailable is answered with 503: the service is overloaded.
	ServiceUnavailable Code = "service_unavailable"
	// ShuttingDown is answered with 503: the service is shutting down.
	ShuttingDown Code = "shutting_down"
	// HandlerTimeout is answered with 504: the handler did not answer in time.
	HandlerTimeout Code = "handler_timeout"
	// HTTPVersionNotSupported is answered with 505: the HTTP version is not supported.
	HTTPVersionNotSupported Code = "http_version_not_supported"
)

// entries is the registry in the order of codes.json.
var entries = [...]entry{
	{BadRequest, 400, "the request is malformed"},
	{Unauthorized, 401, "authentication is required"},
	{Forbidden, 403, "access is denied"},
	{NotFound, 404, "no such resource"},
	{MethodNotAllowed, 405, "the method is not allowed for this resource"},
	{NotAcceptable, 406, "no acceptable representation"},
	{RequestTimeout, 408, "the request did not arrive in time"},
	{Conflict, 409, "the request conflicts with the state of the resource"},
	{Gone, 410, "the resource is gone"},
	{LengthRequired, 411, "a Content-Length is required"},
	{PreconditionFailed, 412, "a precondition failed"},
	{ContentTooLarge, 413, "the request body is too large"},
	{URITooLong, 414, "the request target is too long"},
	{UnsupportedMediaType, 415, "the media type is not supported"},
	{RangeNotSatisfiable, 416, "the range cannot be satisfied"},
	{ExpectationFailed, 417, "the expectation cannot be met"},
	{MisdirectedRequest, 421, "this server is not responsible for the authority"},
	{ValidationFailed, 422, "the request has invalid parameters"},
	{UpgradeRequired, 426, "another protocol is required"},
	{TooManyRequests, 429, "too many requests"},
	{HeaderFieldsTooLarge, 431, "the header fields are too large"},
	{ClientGone, 499, "the client left before the response"},
	{InternalError, 500, "internal error"},
	{NotImplemented, 501, "not implemented"},
	{WorkerLost, 502, "the worker stopped while it handled the request"},
	{ServiceUnavailable, 503, "the service is overloaded"},
	{ShuttingDown, 503, "the service is shutting down"},
	{HandlerTimeout, 504, "the handler did not answer in time"},
	{HTTPVersionNotSupported, 505, "the HTTP version is not supported"},
}

package message

import "github.com/covetpy/covet/internal/ascii"

// ForbiddenInTrailer tells the fields that must be known before the content, or that somebody may have judged
// already (RFC 9110 section 6.5.1): framing, routing, request modifiers, authentication, content format, and the fields
// that proxies speak to us with. The name may have any case.
func ForbiddenInTrailer(name []byte) bool {
	switch len(name) {
	case 2:
		return ascii.EqualFold(name, "te")
	case 3:
		return ascii.EqualFold(name, "via")
	case 4:
		return ascii.EqualFold(name, "host")
	case 5:
		return ascii.EqualFold(name, "range")
	case 6:
		return ascii.EqualFold(name, "cookie") || ascii.EqualFold(name, "expect") || ascii.EqualFold(name, "pragma") ||
			ascii.EqualFold(name, "origin")
	case 7:
		return ascii.EqualFold(name, "trailer") || ascii.EqualFold(name, "upgrade")
	case 9:
		return ascii.EqualFold(name, "forwarded") || ascii.EqualFold(name, "x-real-ip")
	case 10:
		return ascii.EqualFold(name, "connection") || ascii.EqualFold(name, "keep-alive") || ascii.EqualFold(name, "set-cookie")
	}
	for _, prefix := range [...]string{"content-", "if-", "x-forwarded-"} {
		if len(name) > len(prefix) && ascii.EqualFold(name[:len(prefix)], prefix) {
			return true
		}
	}
	for _, other := range [...]string{
		"transfer-encoding", "authorization", "proxy-authorization", "proxy-authenticate", "www-authenticate",
		"proxy-connection", "cache-control", "max-forwards",
	} {
		if ascii.EqualFold(name, other) {
			return true
		}
	}
	return false
}

// ForbiddenInResponseTrailer tells, beside those of ForbiddenInTrailer, the fields that a client needs to know how to
// handle the response (RFC 9110 section 6.5.1), and those that the codec writes itself.
func ForbiddenInResponseTrailer(name []byte) bool {
	for _, control := range [...]string{"age", "date", "vary", "allow", "server", "expires", "location", "retry-after"} {
		if len(name) == len(control) && ascii.EqualFold(name, control) {
			return true
		}
	}
	return ForbiddenInTrailer(name)
}

// AddTrailer adds a field that is sent after the body, as AddField does. It reports false, and adds nothing, for what
// AddField refuses and for a field that may not stand in a trailer section.
//
// Trailer fields are sent where the body is chunked, and dropped where it is not: to HTTP/1.0 clients, with a declared
// length, without a body. The names that are known when the head is written are announced there.
//
// They do not wait for "TE: trailers". RFC 9110 section 10.1.4 has clients say with it that they will not drop trailer
// fields, not that they could not read them: every HTTP/1.1 recipient must be able to (RFC 9112 section 7.1.2).
func (r *Response) AddTrailer(name, value string) bool { return addTrailer(r, name, value) }

// AddTrailerBytes is AddTrailer for bytes, which are copied.
func (r *Response) AddTrailerBytes(name, value []byte) bool { return addTrailer(r, name, value) }

func addTrailer[T ascii.Text](r *Response, name, value T) bool {
	if !ascii.IsToken(name) || !ascii.IsValue(value) {
		return false
	}
	start := len(r.trailers)
	r.trailers = append(r.trailers, name...)
	ascii.LowerInPlace(r.trailers[start:])
	if ForbiddenInResponseTrailer(r.trailers[start:]) {
		r.trailers = r.trailers[:start]
		return false
	}
	r.trailers = append(r.trailers, ": "...)
	r.trailers = append(r.trailers, value...)
	r.trailers = append(r.trailers, "\r\n"...)
	return true
}

// Trailers returns the trailer fields in wire form, "name: value\r\n" each, for the codec.
func (r *Response) Trailers() []byte { return r.trailers }

// TakeTrailers moves the trailer fields of o behind those of r.
func (r *Response) TakeTrailers(o *Response) {
	r.trailers = append(r.trailers, o.trailers...)
	o.trailers = o.trailers[:0]
}

// DropTrailers removes the trailer fields and the names that were announced.
func (r *Response) DropTrailers() { r.trailers, r.announced = r.trailers[:0], r.announced[:0] }

// Announced reports whether a Trailer field is to be sent: whether names of trailer fields are known.
func (r *Response) Announced() bool { return len(r.announced) > 0 || len(r.trailers) > 0 }

// AppendAnnounced appends the value of the Trailer field (RFC 9110 section 6.6.2): the names that were given as
// values of a Trailer field, then those of the trailer fields there are.
func (r *Response) AppendAnnounced(dst []byte) []byte {
	dst = append(dst, r.announced...)
	more := len(r.announced) > 0
	for rest := r.trailers; len(rest) > 0; {
		line, after := nextLine(rest)
		rest = after
		name, _ := cutField(line)
		if listHas(r.announced, name) {
			continue
		}
		if more {
			dst = append(dst, ", "...)
		}
		dst = append(dst, name...)
		more = true
	}
	return dst
}

// AnnouncedBound returns an upper bound of the bytes that AppendAnnounced adds.
func (r *Response) AnnouncedBound() int { return len(r.announced) + len(r.trailers) }

// announce notes the names of a Trailer field that a handler has set. Names that may not stand in a trailer section
// are left out: they will not come.
func announce[T ascii.Text](r *Response, list T) {
	for i := 0; i < len(list); {
		start := i
		for i < len(list) && list[i] != ',' {
			i++
		}
		end := i
		for start < end && (list[start] == ' ' || list[start] == '\t') {
			start++
		}
		for end > start && (list[end-1] == ' ' || list[end-1] == '\t') {
			end--
		}
		i++
		if name := list[start:end]; ascii.IsToken(name) {
			at := len(r.announced)
			if at > 0 {
				r.announced = append(r.announced, ", "...)
			}
			first := len(r.announced)
			r.announced = append(r.announced, name...)
			ascii.LowerInPlace(r.announced[first:])
			if ForbiddenInResponseTrailer(r.announced[first:]) || listHas(r.announced[:at], r.announced[first:]) {
				r.announced = r.announced[:at]
			}
		}
	}
}

// listHas reports whether name, in lower case, is a member of a list that announce made.
func listHas(list, name []byte) bool {
	for i := 0; i < len(list); {
		end := i
		for end < len(list) && list[end] != ',' {
			end++
		}
		if string(list[i:end]) == string(name) {
			return true
		}
		i = end + len(", ")
	}
	return false
}

package frame

import (
	"encoding/binary"
	"net/netip"

	"github.com/covetpy/covet/internal/message"
)

// Inline reports whether the body of r travels inside of its REQUEST frame with the given number of parameters; else
// it follows in BODY frames, as WANT asks for them. A body with a trailer section follows: BODYEND has the place for it.
func Inline(r *message.Request, params int) bool {
	return len(r.Trailer) == 0 && (r.BodyComplete || r.ContentLength == 0) && len(r.Body) <= MaxInline && SizeRequest(r, params, true) <= MaxFrame
}

// SizeRequest is the length of r's REQUEST frame. Over MaxFrame it cannot be sent: its fields are too large.
func SizeRequest(r *message.Request, params int, inline bool) int {
	n := RequestSize + len(r.Fields)*FieldEntry + params*ParamEntry + len(r.Head)
	if inline {
		n += len(r.Body)
	}
	return Pad(n)
}

// PutRequest writes r's REQUEST frame into f, which is SizeRequest long. Params are spans of values in r.Head.
//
// The head is copied in one piece, whatever its layout, and the spans are moved by its place in the frame: HTTP text
// is never written again field by field.
//
//	0 ────── RequestSize ───────────── … ───────────── … ────────── … ─── len(f)
//	  fixed   Fields: n × FieldEntry    Params: m × 8    r.Head       body, padding
func PutRequest(f []byte, h Head, id [16]byte, r *message.Request, params []message.Span, inline bool) {
	h.Flags = requestFlags(r, inline)
	putHead(f, h)
	fields := RequestSize
	table := fields + len(r.Fields)*FieldEntry
	head := table + len(params)*ParamEntry
	body := head + len(r.Head)
	base := uint32(head)

	f[RequestMethod], f[RequestVersion] = byte(r.Method), byte(r.Version)
	binary.LittleEndian.PutUint16(f[RequestFieldCount:], uint16(len(r.Fields)))
	binary.LittleEndian.PutUint32(f[RequestParamCount:], uint32(len(params))) // and the gap behind it
	binary.LittleEndian.PutUint64(f[RequestContentLength:], uint64(r.ContentLength))
	copy(f[RequestID:], id[:])
	putSpan(f, RequestMethodName, moved(r.MethodName, base))
	putSpan(f, RequestTarget, moved(r.Target, base))
	putSpan(f, RequestPath, moved(r.Path, base))
	putSpan(f, RequestQuery, moved(r.Query, base))
	putSpan(f, RequestAuthority, moved(r.Authority, base))
	putAddresses(f, r)
	binary.LittleEndian.PutUint32(f[RequestFields:], uint32(fields))
	binary.LittleEndian.PutUint32(f[RequestParams:], uint32(table))
	for i, at := range r.HotFields {
		binary.LittleEndian.PutUint16(f[RequestHot+2*i:], uint16(at)) // -1 becomes NoField
	}
	for i := range r.Fields {
		e := f[fields+i*FieldEntry:][:FieldEntry]
		putSpan(e, 0, moved(r.Fields[i].Name, base))
		putSpan(e, 8, moved(r.Fields[i].Value, base))
	}
	for i, p := range params {
		putSpan(f, table+i*ParamEntry, moved(p, base))
	}
	end := head + copy(f[head:], r.Head)
	if inline {
		putSpan(f, RequestBody, message.Span{Off: uint32(body), Len: uint32(len(r.Body))})
		end += copy(f[body:], r.Body)
	} else {
		putSpan(f, RequestBody, message.Span{})
	}
	clear(f[end:])
}

func moved(s message.Span, base uint32) message.Span {
	return message.Span{Off: s.Off + base, Len: s.Len}
}

func requestFlags(r *message.Request, inline bool) (flags byte) {
	if !inline {
		flags |= FlagBodyFollows
	}
	if r.TLS {
		flags |= FlagTLS
	}
	if r.PathEscaped {
		flags |= FlagPathEscaped
	}
	if r.ExpectContinue {
		flags |= FlagExpect
	}
	return flags
}

func putAddresses(f []byte, r *message.Request) {
	clear(f[RequestRemoteAddr:RequestFields])
	remote, local := r.Remote.Addr().Unmap(), r.Local.Addr().Unmap()
	switch {
	case remote.Is4():
		f[RequestFamily] = 4
	case remote.Is6():
		f[RequestFamily] = 6
	default:
		return // a Unix socket
	}
	putAddress(f[RequestRemoteAddr:][:16], remote)
	putAddress(f[RequestLocalAddr:][:16], local)
	binary.LittleEndian.PutUint16(f[RequestRemotePort:], r.Remote.Port())
	binary.LittleEndian.PutUint16(f[RequestLocalPort:], r.Local.Port())
}

func putAddress(dst []byte, a netip.Addr) {
	if a.Is4() {
		b := a.As4()
		copy(dst, b[:])
	} else if a.Is6() {
		b := a.As16()
		copy(dst, b[:])
	}
}

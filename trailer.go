package covet

import (
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

// AddTrailer adds a field that is sent after the body (RFC 9110 section 6.5), at any time before the handler returns:
// a checksum, a status that is known at the end only. Names that are known before the head leaves are announced
// there; the others can be, with AddHeader("trailer", "name").
//
// Trailer fields need a body in chunks: HTTP/1.0 clients, HEAD, and streams with a declared length get none. A name or
// value that could not be sent, or a field that may not stand behind the body (framing, authentication, caching,
// content format: RFC 9110 section 6.5.1), makes the response a logged 500, or cuts it off where it has begun.
func (c *Ctx) AddTrailer(name, v string) {
	if !c.res.AddTrailer(name, v) {
		c.badField(name)
	}
}

// Trailer returns the value of the first trailer field of that name, in any case, or "". They are there once the body
// has been read to its end. What must not be in a trailer section has been dropped, and nothing of it is ever
// found by [Ctx.Header].
func (c *Ctx) Trailer(name string) (v string) {
	lower := []byte(name)
	ascii.LowerInPlace(lower)
	c.eachTrailer(func(n, value []byte) bool {
		if !ascii.EqualFold(n, string(lower)) {
			return true
		}
		v = string(value)
		return false
	})
	return v
}

// Trailers returns the trailer fields, name and value, in their order: see [Ctx.Trailer].
func (c *Ctx) Trailers() (list [][2]string) {
	c.eachTrailer(func(name, value []byte) bool {
		list = append(list, [2]string{string(name), string(value)})
		return true
	})
	return list
}

// eachTrailer calls f for the trailer fields that have arrived, until it returns false.
func (c *Ctx) eachTrailer(f func(name, value []byte) bool) {
	t := trailer{c.req.Trailer, c.req.TrailerHead}
	if c.off && len(t.fields) == 0 {
		t = c.away.tail()
	}
	for _, field := range t.fields {
		if !f(field.Name.In(t.head), field.Value.In(t.head)) {
			return
		}
	}
}

// trailer is a trailer section in memory of its own.
type trailer struct {
	fields []message.Field
	head   []byte
}

// copyTrailer copies the trailer section of r, which belongs to the codec.
func copyTrailer(r *message.Request) trailer {
	if len(r.Trailer) == 0 {
		return trailer{}
	}
	return trailer{append([]message.Field(nil), r.Trailer...), append([]byte(nil), r.TrailerHead...)}
}

// tail returns the trailer section of a streamed body that has ended.
func (w *away) tail() trailer {
	q := &w.body
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.trailer
}

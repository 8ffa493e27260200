package covet

import (
	"fmt"
	"net/http"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/message"
)

// CheckPreconditions answers a conditional request (RFC 9110 section 13) without the handler's work, where it can be:
// with 304 (Not Modified) when the client has the current representation, with 412 (Precondition Failed) when it wants
// to change another one than there is. Done tells that the answer is made, and that the handler returns err.
//
//	if done, err := c.CheckPreconditions(etag, modified); done {
//		return err
//	}
//
// Etag is the entity tag of the current representation in its quotes, `"v7"` or, where equal tags do not mean equal
// bytes, `W/"v7"`; "" when there is none. Modified is when it last changed, or the zero time. Without both there is no
// current representation, as before a PUT that creates one. Etag and modified become fields of the response.
//
// It is called when the request would succeed without its conditions (section 13.2.1), before anything is changed.
func (c *Ctx) CheckPreconditions(etag string, modified time.Time) (done bool, err error) {
	var k conditions
	return c.precondition(&k, etag, modified)
}

// precondition is CheckPreconditions; it leaves in k what concerns ranges.
func (c *Ctx) precondition(k *conditions, etag string, modified time.Time) (done bool, err error) {
	if etag != "" && !validETag(etag) {
		return true, fmt.Errorf("%q is not an entity tag: it needs double quotes around visible characters", etag)
	}
	now := time.Now()
	if modified.After(now) {
		modified = time.Time{} // RFC 9110 section 8.8.2.1: no Last-Modified later than Date
	}
	k.etag, k.exists = etag, etag != "" || !modified.IsZero()
	k.now, k.hasDate = now, !modified.IsZero()
	if k.hasDate {
		k.modified = modified.Unix()
	}
	k.read(c.req)
	if etag != "" {
		c.setField("etag", etag)
	}
	if k.hasDate {
		if c.res.Field("last-modified") != nil {
			c.res.RemoveField("last-modified")
		}
		n := len(c.buf) // what is in there may be a reply: only the memory behind it is free
		c.buf = h1.AppendDate(c.buf, modified)
		c.res.AddFieldBytes(lastModified, c.buf[n:])
		c.buf = c.buf[:n]
	}
	switch k.decide(c.req.Method) {
	case notModified:
		return true, c.reply(http.StatusNotModified, message.ContentNone, nil)
	case preconditionFailed:
		return true, &fault.Error{Code: fault.PreconditionFailed}
	}
	return false, nil
}

// lastModified is a constant in the form that AddFieldBytes takes.
var lastModified = []byte("last-modified")

// setField sets a field of that lower-case name. Nearly always it is not there yet, and to look is cheaper than to
// remove.
func (c *Ctx) setField(name, v string) bool {
	if c.res.Field(name) != nil {
		c.res.RemoveField(name)
	}
	return c.res.AddField(name, v)
}

// conditions are the conditional fields of a request, with the range fields that depend on them.
type conditions struct {
	etag     string
	exists   bool // there is a current representation
	hasDate  bool
	modified int64 // seconds since 1970
	now      time.Time

	ifMatch, ifNoneMatch                       match
	ifModified, ifUnmodified, ifRange, byRange []byte
}

// match is what became of a list of entity tags.
type match uint8

const (
	absent match = iota
	missed
	matched
)

// outcome is what the preconditions lead to.
type outcome uint8

const (
	proceed outcome = iota
	notModified
	preconditionFailed
)

// read takes the fields from the request, in one pass. A list may be on several lines (RFC 9110 section 5.3).
func (k *conditions) read(r *message.Request) {
	for i := range r.Fields {
		name := r.Bytes(r.Fields[i].Name)
		// Nearly every field is told apart by its length and first letter.
		switch len(name) {
		case len("range"):
			if name[0]|0x20 == 'r' && ascii.EqualFold(name, "range") {
				k.byRange = single(k.byRange, r.Bytes(r.Fields[i].Value))
			}
		case len("if-match"):
			switch {
			case name[0]|0x20 != 'i':
			case ascii.EqualFold(name, "if-match"):
				// RFC 9110 section 13.1.1: If-Match compares strongly.
				k.ifMatch = k.matchETags(k.ifMatch, r.Bytes(r.Fields[i].Value), true)
			case ascii.EqualFold(name, "if-range"):
				k.ifRange = single(k.ifRange, r.Bytes(r.Fields[i].Value))
			}
		case len("if-none-match"):
			if name[0]|0x20 == 'i' && ascii.EqualFold(name, "if-none-match") {
				// RFC 9110 section 13.1.2: If-None-Match compares weakly.
				k.ifNoneMatch = k.matchETags(k.ifNoneMatch, r.Bytes(r.Fields[i].Value), false)
			}
		case len("if-modified-since"):
			if name[0]|0x20 == 'i' && ascii.EqualFold(name, "if-modified-since") {
				k.ifModified = single(k.ifModified, r.Bytes(r.Fields[i].Value))
			}
		case len("if-unmodified-since"):
			if name[0]|0x20 == 'i' && ascii.EqualFold(name, "if-unmodified-since") {
				k.ifUnmodified = single(k.ifUnmodified, r.Bytes(r.Fields[i].Value))
			}
		}
	}
}

// several stands for a field of one value that came twice: it is no date, no tag and no range.
var several = []byte{}

func single(before, v []byte) []byte {
	if before != nil {
		return several
	}
	return v
}

// decide evaluates in the order of RFC 9110 section 13.2.2, steps 1 to 4.
func (k *conditions) decide(method message.Method) outcome {
	read := method == message.MethodGet || method == message.MethodHead
	switch {
	case k.ifMatch == missed:
		return preconditionFailed
	case k.ifMatch == absent && k.ifUnmodified != nil && k.hasDate:
		// Section 13.1.4: what is not a date is ignored, and so is the field without a date to compare.
		if t, ok := parseHTTPDate(k.ifUnmodified, k.now.Year()); ok && k.modified > t {
			return preconditionFailed
		}
	}
	switch {
	case k.ifNoneMatch == matched && read:
		return notModified
	case k.ifNoneMatch == matched:
		return preconditionFailed
	case k.ifNoneMatch == absent && k.ifModified != nil && k.hasDate && read:
		// Section 13.1.3: ignored beside If-None-Match and for other methods.
		if t, ok := parseHTTPDate(k.ifModified, k.now.Year()); ok && k.modified <= t {
			return notModified
		}
	}
	return proceed
}

// settled is the age in seconds from which a date is a strong validator: a second change within the same second would
// have been seen (RFC 9110 section 8.8.2.2).
const settled = 2

// rangeHolds is step 5 of section 13.2.2: whether the Range field counts.
func (k *conditions) rangeHolds() bool {
	v := k.ifRange
	switch {
	case v == nil:
		return true
	case len(v) == 0:
		return false
	case v[0] == '"':
		return k.etag != "" && string(v) == k.etag // section 13.1.5: compared strongly
	case v[0] == 'W':
		// A weak tag, or the Wednesday of a date.
		if len(v) > 1 && v[1] == '/' {
			return false
		}
	}
	t, ok := parseHTTPDate(v, k.now.Year())
	return ok && k.hasDate && t == k.modified && k.now.Unix()-t >= settled
}

// matchETags looks for the current tag in a list of tags; before is what earlier lines of the field have led to. From
// the first mistake on nothing matches: that is the safe side of both fields, a whole response or none of the change.
//
//	list = "*" / #( [ "W/" ] DQUOTE *etagc DQUOTE )
func (k *conditions) matchETags(before match, list []byte, strong bool) match {
	if before == matched {
		return matched
	}
	if len(list) == 1 && list[0] == '*' {
		if k.exists {
			return matched
		}
		return missed
	}
	tag, weak := k.etag, false
	if len(tag) > 0 && tag[0] == 'W' {
		tag, weak = tag[len("W/"):], true
	}
	for i := 0; i < len(list); {
		switch list[i] {
		case ' ', '\t', ',': // RFC 9110 section 5.6.1: empty elements are nothing
			i++
			continue
		}
		itsWeak := false
		if list[i] == 'W' {
			if i+1 >= len(list) || list[i+1] != '/' {
				return missed
			}
			itsWeak = true
			i += len("W/")
		}
		n := quoted(list[i:])
		if n == 0 {
			return missed
		}
		if tag != "" && string(list[i:i+n]) == tag && !(strong && (weak || itsWeak)) {
			return matched
		}
		i += n
		for i < len(list) && (list[i] == ' ' || list[i] == '\t') {
			i++
		}
		if i < len(list) && list[i] != ',' {
			return missed
		}
	}
	return missed
}

// quoted returns the length of the opaque-tag (RFC 9110 section 8.8.3) at the front of s, 0 when there is none.
func quoted[T ascii.Text](s T) int {
	if len(s) < 2 || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c <= ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}

// validETag reports whether s is an entity-tag.
func validETag(s string) bool {
	if len(s) > 1 && s[0] == 'W' && s[1] == '/' {
		s = s[2:]
	}
	return s != "" && quoted(s) == len(s)
}

package covet

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/segmentio/encoding/json"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// Text replies with plain text.
func (c *Ctx) Text(status int, s string) error { return c.text(status, message.ContentText, s) }

// HTML replies with an HTML page. Nothing is escaped: use html/template.
func (c *Ctx) HTML(status int, s string) error { return c.text(status, message.ContentHTML, s) }

func (c *Ctx) text(status int, t message.ContentType, s string) error {
	c.buf = append(c.buf[:0], s...)
	return c.reply(status, t, c.buf)
}

// JSON replies with v as JSON.
func (c *Ctx) JSON(status int, v any) error {
	b, err := json.Append(c.buf[:0], v, json.EscapeHTML)
	if err != nil {
		return fmt.Errorf("encoding %T as JSON: %w", v, err)
	}
	c.buf = b
	return c.reply(status, message.ContentJSON, b)
}

// Bytes replies with b of the given content type. B is copied.
func (c *Ctx) Bytes(status int, contentType string, b []byte) error {
	if !c.res.SetField("content-type", contentType) {
		return fmt.Errorf("content type %q cannot be a field value", contentType)
	}
	c.buf = append(c.buf[:0], b...)
	return c.reply(status, message.ContentNone, c.buf)
}

// NoContent replies 204, or the status that was set before, without a body.
func (c *Ctx) NoContent() error {
	if c.res.Status == http.StatusOK {
		c.res.Status = http.StatusNoContent
	}
	return c.reply(c.res.Status, message.ContentNone, nil)
}

// Redirect replies with a redirection (3xx) to location, a URI reference as it is to be sent.
func (c *Ctx) Redirect(status int, location string) error {
	if status < 300 || status > 399 {
		return fmt.Errorf("redirect with status %d", status)
	}
	if !c.res.SetField("location", location) {
		return errors.New("the location of a redirect cannot be a field value")
	}
	return c.reply(status, message.ContentNone, nil)
}

// Status sets the status of a reply that follows without one, such as that of a stream.
func (c *Ctx) Status(status int) { c.res.Status = status }

// SetHeader replaces the response fields of that name. Content-Length, Transfer-Encoding, Connection, Date and Server
// belong to the engine and are dropped. A name or value that could not be sent, with a line break for
// example, makes the response a logged 500.
func (c *Ctx) SetHeader(name, v string) {
	if !c.res.SetField(name, v) {
		c.badField(name)
	}
}

// AddHeader adds a response field: see [Ctx.SetHeader].
func (c *Ctx) AddHeader(name, v string) {
	if !c.res.AddField(name, v) {
		c.badField(name)
	}
}

func (c *Ctx) badField(name string) {
	if c.bad == nil {
		c.bad = fmt.Errorf("response field %q has a name or a value that cannot be sent", name)
	}
}

// StatusCode is the status of the response as it stands: final in an After or Done function.
func (c *Ctx) StatusCode() int { return c.res.Status }

// ResponseHeader returns the value of the first response field of that lower-case name set so far, or "".
func (c *Ctx) ResponseHeader(lower string) string { return string(c.res.Field(lower)) }

// reply is the end of every whole reply.
func (c *Ctx) reply(status int, t message.ContentType, body []byte) error {
	if status < 200 || status > 999 {
		return fmt.Errorf("reply with status %d", status)
	}
	if t != message.ContentNone && len(c.res.Fields()) > 0 {
		c.res.RemoveField("content-type") // the last reply counts
	}
	c.unsend()
	c.res.Status, c.res.Type, c.res.Body = status, t, body
	c.replied = true
	return nil
}

// notFound answers paths without a route.
func notFound(*Ctx) error { return &fault.Error{Code: fault.NotFound} }

// wrongMethod answers paths whose routes have other methods: OPTIONS with what they have, else 405
// (RFC 9110 section 15.5.6).
func wrongMethod(c *Ctx) error {
	if c.req.Method == message.MethodOptions {
		c.SetHeader("allow", c.allow)
		return c.NoContent()
	}
	return &fault.Error{Code: fault.MethodNotAllowed, Fields: [][2]string{{"allow", c.allow}}}
}

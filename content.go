package covet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mediatype"
	"github.com/covetpy/covet/internal/message"
)

// Content is a representation with its metadata, whole in memory or in a file, as [Ctx.SendContent] sends it. It is
// only read, so that one Content may be sent by many requests at once.
type Content struct {
	// Type is the media type, or "".
	Type string
	// Encoding is the content coding that the bytes have, such as "br", or "".
	Encoding string
	// ETag is the entity tag in its quotes, or "".
	ETag string
	// Modified is when the content last changed, or zero.
	Modified time.Time
	// Bytes is the whole content; it is copied when it is sent.
	Bytes []byte
	// File has the content instead of Bytes: Size bytes from its beginning. The reply takes a reference of its own.
	File *file.File
	Size int64
}

// SendContent replies with k: 200, or what the request's conditions and ranges make of it (RFC 9110 sections 13 and 14):
// 304, 412, 206 with one range or with several as multipart/byteranges, 416. The body is sent as it is: no middleware
// changes it. It works on the loop, too: a file is sent without being read there.
//
// A status that was set before stays when it is not 200; conditions and ranges mean nothing then.
func (c *Ctx) SendContent(k *Content) error {
	size := k.Size
	if k.File == nil {
		size = int64(len(k.Bytes))
	}
	whole := []byteRange{{0, size}}
	status, asked := http.StatusOK, wholeRange
	var few [maxRanges]byteRange
	ranges := whole
	if c.res.Status == http.StatusOK {
		var cond conditions
		if done, err := c.precondition(&cond, k.ETag, k.Modified); done {
			// RFC 9110 section 15.4.5: the fields of a 304 are those of the 200, which nobody may change either.
			c.res.Opaque = err == nil
			return err
		}
		c.setField("accept-ranges", "bytes")
		// RFC 9110 section 14.2: GET is the only method that ranges are defined for; section 13.2.2: the last step.
		if cond.byRange != nil && c.req.Method == message.MethodGet && cond.rangeHolds() {
			var list []byteRange
			list, asked = parseRange(few[:0], cond.byRange, size)
			if len(list) > 1 && k.Encoding != "" {
				// Content-Encoding would be that of the multipart body (RFC 9110 section 8.4), which is not coded, and the
				// parts have no place for it. Section 14.2 allows to ignore the field.
				asked = wholeRange
			}
			if asked == partRange {
				ranges, status = list, http.StatusPartialContent
			}
		}
		if asked == noRange {
			return &fault.Error{Code: fault.RangeNotSatisfiable, Fields: [][2]string{
				{"content-range", "bytes */" + strconv.FormatInt(size, 10)}, {"accept-ranges", "bytes"},
			}}
		}
	} else {
		status = c.res.Status
	}
	if k.Encoding != "" {
		c.setField("content-encoding", k.Encoding)
	}
	if len(ranges) > 1 {
		return c.sendRanges(k, ranges, size)
	}
	r := ranges[0]
	if k.Type != "" && !c.setField("content-type", k.Type) {
		return fmt.Errorf("content type %q cannot be a field value", k.Type)
	}
	if asked == partRange {
		c.buf = appendContentRange(c.buf[:0], r, size)
		c.res.AddFieldBytes(contentRange, c.buf)
	}
	if k.File == nil {
		return c.opaque(status, k.Bytes[r.off:r.end()])
	}
	if err := c.opaque(status, nil); err != nil {
		return err
	}
	c.res.Length = r.n
	c.sending.take(k.File)
	c.sending.add(0, r)
	return nil
}

var contentRange = []byte("content-range")

// opaque makes the reply one that nobody may change.
func (c *Ctx) opaque(status int, body []byte) error {
	if err := c.reply(status, message.ContentNone, body); err != nil {
		return err
	}
	c.res.Opaque = true
	return nil
}

func appendContentRange(dst []byte, r byteRange, size int64) []byte {
	dst = append(dst, "bytes "...)
	dst = strconv.AppendInt(dst, r.off, 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, r.end()-1, 10)
	dst = append(dst, '/')
	return strconv.AppendInt(dst, size, 10)
}

// sendRanges replies with several ranges (RFC 9110 section 14.6). Its length is known:
//
//	--BOUNDARY CRLF fields CRLF CRLF range   CRLF --BOUNDARY ... range   CRLF --BOUNDARY-- CRLF
func (c *Ctx) sendRanges(k *Content, ranges []byteRange, size int64) error {
	// Nobody who chose the content can have known it.
	boundary := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
	if !c.res.SetField("content-type", "multipart/byteranges; boundary="+boundary) {
		return errors.New("the boundary cannot be a field value")
	}
	var total int64
	b := c.buf[:0]
	ends := make([]int, 0, maxRanges)
	for i, r := range ranges {
		if i > 0 {
			b = append(b, "\r\n"...)
		}
		b = append(append(b, "--"...), boundary...)
		if k.Type != "" {
			b = append(append(b, "\r\nContent-Type: "...), k.Type...)
		}
		b = append(appendContentRange(append(b, "\r\nContent-Range: "...), r, size), "\r\n\r\n"...)
		if k.File == nil {
			b = append(b, k.Bytes[r.off:r.end()]...)
		}
		ends = append(ends, len(b))
		total += r.n
	}
	b = append(append(append(b, "\r\n--"...), boundary...), "--\r\n"...)
	c.buf = b
	if k.File == nil {
		return c.opaque(http.StatusPartialContent, b)
	}
	if err := c.opaque(http.StatusPartialContent, nil); err != nil {
		return err
	}
	c.res.Length = total + int64(len(b))
	c.sending.take(k.File)
	for i, r := range ranges {
		c.sending.add(ends[i], r)
	}
	return nil
}

// sending is a reply whose body is in a file: pieces of Ctx.buf and pieces of the file in turn, at last what is left
// of buf where there are heads at all.
type sending struct {
	f      *file.File
	pieces []piece
}

// piece is a part of the file behind buf[:head], of which the pieces before have taken their share.
type piece struct {
	head int
	r    byteRange
}

func (s *sending) take(f *file.File) {
	s.f = f.Retain()
	s.pieces = s.pieces[:0]
}

func (s *sending) add(head int, r byteRange) { s.pieces = append(s.pieces, piece{head, r}) }

// drop forgets the file, which another reply, an error or the end of the client has made void.
func (s *sending) drop() {
	if s.f != nil {
		s.f.Release()
		s.f = nil
	}
}

// unsend takes back what SendContent has replied, because something else is replied.
func (c *Ctx) unsend() {
	if c.res.Opaque {
		c.res.Opaque, c.res.Length = false, -1
		c.sending.drop()
	}
}

// sendFile sends a reply whose body is in a file, on the loop, after the chain has run up. Afterwards c belongs to
// another request.
func (c *Ctx) sendFile() {
	x, s := c.x, &c.sending
	if x.Request.Method == message.MethodHead {
		s.drop()
		x.Stream.Respond(x)
		return
	}
	x.Stream.Start(x)
	at := 0
	for _, p := range s.pieces {
		if p.head > at {
			x.Stream.Write(x, c.buf[at:p.head])
			at = p.head
		}
		x.Stream.SendFile(x, s.f, p.r.off, p.r.n)
	}
	if at > 0 {
		x.Stream.Write(x, c.buf[at:])
	}
	s.drop()
	x.Stream.End(x)
}

// SendFile replies with the file of that name: see [Ctx.SendContent]. Its type comes from the ending of its name,
// unless a Content-Type was set before, its entity tag from size and time of change. There is no protection against
// names that lead elsewhere: a name made from the request belongs to package static, or to [Ctx.SendFileFS] with
// [os.Root.FS]. A file that is not there, or is no regular file, is fault.NotFound. It needs a handler off the loop.
func (c *Ctx) SendFile(name string) error {
	if !c.off {
		return errOnLoop
	}
	f, info, err := file.Open(name)
	if err != nil {
		return notThere(err)
	}
	defer f.Release()
	return c.SendContent(&Content{
		Type: c.typeFor(name), ETag: file.ETag(info, time.Now(), ""), Modified: info.ModTime(), File: f, Size: info.Size(),
	})
}

// maxFS bounds what SendFileFS reads into memory, in bytes.
const maxFS = 64 << 20

// SendFileFS is [Ctx.SendFile] for a file of a file system. One that is not a file of the operating system is read into
// memory, if it is not larger than 64 MiB.
func (c *Ctx) SendFileFS(fsys fs.FS, name string) error {
	if !c.off {
		return errOnLoop
	}
	// Looked at before it is opened: to open a FIFO would wait for its other end.
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return notThere(err)
	}
	if !info.Mode().IsRegular() {
		return notThere(file.ErrNotRegular)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return notThere(err)
	}
	k := Content{Type: c.typeFor(name), ETag: file.ETag(info, time.Now(), ""), Modified: info.ModTime()}
	if info.ModTime().IsZero() {
		k.ETag = "" // an embedded file: its size alone tells nothing
	}
	if of, ok := f.(*os.File); ok {
		if info, err = of.Stat(); err != nil || !info.Mode().IsRegular() {
			_ = of.Close() // it was not read
			return notThere(errors.Join(err, file.ErrNotRegular))
		}
		k.File, k.Size = file.New(of), info.Size()
		defer k.File.Release()
		return c.SendContent(&k)
	}
	defer func() { _ = f.Close() }() // it was only read
	if info.Size() > maxFS {
		return fmt.Errorf("%s has %d bytes: too many to be sent from memory", name, info.Size())
	}
	if k.Bytes, err = io.ReadAll(io.LimitReader(f, maxFS+1)); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return c.SendContent(&k)
}

// typeFor is the content type for a file name, "" when the handler has set one.
func (c *Ctx) typeFor(name string) string {
	if c.res.Field("content-type") != nil {
		return ""
	}
	if t := mediatype.ByName(path.Base(name)); t != "" {
		return t
	}
	return mediatype.Default
}

// notThere makes the error for the client of one that concerns a file.
func notThere(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid), errors.Is(err, file.ErrNotRegular):
		return &fault.Error{Code: fault.NotFound, Cause: err}
	case errors.Is(err, fs.ErrPermission):
		return &fault.Error{Code: fault.Forbidden, Cause: err}
	}
	return err
}

package covet

import (
	"bytes"
	"errors"
	"io"
	"math"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/multipart"
)

// FormLimits bounds a form, sizes in bytes. A zero value of a field stands for its default, a negative one for no
// bound but that on bodies.
type FormLimits struct {
	// Fields bounds the fields, Files the files, Parts both together: by default 1000, 100 and 1000.
	Fields, Files, Parts int
	// Field bounds the data of one field, by default 1 MiB; AllFields names and data of all of them, which are kept in
	// memory, by default 2 MiB. Multipart has neither default: it keeps nothing.
	Field, AllFields int64
	// File bounds one file, Body the whole body; by default only the limit on bodies does.
	File, Body int64
	// Memory bounds the data of files that is kept in memory, by default 1 MiB; what is over it goes to disk.
	Memory int64
}

const (
	defaultFormMemory = 1 << 20
	// formBuffer is how much of a body is looked at in one piece.
	formBuffer = 64 << 10
)

func (l FormLimits) parser() multipart.Limits {
	return multipart.Limits{
		Parts: l.Parts, Fields: l.Fields, Files: l.Files,
		FieldBytes: l.Field, FieldsBytes: l.AllFields, FileBytes: l.File, Size: l.Body,
	}
}

// Form is a form that was read whole. It belongs to the request: its files are gone when the handler has returned,
// however it did.
type Form struct {
	// Values are the fields that are no files, decoded, in order.
	Values map[string][]string
	// Files are the files; a file input without a file chosen has none.
	Files map[string][]*File

	spool *spool
}

// Value returns the value of a field, the last where there are several, or "".
func (f *Form) Value(name string) string {
	if all := f.Values[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// File returns the file of that name, the last where there are several, or nil.
func (f *Form) File(name string) *File {
	if all := f.Files[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// File is an uploaded file.
type File struct {
	// Name is the last component of what the client sent: never a path, and never "." or "..". It may be empty, and a
	// file of that name may exist already.
	Name string
	// RawName is what the client sent. It must not be used as a path.
	RawName string
	// ContentType is what the client says that the file is, or "".
	ContentType string
	// Header are the fields of the part, names in lower case.
	Header [][2]string
	// Size is the length in bytes.
	Size int64

	at     io.ReaderAt
	offset int64
}

// Open returns a reader of the file from its beginning: it also seeks and reads at positions. Any number may be open at
// once; they need not be closed, and are void when the handler has returned.
func (f *File) Open() *io.SectionReader { return io.NewSectionReader(f.at, f.offset, f.Size) }

// OnDisk tells that the file was too large to be kept in memory.
func (f *File) OnDisk() bool { _, ok := f.at.(*spool); return ok }

// Form reads the request's form, multipart/form-data or application/x-www-form-urlencoded, with the default limits:
// see [Ctx.FormLimited].
func (c *Ctx) Form() (*Form, error) { return c.FormLimited(FormLimits{}) }

// FormLimited reads the request's form. It is kept: the first call counts. Errors are for the client: 400 for a form
// that is malformed or not UTF-8, 413 for one over a limit, 415 for another content type. The body cannot be read in
// another way afterwards. Only handlers off the loop may read a body that streams; on the loop nothing goes to disk.
func (c *Ctx) FormLimited(l FormLimits) (*Form, error) {
	if c.form != nil {
		return c.form, nil
	}
	media, params := multipart.MediaType(string(c.req.Field("content-type")))
	form := &Form{Values: map[string][]string{}, Files: map[string][]*File{}}
	var err error
	switch {
	case ascii.EqualFold(media, "multipart/form-data"):
		if l.Memory == 0 {
			l.Memory = defaultFormMemory
		}
		if l.Memory < 0 || !c.off {
			l.Memory = math.MaxInt64 // on the loop, where nothing may block, the body is in memory already
		}
		err = c.readMultipart(form, params, l)
	case ascii.EqualFold(media, "application/x-www-form-urlencoded"):
		err = c.readPairs(form, l)
	default:
		err = fault.New(fault.UnsupportedMediaType, "a form is multipart/form-data or application/x-www-form-urlencoded")
	}
	if err != nil {
		form.close()
		return nil, formFault(err)
	}
	c.form = form
	return form, nil
}

// endForm gives back what the request's form holds.
func (c *Ctx) endForm() {
	if c.form != nil {
		c.form.close()
		c.form = nil
	}
}

func (f *Form) close() {
	if f.spool != nil {
		f.spool.close()
		f.spool = nil
	}
}

// formFault is err for the client.
func formFault(err error) error {
	var e *multipart.Error
	if !errors.As(err, &e) {
		return err
	}
	code := fault.BadRequest
	if e.Limit {
		code = fault.ContentTooLarge
	}
	return &fault.Error{Code: code, Message: e.Message, Cause: err}
}

func (c *Ctx) readPairs(form *Form, l FormLimits) error {
	limits := l.parser().Effective()
	size := min(limits.FieldsBytes, limits.Size)
	text, err := c.bodyUpTo(size)
	if err != nil {
		return err
	}
	if int64(len(text)) > size {
		// What is decoded is no longer than what was sent.
		return limits.TooLarge()
	}
	long := false
	err = multipart.Pairs(text, min(limits.Fields, limits.Parts), func(name, value string) {
		form.Values[name] = append(form.Values[name], value)
		long = long || int64(len(value)) > limits.FieldBytes
	})
	if err == nil && long {
		err = limits.FieldTooLarge()
	}
	return err
}

// bodyUpTo reads the body, or one byte more of it than limit.
func (c *Ctx) bodyUpTo(limit int64) ([]byte, error) {
	if c.req.BodyComplete || c.req.ContentLength == 0 {
		return c.Body()
	}
	var b bytes.Buffer
	if limit < math.MaxInt64 {
		limit++
	}
	_, err := b.ReadFrom(io.LimitReader(c.BodyReader(), limit))
	return b.Bytes(), err
}

// readMultipart reads all parts: fields to text, files to memory as long as there is some, then to disk.
func (c *Ctx) readMultipart(form *Form, params string, l FormLimits) error {
	m, err := c.openMultipart(params, l.parser())
	if err != nil {
		return err
	}
	memory := l.Memory
	for {
		part, err := m.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !part.IsFile {
			text, err := part.text()
			if err != nil {
				return err
			}
			form.Values[part.Name] = append(form.Values[part.Name], text)
			continue
		}
		file := &File{
			Name: part.FileName, RawName: part.RawFileName, ContentType: part.ContentType, Header: part.Header,
		}
		if err := form.keep(file, part, &memory); err != nil {
			return err
		}
		// What browsers send for a file input without a file chosen is nothing.
		if file.Size > 0 || file.RawName != "" {
			form.Files[part.Name] = append(form.Files[part.Name], file)
		}
	}
}

// keep stores the data of a file, in what is left of memory or else on disk.
func (f *Form) keep(file *File, part *Part, memory *int64) error {
	var b bytes.Buffer
	for {
		data, err := part.next()
		if errors.Is(err, io.EOF) {
			*memory -= int64(b.Len())
			file.at, file.Size = bytes.NewReader(b.Bytes()), int64(b.Len())
			return nil
		}
		if err != nil {
			return err
		}
		if int64(b.Len()+len(data)) > *memory {
			b.Write(data)
			break
		}
		b.Write(data)
	}
	if f.spool == nil {
		var err error
		if f.spool, err = newSpool(); err != nil {
			return err
		}
	}
	file.at, file.offset = f.spool, f.spool.size
	if err := f.spool.write(b.Bytes()); err != nil {
		return err
	}
	for {
		data, err := part.next()
		if errors.Is(err, io.EOF) {
			file.Size = f.spool.size - file.offset
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.spool.write(data); err != nil {
			return err
		}
	}
}

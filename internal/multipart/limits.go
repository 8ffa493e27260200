package multipart

import (
	"fmt"
	"math"
)

// Limits bounds a form. A zero value of a field stands for its default, a negative one for none at all.
type Limits struct {
	// Parts bounds the parts together; default 1000.
	Parts int
	// Fields bounds the parts that are no files; default 1000.
	Fields int
	// Files bounds the parts with a filename; default 100.
	Files int
	// FieldBytes bounds the data of one field; default 1 MiB.
	FieldBytes int64
	// FieldsBytes bounds the names and data of all fields together, which are kept in memory; default 2 MiB.
	FieldsBytes int64
	// FileBytes bounds one file; default none: the limit on bodies holds.
	FileBytes int64
	// Size bounds the whole body; default none: the limit on bodies holds.
	Size int64
	// HeadBytes bounds the head of one part; default 8 KiB.
	HeadBytes int
	// HeadLines bounds the lines of one head; default 16.
	HeadLines int
	// Preamble bounds what precedes the first boundary; default 1 KiB.
	Preamble int
	// Epilogue bounds what follows the last boundary; default 1 KiB.
	Epilogue int
}

// The defaults. They are far above what browsers send, and far below what costs anybody else.
const (
	defaultParts       = 1000
	defaultFields      = 1000
	defaultFiles       = 100
	defaultFieldBytes  = 1 << 20
	defaultFieldsBytes = 2 << 20
	defaultHeadBytes   = 8 << 10
	defaultHeadLines   = 16
	defaultAround      = 1 << 10 // preamble and epilogue, which nobody sends but by mistake
)

// maxHeadBytes bounds HeadBytes: a head is read in one piece.
const maxHeadBytes = 1 << 20

func (l Limits) withDefaults() Limits {
	set(&l.Parts, defaultParts)
	set(&l.Fields, defaultFields)
	set(&l.Files, defaultFiles)
	set(&l.FieldBytes, defaultFieldBytes)
	set(&l.FieldsBytes, defaultFieldsBytes)
	set(&l.FileBytes, -1)
	set(&l.Size, -1)
	l.HeadBytes = l.Head()
	set(&l.HeadLines, defaultHeadLines)
	set(&l.Preamble, defaultAround)
	set(&l.Epilogue, defaultAround)
	return l
}

// Effective are the limits in force, where no field is zero or negative.
func (l Limits) Effective() Limits { return l.withDefaults() }

// TooLarge is the error for fields that are over FieldsBytes together, or a body over Size: the one that is smaller.
func (l Limits) TooLarge() *Error {
	if l.Size < l.FieldsBytes {
		return limitError(ErrSize, "the form is over %d bytes", l.Size)
	}
	return limitError(ErrFieldsBytes, "the fields of the form are over %d bytes together", l.FieldsBytes)
}

// FieldTooLarge is the error for a field over FieldBytes.
func (l Limits) FieldTooLarge() *Error {
	return limitError(ErrFieldBytes, "a field of the form is over %d bytes", l.FieldBytes)
}

// Head is the bound on one head that is in force: never more than 1 MiB.
func (l Limits) Head() int {
	set(&l.HeadBytes, defaultHeadBytes)
	return min(l.HeadBytes, maxHeadBytes)
}

func set[T int | int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
	if *v < 0 {
		*v = T(math.MaxInt) // none
	}
}

// Reason names what was wrong with a form. The names are shared with the parser in Python, and with testdata.
type Reason string

// The reasons.
const (
	ErrBoundary    Reason = "boundary"     // of the Content-Type
	ErrPreamble    Reason = "preamble"     // limit
	ErrDelimiter   Reason = "delimiter"    // what follows a boundary on its line
	ErrHeader      Reason = "header"       // a line of a part's head
	ErrDisposition Reason = "disposition"  // Content-Disposition
	ErrName        Reason = "name"         // a part without one
	ErrEncoding    Reason = "encoding"     // Content-Transfer-Encoding
	ErrText        Reason = "text"         // a name that is not UTF-8
	ErrTruncated   Reason = "truncated"    // no last boundary
	ErrEpilogue    Reason = "epilogue"     // limit
	ErrParts       Reason = "parts"        // limit
	ErrFields      Reason = "fields"       // limit
	ErrFiles       Reason = "files"        // limit
	ErrFieldBytes  Reason = "field_bytes"  // limit
	ErrFieldsBytes Reason = "fields_bytes" // limit
	ErrFileBytes   Reason = "file_bytes"   // limit
	ErrSize        Reason = "size"         // limit
	ErrHeadBytes   Reason = "head_bytes"   // limit
	ErrHeadLines   Reason = "head_lines"   // limit
)

// Error is what is wrong with a form.
type Error struct {
	// Reason names the kind of error.
	Reason Reason
	// Limit tells that the form is over one of the Limits, and not malformed.
	Limit bool
	// Message is for the client.
	Message string
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

func formError(r Reason, message string) *Error { return &Error{Reason: r, Message: message} }

func limitError[T int | int64](r Reason, format string, limit T) *Error {
	return &Error{Reason: r, Limit: true, Message: fmt.Sprintf(format, limit)}
}

func truncated() *Error { return formError(ErrTruncated, "the form ends before its last boundary") }

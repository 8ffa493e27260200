// Package fault provides the registry of errors: every error that a client can see has a Code, with one status and
// one default message, in codes.json. Go constants, Python classes and the docs page are generated from that file.
//
// An [Error] is returned, wrapped with %w where something is to be added, and rendered in one place: see [AppendBody].
package fault

//go:generate go run ../internal/tools/faultgen -root ..

import (
	"errors"
	"net/http"
)

// Code names a kind of error, such as "not_found". It is stable: programs may compare it.
type Code string

type entry struct {
	code    Code
	status  int
	message string
}

// Status is the code's HTTP status, 500 for a code that is not in the registry.
func (c Code) Status() int {
	for i := range entries {
		if entries[i].code == c {
			return entries[i].status
		}
	}
	return http.StatusInternalServerError
}

// Message is the code's default message.
func (c Code) Message() string {
	for i := range entries {
		if entries[i].code == c {
			return entries[i].message
		}
	}
	return InternalError.Message()
}

// ForStatus returns the first code of the registry with that status; for a status that has none, BadRequest below
// 500 and InternalError from there.
func ForStatus(status int) Code {
	for i := range entries {
		if entries[i].status == status {
			return entries[i].code
		}
	}
	if status < http.StatusInternalServerError {
		return BadRequest
	}
	return InternalError
}

// Error is an error with a Code. It is immutable once returned.
type Error struct {
	// Code says what kind of error it is.
	Code Code
	// Status overrides the code's status when it is not 0.
	Status int
	// Message is for the client; empty stands for the code's default.
	Message string
	// Details is a JSON text for the client, or nil.
	Details []byte
	// Fields are header fields of the error response, such as Allow or Retry-After.
	Fields [][2]string
	// Cause is for the log, never for the client.
	Cause error
}

// New returns an error of that code; an empty message stands for the code's default.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Error says code, message and cause.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Text()
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// HTTPStatus is the status to answer with.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	return e.Code.Status()
}

// Text is the message for the client.
func (e *Error) Text() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Code.Message()
}

// From returns the Error in the chain of err; any other error becomes InternalError with err as its cause, so that
// nothing of its text reaches the client. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: InternalError, Cause: err}
}

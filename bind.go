package covet

import (
	"bytes"
	"errors"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/ascii"
)

// maxDepth bounds the nesting of JSON that is decoded: a decoder recurses, and a body of brackets must not be able to
// take the process's stack.
const maxDepth = 1000

// Bind decodes the request's JSON body into v, a pointer. Its errors are for the client: 400 for a body that is not
// JSON, 413 for one that is too large, 415 for another content type, 422 for values of the wrong type.
func (c *Ctx) Bind(v any) error {
	if t := c.req.Field("content-type"); t != nil && !isJSON(t) {
		return &fault.Error{Code: fault.UnsupportedMediaType}
	}
	body, err := c.Body()
	if err != nil {
		return err
	}
	return decodeJSON(body, v)
}

func decodeJSON(body []byte, v any) error {
	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return invalid(problemField{"body", "is required", "object"})
	}
	if !shallow(body) {
		return fault.New(fault.BadRequest, "the JSON body is nested too deeply")
	}
	err := json.Unmarshal(body, v, jsonv1.DefaultOptionsV1(),
		// What two parsers read differently is refused: of a name that occurs twice one would take the first, the other the
		// last (RFC 8259 section 4), and a text has to be UTF-8 (section 8.1).
		jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false),
		jsonv1.ReportErrorsWithLegacySemantics(false))
	if err == nil {
		return nil
	}
	var wrong *json.SemanticError
	if errors.As(err, &wrong) {
		kind := kindName(wrong.GoType)
		return invalid(problemField{placeOf(wrong.JSONPointer), "must be " + article(kind), kind})
	}
	message := "the body is not valid JSON"
	if errors.Is(err, jsontext.ErrDuplicateName) {
		message = "the JSON body has a name twice in an object"
	}
	return &fault.Error{Code: fault.BadRequest, Message: message, Cause: err}
}

// placeOf is where in the body a pointer (RFC 6901) points to: body.lines[0].price.
func placeOf(p jsontext.Pointer) string {
	b := []byte("body")
	for token := range p.Tokens() {
		if token != "" && strings.Trim(token, "0123456789") == "" {
			b = append(append(append(b, '['), token...), ']')
		} else {
			b = append(append(b, '.'), token...)
		}
	}
	return string(b)
}

// isJSON reports whether a content type is JSON: application/json or a +json suffix (RFC 6839 section 3.1).
func isJSON(t []byte) bool {
	t, _, _ = bytes.Cut(t, []byte(";"))
	t = bytes.TrimSpace(t)
	const suffix = "+json"
	return ascii.EqualFold(t, "application/json") || len(t) > len(suffix) && ascii.EqualFold(t[len(t)-len(suffix):], suffix)
}

// shallow reports whether brackets outside of strings nest at most maxDepth deep.
func shallow(b []byte) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			if depth++; depth > maxDepth {
				return false
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return true
}

// kindName names a type in the details of a validation error.
func kindName(t reflect.Type) string {
	if t == nil {
		return "value"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "int"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.String:
		return "str"
	case reflect.Slice, reflect.Array:
		return "list"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Pointer:
		return kindName(t.Elem())
	}
	return "value"
}

// article is a kind in a sentence.
func article(kind string) string {
	switch kind {
	case "int":
		return "an integer"
	case "float":
		return "a number"
	case "bool":
		return "a boolean"
	case "str":
		return "a string"
	case "object":
		return "an object"
	}
	return "a " + kind
}

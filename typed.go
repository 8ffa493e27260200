package covet

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// Typed makes a Handler of a function with typed input and output. In is a struct whose fields say where they come from:
//
//	type GetOrders struct {
//		User  int      `path:"id"`
//		Limit int      `query:"limit" default:"10"`
//		Tags  []string `query:"tag"`
//		Lang  *string  `header:"accept-language"`
//		Sid   string   `cookie:"sid"`
//		Note  string   `json:"note"`
//	}
//
// A tag of form:"name" takes a field of the request's form, see [Ctx.Form], also for *File and []*File. Fields without
// any of these tags are the JSON body, which is decoded only if there are any; a body is JSON or a form, not both. Values are strings, booleans,
// integers, floats, what implements encoding.TextUnmarshaler, pointers to those for optional values, and
// slices of them for repeated query parameters and form fields. A value that is neither there nor has a default is an error, except
// for pointers and slices. All wrong values are answered at once: 422 with one entry each in the error's details,
// such as {"field":"path.id","reason":"must be an integer","type":"int"}.
//
// The result is replied as JSON with status 200, or as 204 when Out is struct{}; unless f has replied itself.
//
// Typed looks at In once. It panics when a field cannot be filled, as for a pattern that does not compile: the
// handler could never work.
func Typed[In, Out any](f func(c *Ctx, in In) (Out, error)) Handler {
	plan, err := planOf(reflect.TypeFor[In]())
	if err != nil {
		panic("covet.Typed: " + err.Error())
	}
	silent := reflect.TypeFor[Out]() == reflect.TypeFor[struct{}]()
	return func(c *Ctx) error {
		var in In
		if err := plan.fill(c, &in, reflect.ValueOf(&in).Elem()); err != nil {
			return err
		}
		out, err := f(c, in)
		switch {
		case err != nil:
			return err
		case c.Replied():
			return nil
		case silent:
			return c.NoContent()
		}
		return c.JSON(c.statusOr(http.StatusOK), out)
	}
}

// statusOr is the status that the handler set, or d.
func (c *Ctx) statusOr(d int) int {
	if c.res.Status != 0 {
		return c.res.Status
	}
	return d
}

// inputPlan says how an input struct is filled.
type inputPlan struct {
	fields []inputField
	body   bool
	form   bool
}

type inputField struct {
	index    int
	source   string // path, query, header, cookie, form
	name     string
	fallback string
	has      bool // there is a default
	optional bool
	slice    bool
	file     bool // a *File of a form, or a slice of them
	kind     string
	set      func(dst reflect.Value, text string) (reason string)
}

func planOf(t reflect.Type) (*inputPlan, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is not a struct", t)
	}
	p := &inputPlan{}
	for i := range t.NumField() {
		sf := t.Field(i)
		f := inputField{index: i}
		for _, source := range [...]string{"path", "query", "header", "cookie", "form"} {
			if name, ok := sf.Tag.Lookup(source); ok {
				if f.source != "" {
					return nil, fmt.Errorf("field %s.%s has two sources", t, sf.Name)
				}
				f.source, f.name = source, name
			}
		}
		switch {
		case f.source == "" && sf.IsExported():
			p.body = p.body || sf.Tag.Get("json") != "-"
			continue
		case f.source == "":
			continue
		case !sf.IsExported() || f.name == "":
			return nil, fmt.Errorf("field %s.%s must be exported, and its tag must name a value", t, sf.Name)
		}
		f.fallback, f.has = sf.Tag.Lookup("default")
		elem := sf.Type
		p.form = p.form || f.source == "form"
		if f.source == "form" && (elem == reflect.TypeFor[*File]() || elem == reflect.TypeFor[[]*File]()) {
			f.file, f.slice, f.kind = true, elem.Kind() == reflect.Slice, "file"
			if f.has {
				return nil, fmt.Errorf("field %s.%s: a file has no default", t, sf.Name)
			}
			p.fields = append(p.fields, f)
			continue
		}
		switch {
		case elem.Kind() == reflect.Slice && !textual(elem):
			if f.source != "query" && f.source != "form" {
				return nil, fmt.Errorf("field %s.%s: only query parameters and form fields repeat", t, sf.Name)
			}
			f.slice, f.optional, elem = true, true, elem.Elem()
		case elem.Kind() == reflect.Pointer:
			f.optional = true
		}
		if f.set = setterOf(elem); f.set == nil {
			return nil, fmt.Errorf("field %s.%s: a %s cannot come from a %s", t, sf.Name, sf.Type, f.source)
		}
		f.kind = kindName(elem)
		if f.has {
			if reason := f.set(reflect.New(elem).Elem(), f.fallback); reason != "" {
				return nil, fmt.Errorf("field %s.%s: the default %q %s", t, sf.Name, f.fallback, reason)
			}
		}
		p.fields = append(p.fields, f)
	}
	if p.form && p.body {
		return nil, fmt.Errorf("%s takes its fields from a JSON body and from a form", t)
	}
	return p, nil
}

// fill sets in, which target points to.
func (p *inputPlan) fill(c *Ctx, target any, in reflect.Value) error {
	if p.body {
		if err := c.Bind(target); err != nil {
			return err
		}
	}
	var form *Form
	if p.form {
		var err error
		if form, err = c.Form(); err != nil {
			return err
		}
	}
	var wrong []problemField
	for i := range p.fields {
		f := &p.fields[i]
		dst := in.Field(f.index)
		if f.file {
			wrong = f.fillFile(form, dst, wrong)
			continue
		}
		if p.body {
			dst.SetZero() // the body must not reach fields that come from elsewhere
		}
		if f.slice {
			wrong = f.fillSlice(f.findAll(c, form), dst, wrong)
			continue
		}
		text, ok := f.find(c, form)
		if !ok && f.has {
			text, ok = f.fallback, true
		}
		reason := ""
		switch {
		case ok:
			reason = f.set(dst, text)
		case !f.optional:
			reason = "is required"
		}
		if reason != "" {
			wrong = append(wrong, problemField{f.source + "." + f.name, reason, f.kind})
		}
	}
	if len(wrong) > 0 {
		return invalid(wrong...)
	}
	return nil
}

// fillFile sets a *File, which is required, or a []*File, which may be empty.
func (f *inputField) fillFile(form *Form, dst reflect.Value, wrong []problemField) []problemField {
	if f.slice {
		dst.Set(reflect.ValueOf(form.Files[f.name]))
		return wrong
	}
	file := form.File(f.name)
	if file == nil {
		return append(wrong, problemField{"form." + f.name, "is required", "file"})
	}
	dst.Set(reflect.ValueOf(file))
	return wrong
}

func (f *inputField) findAll(c *Ctx, form *Form) []string {
	if f.source == "form" {
		return form.Values[f.name]
	}
	return c.QueryAll(f.name)
}

func (f *inputField) fillSlice(texts []string, dst reflect.Value, wrong []problemField) []problemField {
	if len(texts) == 0 && f.has {
		texts = []string{f.fallback}
	}
	if len(texts) == 0 {
		return wrong
	}
	list := reflect.MakeSlice(dst.Type(), len(texts), len(texts))
	for i, text := range texts {
		if reason := f.set(list.Index(i), text); reason != "" {
			wrong = append(wrong, problemField{fmt.Sprintf("%s.%s.%d", f.source, f.name, i), reason, f.kind})
		}
	}
	dst.Set(list)
	return wrong
}

func (f *inputField) find(c *Ctx, form *Form) (string, bool) {
	switch f.source {
	case "form":
		return form.Value(f.name), len(form.Values[f.name]) > 0
	case "path":
		return c.param(f.name)
	case "query":
		return c.query(f.name)
	case "cookie":
		return c.Cookie(f.name)
	}
	b := c.HeaderBytes(f.name)
	return string(b), b != nil
}

// textual reports whether values of t read themselves from text.
func textual(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// setterOf returns what turns text into a t, or says why it is none; nil when no text can be a t.
func setterOf(t reflect.Type) func(reflect.Value, string) string {
	switch {
	case textual(t):
		return func(dst reflect.Value, s string) string {
			if err := dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
				return "is not valid"
			}
			return ""
		}
	case t.Kind() == reflect.Pointer:
		set := setterOf(t.Elem())
		if set == nil {
			return nil
		}
		return func(dst reflect.Value, s string) string {
			v := reflect.New(t.Elem())
			reason := set(v.Elem(), s)
			dst.Set(v)
			return reason
		}
	}
	switch t.Kind() {
	case reflect.String:
		return func(dst reflect.Value, s string) string { dst.SetString(s); return "" }
	case reflect.Bool:
		return setBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(dst reflect.Value, s string) string {
			n, err := strconv.ParseInt(s, 10, t.Bits())
			if err != nil {
				return numberReason(err)
			}
			dst.SetInt(n)
			return ""
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(dst reflect.Value, s string) string {
			n, err := strconv.ParseUint(s, 10, t.Bits())
			if err != nil {
				return numberReason(err)
			}
			dst.SetUint(n)
			return ""
		}
	case reflect.Float32, reflect.Float64:
		return func(dst reflect.Value, s string) string {
			n, err := strconv.ParseFloat(s, t.Bits())
			if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
				return "must be a number"
			}
			dst.SetFloat(n)
			return ""
		}
	}
	return nil
}

func numberReason(err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return "is out of range"
	}
	return "must be an integer"
}

// setBool takes the same words as Python handlers do.
func setBool(dst reflect.Value, s string) string {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		dst.SetBool(true)
	case "false", "0", "no", "off":
		dst.SetBool(false)
	default:
		return "must be a boolean"
	}
	return ""
}

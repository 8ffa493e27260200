package radix

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxParams bounds the parameters of one pattern: they are kept in a fixed array per exchange.
const MaxParams = 16

// Kind is what a parameter accepts. Smaller kinds are tried first.
type Kind uint8

// The kinds in the order of their priority.
const (
	Int Kind = iota
	UUID
	Float
	Segment
	Rest
)

// String is the kind's name in patterns.
func (k Kind) String() string {
	switch k {
	case Int:
		return "int"
	case UUID:
		return "uuid"
	case Float:
		return "float"
	case Segment:
		return "str"
	case Rest:
		return "path"
	}
	return "invalid"
}

// part is static text, or a parameter when name is not empty.
type part struct {
	text string
	name string
	kind Kind
}

// Pattern is a parsed pattern.
type Pattern struct {
	text  string
	parts []part
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Names returns the names of the parameters in the order of their places, the order of [Params].
func (p Pattern) Names() []string {
	var names []string
	for _, t := range p.parts {
		if t.name != "" {
			names = append(names, t.name)
		}
	}
	return names
}

// Kinds returns the kinds of the parameters in the order of their places.
func (p Pattern) Kinds() []Kind {
	var kinds []Kind
	for _, t := range p.parts {
		if t.name != "" {
			kinds = append(kinds, t.kind)
		}
	}
	return kinds
}

// Key returns the pattern without the names of its parameters: two patterns with equal keys match the same paths.
func (p Pattern) Key() string {
	var b strings.Builder
	for _, t := range p.parts {
		if t.name == "" {
			b.WriteString(t.text)
		} else {
			b.WriteString("{:" + t.kind.String() + "}")
		}
	}
	return b.String()
}

// Parse reads a pattern. Its errors say what is wrong with it, in words for whoever wrote the route.
func Parse(text string) (Pattern, error) {
	p := Pattern{text: text}
	switch {
	case text == "" || text[0] != '/':
		return p, errors.New("a pattern starts with '/'")
	case !utf8.ValidString(text):
		return p, errors.New("a pattern is valid UTF-8")
	}
	static := 0 // where the static text that has not been added yet begins
	seen := map[string]bool{}
	for start := 1; start <= len(text); {
		end := len(text)
		if i := strings.IndexByte(text[start:], '/'); i >= 0 {
			end = start + i
		}
		segment, last := text[start:end], end == len(text)
		if !strings.ContainsAny(segment, "{}") {
			if err := checkStatic(segment, last); err != nil {
				return p, err
			}
			start = end + 1
			continue
		}
		param, err := parseParam(segment)
		switch {
		case err != nil:
			return p, err
		case seen[param.name]:
			return p, fmt.Errorf("two parameters are named %q", param.name)
		case param.kind == Rest && !last:
			return p, fmt.Errorf("%s takes the rest of the path and must be last", segment)
		case len(seen) == MaxParams:
			return p, fmt.Errorf("more than %d parameters", MaxParams)
		}
		seen[param.name] = true
		p.parts = append(p.parts, part{text: text[static:start]}, param)
		static = end
		start = end + 1
	}
	if static < len(text) {
		p.parts = append(p.parts, part{text: text[static:]})
	}
	return p, nil
}

// checkStatic refuses text that no canonical path can have.
func checkStatic(segment string, last bool) error {
	switch {
	case segment == "" && !last:
		return errors.New("an empty segment inside a pattern")
	case segment == "." || segment == "..":
		return errors.New("dot segments are removed from paths before routing (RFC 3986 section 5.2.4)")
	case strings.ContainsAny(segment, "?#\x00"):
		return errors.New("a pattern holds no '?', '#' or NUL")
	}
	for rest := segment; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return nil
		}
		rest = rest[i:]
		if !strings.HasPrefix(rest, "%2F") && !strings.HasPrefix(rest, "%25") {
			return errors.New("a pattern is written decoded: only %2F and %25 stay escaped in paths")
		}
		rest = rest[3:]
	}
}

// parseParam reads {name}, {name:kind} or {name...}.
func parseParam(segment string) (part, error) {
	if len(segment) < 3 || segment[0] != '{' || segment[len(segment)-1] != '}' {
		return part{}, fmt.Errorf("%q: a parameter in braces is a whole segment", segment)
	}
	name, kind := segment[1:len(segment)-1], Segment
	if rest, ok := strings.CutSuffix(name, "..."); ok {
		name, kind = rest, Rest
	} else if before, typ, ok := strings.Cut(name, ":"); ok {
		name = before
		switch typ {
		case "int":
			kind = Int
		case "uuid":
			kind = UUID
		case "float":
			kind = Float
		case "str":
			kind = Segment
		case "path":
			kind = Rest
		default:
			return part{}, fmt.Errorf("%q: no such kind of parameter; there are int, uuid, float, str and path", segment)
		}
	}
	for i, r := range name {
		letter := r == '_' || r|0x20 >= 'a' && r|0x20 <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return part{}, fmt.Errorf("%q: a name is ASCII letters, digits and '_'", segment)
		}
	}
	if name == "" {
		return part{}, fmt.Errorf("%q: a parameter has a name", segment)
	}
	return part{name: name, kind: kind}, nil
}

// accepts reports whether a parameter of kind k takes segment, which is not empty.
func (k Kind) accepts(segment []byte) bool {
	switch k {
	case Int:
		return isInt(segment)
	case UUID:
		return isUUID(segment)
	case Float:
		return isFloat(segment)
	case Segment, Rest:
		return true
	}
	return false
}

func isInt(s []byte) bool {
	if len(s) > 1 && s[0] == '-' {
		s = s[1:]
	}
	return digits(s) == len(s)
}

// digits counts the leading decimal digits of s.
func digits(s []byte) int {
	for i, c := range s {
		if c-'0' > 9 {
			return i
		}
	}
	return len(s)
}

// isFloat accepts -?digits(.digits)?: what every language of handlers reads alike.
func isFloat(s []byte) bool {
	if s[0] == '-' {
		s = s[1:]
	}
	n := digits(s)
	if n == 0 || n == len(s) {
		return n > 0
	}
	fraction := s[n+1:]
	return s[n] == '.' && len(fraction) > 0 && digits(fraction) == len(fraction)
}

// isUUID accepts the text form of RFC 9562 section 4.
func isUUID(s []byte) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c-'0' > 9 && c|0x20-'a' > 5:
			return false
		}
	}
	return true
}

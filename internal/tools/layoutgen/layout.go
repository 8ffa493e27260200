package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
)

// File is one generated file.
type File struct {
	Path string // from the module's root, with slashes
	Text []byte
}

// Generate returns the generated files of the module at root.
func Generate(root string) ([]File, error) {
	ring, err := readLayout(filepath.Join(root, "internal", "ring", "layout.go"))
	if err != nil {
		return nil, err
	}
	frame, err := readLayout(filepath.Join(root, "internal", "frame", "layout.go"))
	if err != nil {
		return nil, err
	}
	header, err := header(ring, frame)
	if err != nil {
		return nil, err
	}
	return []File{
		{"python/csrc/layout_gen.h", header},
		{"internal/ring/layout.md", ringPage(ring)},
		{"internal/frame/frame.md", framePage(frame)},
	}, nil
}

// Const is one constant of a layout file.
type Const struct {
	Name  string
	Value uint64
	// Comment is the text behind or above the constant, on one line.
	Comment string
	// Kind is the type of the field at that offset ("u32", "span", "16 bytes" …), "" for what is no offset.
	Kind string
}

// Size is the number of bytes of the field, 0 for one that runs to the end of the frame.
func (c Const) Size() int {
	switch c.Kind {
	case "u8":
		return 1
	case "u16":
		return 2
	case "u32":
		return 4
	case "u64", "i64", "span":
		return 8
	case "16 bytes", "u16 × message.HotCount":
		return 16
	}
	return 0
}

// Meaning is the comment without the type.
func (c Const) Meaning() string {
	_, rest, _ := strings.Cut(c.Comment, c.Kind)
	if c.Kind == "" {
		rest = c.Comment
	}
	return strings.TrimLeft(rest, ":;, ")
}

// Layout is the constants of one file, in order.
type Layout []Const

// Get returns the constant of that name.
func (l Layout) Get(name string) Const {
	for _, c := range l {
		if c.Name == name {
			return c
		}
	}
	panic("layoutgen: no constant " + name) // a bug of this program: the names it draws are fixed
}

// Fields returns the offsets whose names begin with prefix.
func (l Layout) Fields(prefix string) (fields []Const) {
	for _, c := range l {
		if c.Kind != "" && strings.HasPrefix(c.Name, prefix) {
			fields = append(fields, c)
		}
	}
	return fields
}

func kinds() []string {
	// The longest first: "u16 × …" before "u16".
	return []string{"u16 × message.HotCount", "16 bytes", "bytes", "span", "i64", "u64", "u32", "u16", "u8"}
}

// readLayout evaluates the constants of a file that imports nothing.
func readLayout(path string) (Layout, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	info := types.Info{Defs: map[*ast.Ident]types.Object{}}
	if _, err := new(types.Config).Check(file.Name.Name, fset, []*ast.File{file}, &info); err != nil {
		return nil, err
	}
	var layout Layout
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, s := range group.Specs {
			spec := s.(*ast.ValueSpec)
			for _, name := range spec.Names {
				value, exact := constant.Uint64Val(info.Defs[name].(*types.Const).Val())
				if !exact {
					return nil, fmt.Errorf("%s: %s is not a number of 64 bits", path, name.Name)
				}
				layout = append(layout, newConst(name.Name, value, comment(spec)))
			}
		}
	}
	return layout, nil
}

func newConst(name string, value uint64, text string) Const {
	c := Const{Name: name, Value: value, Comment: text}
	for _, kind := range kinds() {
		rest, ok := strings.CutPrefix(text, kind)
		if ok && (rest == "" || strings.ContainsAny(rest[:1], ":;,")) {
			c.Kind = kind
			break
		}
	}
	return c
}

func comment(spec *ast.ValueSpec) string {
	group := spec.Comment
	if group == nil {
		group = spec.Doc
	}
	return strings.Join(strings.Fields(group.Text()), " ")
}

package importlaw

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/covetpy/covet"

// source is one parsed Go file that is not a test.
type source struct {
	name string // relative to the root of the module
	pkg  string // relative import path, "." for the root
	file *ast.File
}

// load parses the module's files, for every system: build constraints hide nothing from the law.
func load(root string) (*token.FileSet, []source, error) {
	set := token.NewFileSet()
	var list []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			base := d.Name()
			if name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && name != "." {
				return fs.SkipDir // another module
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := "."
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			dir = name[:i]
		}
		list = append(list, source{name, dir, f})
		return nil
	})
	return set, list, err
}

// judge returns one sentence for each breach of the law.
func judge(set *token.FileSet, list []source) (breaches []string) {
	say := func(pos token.Pos, name, format string, args ...any) {
		breaches = append(breaches, fmt.Sprintf("%s:%d: ", name, set.Position(pos).Line)+fmt.Sprintf(format, args...))
	}
	assigned := assignments(list)
	for _, s := range list {
		for _, imp := range s.file.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				continue // the parser has seen to that
			}
			if why := mayImport(s.pkg, path); why != "" {
				say(imp.Pos(), s.name, "%s", why)
			}
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					say(d.Pos(), s.name, "init runs before anyone asked for it and hides what is assembled: call a function from main")
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					for _, spec := range d.Specs {
						judgeVar(s, spec.(*ast.ValueSpec), assigned, say)
					}
				}
			}
		}
	}
	slices.Sort(breaches)
	return breaches
}

// mayImport returns why pkg may not import path, or "".
func mayImport(pkg, path string) string {
	switch {
	case path == "C":
		return "cgo is off in this module: the engine is one static binary and never links Python"
	case path == "unsafe" && !slices.Contains(mayUnsafe(), pkg):
		return "unsafe is for memory that the kernel or another process writes: " + strings.Join(mayUnsafe(), ", ")
	}
	other, ok := strings.CutPrefix(path, module)
	if !ok || other != "" && other[0] != '/' {
		return thirdParty(pkg, path)
	}
	if other = strings.TrimPrefix(other, "/"); other == "" {
		other = "."
	}
	if matches(towers(), pkg) {
		if f, ok := find(other); matches(towers(), other) || ok && f.number == 0 {
			return ""
		}
		return fmt.Sprintf("%s is a tower beside the floors: it stands on floor 0, so that it can be used without the server; not on %s", pkg, other)
	}
	mine, known := find(pkg)
	if !known {
		return fmt.Sprintf("%s has no floor: give it one in internal/tools/importlaw/floors.go", pkg)
	}
	theirs, known := find(other)
	if matches(towers(), other) {
		theirs, known = floor{number: 5, why: "towers are joined at floor 6"}, true
	}
	switch {
	case !known:
		return fmt.Sprintf("%s has no floor: give it one in internal/tools/importlaw/floors.go", other)
	case steps()[[2]string{pkg, other}] != "":
		return ""
	case testSupport(pkg) || mine.number == 9:
		return "" // support for tests and tools carry nothing
	case theirs.number >= mine.number:
		return fmt.Sprintf("%s (floor %d) imports %s (floor %d); imports go strictly down: %s",
			pkg, mine.number, other, theirs.number, mine.why)
	}
	return ""
}

// thirdParty returns why pkg may not import a package from outside, or "". The ground takes the standard library and x/sys.
func thirdParty(pkg, path string) string {
	first, _, _ := strings.Cut(path, "/")
	if !strings.Contains(first, ".") || strings.HasPrefix(path, "golang.org/x/sys/") {
		return ""
	}
	f, ok := find(pkg)
	if !ok || f.number > 0 || pkg == "metrics" || pkg == "trace" {
		return "" // instruments and spans are the two of the ground that speak to other programs
	}
	return fmt.Sprintf("%s (floor 0) imports %s: %s", pkg, path, f.why)
}

// assignments returns the package-level names that some function of their package assigns to or takes the address of:
// "pkg.name". It is by name, without types, so a local variable of the same name counts as well: rename one of them.
func assignments(list []source) map[string]bool {
	found := map[string]bool{}
	for _, s := range list {
		note := func(e ast.Expr) {
			for {
				switch x := e.(type) {
				case *ast.IndexExpr:
					e = x.X
				case *ast.SelectorExpr:
					e = x.X
				case *ast.StarExpr:
					e = x.X
				case *ast.ParenExpr:
					e = x.X
				case *ast.Ident:
					found[s.pkg+"."+x.Name] = true
					return
				default:
					return
				}
			}
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					if n.Tok != token.DEFINE {
						for _, e := range n.Lhs {
							note(e)
						}
					}
				case *ast.IncDecStmt:
					note(n.X)
				}
				return true
			})
		}
	}
	return found
}

// judgeVar refuses package-level state: what is assigned to later, and what is made to be changed. Tables, errors,
// replacers, regular expressions and interface guards are constants in all but name.
func judgeVar(s source, v *ast.ValueSpec, assigned map[string]bool, say func(token.Pos, string, string, ...any)) {
	for i, name := range v.Names {
		if name.Name == "_" {
			continue
		}
		var value ast.Expr
		if i < len(v.Values) {
			value = v.Values[i]
		}
		switch {
		case assigned[s.pkg+"."+name.Name]:
			say(name.Pos(), s.name, "%s is package-level state, which is assigned to: two servers in one process would share it; make it a field", name.Name)
		case value == nil && !strings.HasPrefix(name.Name, "_") && !embedded(s.file, v):
			say(name.Pos(), s.name, "%s is a package-level variable without a value: it can only be state; make it a field", name.Name)
		case mutable(value):
			say(name.Pos(), s.name, "%s is a package-level map or pool, which anyone may change: use a switch, an array or a function", name.Name)
		}
	}
}

// embedded reports whether the variable is filled by a go:embed directive, which go vet checks.
func embedded(f *ast.File, v *ast.ValueSpec) bool {
	for _, group := range f.Comments {
		if group.End() < v.Pos() && v.Pos()-group.End() < 80 {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:embed ") {
					return true
				}
			}
		}
	}
	return false
}

// mutable reports whether a value is made to be changed.
func mutable(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.UnaryExpr:
		return e.Op == token.AND
	case *ast.CompositeLit:
		switch t := e.Type.(type) {
		case *ast.MapType:
			return true
		case *ast.SelectorExpr:
			p, ok := t.X.(*ast.Ident)
			return ok && p.Name == "sync"
		}
	case *ast.CallExpr:
		f, ok := e.Fun.(*ast.Ident)
		return ok && (f.Name == "make" || f.Name == "new")
	}
	return false
}

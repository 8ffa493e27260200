package importlaw

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestLaw(t *testing.T) {
	set, list, err := load("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 50 {
		t.Fatalf("only %d files were found", len(list))
	}
	for _, b := range judge(set, list) {
		t.Error(b)
	}
}

// TestEveryBreachIsSeen tries the law on small wrong files.
func TestEveryBreachIsSeen(t *testing.T) {
	const m = `"github.com/covetpy/covet`
	for _, c := range []struct{ pkg, text, want string }{
		{"internal/h1", `import _ ` + m + `/internal/engine"`, "internal/h1 (floor 2) imports internal/engine (floor 3)"},
		{"internal/h1", `import _ ` + m + `/internal/h2"`, "imports go strictly down"},
		{"internal/h1", `import _ ` + m + `/internal/message"`, ""},
		{"internal/transport/netloop", `import _ ` + m + `/internal/transport"`, ""},
		{"internal/transport", `import _ ` + m + `/internal/transport/netloop"`, "(floor 1) imports"},
		{"internal/worker", `import _ ` + m + `/internal/frame"`, ""},
		{"internal/engine", `import _ ` + m + `"`, "imports . (floor 4)"},
		{"middleware/cors", `import _ ` + m + `"`, ""},
		{"middleware/cors", `import _ ` + m + `/middleware/auth"`, "they do not know each other"},
		{"cache/memory", `import _ ` + m + `"`, "a tower beside the floors"},
		{"cache/memory", `import _ ` + m + `/fault"`, ""},
		{"internal/serve", `import _ ` + m + `/cache/memory"`, ""},
		{".", `import _ ` + m + `/cache/memory"`, "imports cache/memory"},
		{"newcomer", `import _ ` + m + `/fault"`, "newcomer has no floor"},
		{"fault", `import _ ` + m + `/newcomer"`, "newcomer has no floor"},
		{"fault", `import _ "example.org/x"`, "fault (floor 0) imports example.org/x"},
		{"internal/h1", `import _ "unsafe"`, "unsafe is for memory"},
		{"internal/ring", `import _ "unsafe"`, ""},
		{"internal/ring", `import "C"`, "cgo is off"},
		{"fault", `func init() {}`, "init runs before"},
		{"fault", `var n int`, "can only be state"},
		{"fault", `var n = 1; func f() { n++ }`, "which is assigned to"},
		{"fault", `var t = [2]int{}; func f() { t[0] = 1 }`, "which is assigned to"},
		{"fault", `var m = map[int]int{}`, "map or pool"},
		{"fault", `var p = sync.Pool{}`, "map or pool"},
		{"fault", `var p = &T{}`, "map or pool"},
		{"fault", `var t = [...]int{1, 2}; var _ I = (*T)(nil); var e = errors.New("x"); func f() int { return t[0] }`, ""},
	} {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, "x.go", "package x\n"+c.text, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(judge(set, []source{{"x.go", c.pkg, f}}), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s\n got %q\nwant %q", c.pkg, c.text, got, c.want)
		}
	}
}

package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The index names what exists, and leaves out no file of cases.
func TestIndex(t *testing.T) {
	text, err := os.ReadFile("testdata/index.txt")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		what, where, ok := strings.Cut(line, " => ")
		if !ok || what == "" || where == "" {
			t.Errorf("%q is no line of the index", line)
			continue
		}
		if reason, not := strings.CutPrefix(where, "not in this version: "); not {
			if reason == "" {
				t.Errorf("%q gives no reason", line)
			}
			continue
		}
		for name := range strings.SplitSeq(where, ", ") {
			named[name] = true
			if !exists(t, name) {
				t.Errorf("%q: there is no %s", what, name)
			}
		}
	}
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".txt"); !named[name] {
			t.Errorf("the index does not name %s", f)
		}
	}
}

// exists reports whether there is a file of cases, or a test, of that name; "Test@folder" is one elsewhere.
func exists(t *testing.T, name string) bool {
	t.Helper()
	if !regexp.MustCompile("^(Test|Fuzz)[A-Z]").MatchString(name) {
		_, err := os.Stat("testdata/cases/" + name + ".txt")
		return err == nil
	}
	name, folder, elsewhere := strings.Cut(name, "@")
	dir := "."
	if elsewhere {
		dir = "../../" + folder
	}
	files, err := filepath.Glob(dir + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

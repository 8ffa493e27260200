package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Development mode reloads when a file changes, shows errors readably, and goes on with the last good code.
func TestDev(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	app := func(word string) string {
		return fmt.Sprintf("from covet import App\napp = App()\n\n@app.get('/')\nasync def f():\n    return %q\n\n@app.get('/error')\nasync def g():\n    raise ValueError('seen in the terminal')\n", word)
	}
	write("app.py", app("one"))
	s := launch(t, dir, binary(t), "dev", "app:app", "--port", "0", "--python", python(t))
	s.awaitReady()
	says := func(word string) func() bool {
		return func() bool { return string(s.get("/").Body) == word }
	}
	await(t, "the first code is served", says("one"))

	write("app.py", app("two"))
	await(t, "the change is served", says("two"))
	s.awaitLog("reloaded in")

	if a := s.get("/error"); a.Status != 500 {
		t.Errorf("GET /error: %d", a.Status)
	}
	s.awaitLog("seen in the terminal")
	s.awaitLog("Traceback")

	write("app.py", "def broken(:\n")
	s.awaitLog("app.py:1: invalid syntax")
	if !says("two")() {
		t.Error("the last good code is not served any more")
	}
	write("app.py", app("three"))
	await(t, "the mended code is served", says("three"))

	// A new folder is watched, too; what tools write is not.
	if err := os.Mkdir(filepath.Join(dir, "package"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("package/__init__.py", "WORD = 'four'\n")
	write("app.py", strings.Replace(app("x"), `"x"`, "WORD", 1)+"from package import WORD\n")
	await(t, "the new package is served", says("four"))
	write("package/__init__.py", "WORD = 'five'\n")
	await(t, "the package's change is served", says("five"))
}

// An application that is broken from the start is waited for.
func TestDevBrokenStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.py")
	if err := os.WriteFile(path, []byte("import nosuchmodule\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mended := make(chan struct{})
	go func() {
		defer close(mended)
		// The server says where it listens only when the application works: so the change comes from beside.
		await(t, "the change is asked for", func() bool {
			_, err := os.Stat(filepath.Join(dir, "asked"))
			return err == nil
		})
		_ = os.WriteFile(path, []byte("from covet import App\napp = App()\n"), 0o600)
	}()
	script := fmt.Sprintf(`%q dev app:app --port 0 --python %q 2>&1 | while read -r line; do echo "$line"; case "$line" in "waiting for a change"*) touch asked;; esac; done`,
		binary(t), python(t))
	s := launch(t, dir, "sh", "-c", script)
	<-mended
	s.awaitReady()
	if !strings.Contains(s.Log(), "nosuchmodule") {
		t.Error("the error was not shown")
	}
}

package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Everything a user can get wrong is answered by one clear sentence and the right exit code, never by a panic or a
// traceback of ours.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("good.py", "from covet import App\napp = App()\n@app.get('/')\nasync def f(): return 1\n")
	write("broken.py", "def f(:\n")
	write("raises.py", "raise ValueError('not today')\n")
	write("other.py", "app = 42\n")
	write("twice.py", "from covet import App\napp = App()\n@app.get('/a/{x}')\nasync def f(x: int): ...\n@app.get('/a/{y}')\nasync def g(y: int): ...\n")
	write("life.py", "from contextlib import asynccontextmanager\nfrom covet import App\n@asynccontextmanager\nasync def life(app):\n    raise RuntimeError('no database')\n    yield\napp = App(lifespan=life)\n")
	write("exits.py", "import os\nos._exit(7)\n")
	notPython := write("not-python", "#!/bin/sh\necho hello\n")
	if err := os.Chmod(notPython, 0o700); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(dir, "bare")
	if out, err := exec.Command(python(t), "-m", "venv", "--without-pip", bare).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write("broken.toml", "workers = \n")
	write("unknown.toml", "wrokers = 2\n")
	write("kind.toml", "threads = 'many'\n")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())

	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"no such module", []string{"run", "nosuch:app"}, 1, []string{"nosuch"}},
		{"no such file", []string{"run", "nosuch.py:app"}, 1, []string{"nosuch.py"}},
		{"no such attribute", []string{"run", "good:application"}, 1, []string{"application", "good"}},
		{"not an app", []string{"run", "other:app"}, 1, []string{"other", "int"}},
		{"syntax error", []string{"run", "broken:app"}, 1, []string{"broken.py", "line 1"}},
		{"import raises", []string{"run", "raises:app"}, 1, []string{"not today"}},
		{"lifespan raises", []string{"run", "life:app"}, 1, []string{"no database"}},
		{"import ends the process", []string{"run", "exits:app"}, 1, []string{"code 7"}},
		{"routes conflict", []string{"run", "twice:app"}, 1, []string{"/a/{x}", "/a/{y}", "twice.py:3", "twice.py:5"}},
		{"port taken", []string{"run", "good:app", "--port", port}, 1, []string{port, "in use"}},
		{"port not allowed", []string{"run", "good:app", "--port", "70000"}, 2, []string{"--port"}},
		{"bad address", []string{"run", "good:app", "--host", "no.such.host.invalid"}, 1, []string{"no.such.host.invalid"}},
		{"no such interpreter", []string{"run", "good:app", "--python", "/nonexistent/python"}, 1, []string{"/nonexistent/python", "--python"}},
		{"not an interpreter", []string{"run", "good:app", "--python", notPython}, 1, []string{"not a Python interpreter"}},
		{"interpreter without covet", []string{"run", "good:app", "--python", filepath.Join(bare, "bin", "python")}, 1, []string{"covet is not installed", "pip install"}},
		{"config missing", []string{"run", "good:app", "--config", "nosuch.toml"}, 2, []string{"nosuch.toml"}},
		{"config broken", []string{"run", "good:app", "--config", "broken.toml"}, 2, []string{"broken.toml", "line 1"}},
		{"config unknown", []string{"run", "good:app", "--config", "unknown.toml"}, 2, []string{"wrokers"}},
		{"config of a wrong kind", []string{"run", "good:app", "--config", "kind.toml"}, 2, []string{"threads"}},
		{"unknown option", []string{"run", "good:app", "--nosuch"}, 2, []string{"--nosuch", "--help"}},
		{"unknown command", []string{"serve"}, 2, []string{"serve"}},
		{"no application", []string{"run"}, 2, []string{"app"}},
		{"unknown transport", []string{"run", "good:app", "--transport", "carrier"}, 2, []string{"carrier", "uring"}},
		{"negative workers", []string{"run", "good:app", "--workers", "-1"}, 2, []string{"--workers"}},
		{"no server to reload", []string{"reload", "--port", "1"}, 1, []string{"no covet server"}},
		{"routes of nothing", []string{"routes", "nosuch:app"}, 1, []string{"nosuch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := c.args
			if c.args[0] == "run" && len(c.args) > 1 && !strings.Contains(strings.Join(args, " "), "--port") {
				args = append(args, "--port", "0")
			}
			if (c.args[0] == "run" || c.args[0] == "routes") && len(c.args) > 1 && !strings.Contains(strings.Join(args, " "), "--python") {
				args = append(args, "--python", python(t))
			}
			if c.args[0] == "run" && len(c.args) > 1 && !strings.Contains(strings.Join(args, " "), "--workers") {
				args = append(args, "--workers", "2")
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary(t), args...)
			cmd.Dir = dir
			var stderr strings.Builder
			cmd.Stderr = &stderr
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != c.code {
				t.Errorf("ended with %v, want exit code %d", err, c.code)
			}
			out := stderr.String()
			last := out[strings.LastIndex(out, "covet: ")+1:]
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("does not name %q", want)
				}
			}
			if !strings.Contains(out, "covet: ") || strings.Contains(out, "goroutine ") || strings.Contains(last, "Traceback") {
				t.Errorf("not one clear sentence")
			}
			if regexp.MustCompile(`File ".*/covet/_`).MatchString(out) {
				t.Errorf("shows frames of our own")
			}
			if t.Failed() {
				t.Logf("%s\n%s", strings.Join(args, " "), out)
			}
		})
	}
}

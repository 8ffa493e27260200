package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script makes an executable that prints what an interpreter would.
func script(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindPythonOrder(t *testing.T) {
	dir := t.TempDir()
	onPath := script(t, filepath.Join(dir, "path", "python3"), "")
	inEnv := script(t, filepath.Join(dir, "env", "bin", "python"), "")
	local := script(t, filepath.Join(dir, "here", ".venv", "bin", "python"), "")
	asked := script(t, filepath.Join(dir, "asked"), "")
	for _, c := range []struct {
		name, asked, env, path, dir, want string
	}{
		{"asked", asked, filepath.Join(dir, "env"), filepath.Join(dir, "path"), filepath.Join(dir, "here"), asked},
		{"active environment", "", filepath.Join(dir, "env"), filepath.Join(dir, "path"), filepath.Join(dir, "here"), inEnv},
		{"local environment", "", "", filepath.Join(dir, "path"), filepath.Join(dir, "here"), local},
		{"stale active environment", "", filepath.Join(dir, "gone"), filepath.Join(dir, "path"), filepath.Join(dir, "here"), local},
		{"path", "", "", filepath.Join(dir, "path"), dir, onPath},
		{"asked by name", "python3", filepath.Join(dir, "env"), filepath.Join(dir, "path"), filepath.Join(dir, "here"), onPath},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("VIRTUAL_ENV", c.env)
			t.Setenv("PATH", c.path)
			if got, err := FindPython(c.asked, c.dir); err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
	for name, asked := range map[string]string{"none": "", "no such": filepath.Join(dir, "nosuch")} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("VIRTUAL_ENV", "")
			t.Setenv("PATH", filepath.Join(dir, "empty"))
			var e *StartError
			if got, err := FindPython(asked, dir); !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestCheckPython(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"good":      {`echo 3.12.1 cpython; echo covet 0.1.0 1`, ""},
		"too old":   {`echo 3.10.2 cpython; echo covet 0.1.0 1`, "3.11 or newer"},
		"pypy":      {`echo 3.11.2 pypy; echo missing`, "pypy"},
		"missing":   {`echo 3.12.1 cpython; echo "missing ModuleNotFoundError No module named 'covet'"`, "covet is not installed"},
		"no ext":    {`echo 3.12.1 cpython; echo "missing ImportError _bridge.so: undefined symbol"`, "extension module"},
		"no python": {`echo hello`, "not a Python interpreter"},
		"fails":     {`exit 3`, "not a Python interpreter"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CheckPython(context.Background(), script(t, filepath.Join(dir, name), c.text))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

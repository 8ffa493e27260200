package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// interpreterTimeout bounds the start of an interpreter that is only asked who it is.
const interpreterTimeout = 20 * time.Second

// FindPython returns the absolute path of the interpreter to use: the one asked for, else the active virtual
// environment's ($VIRTUAL_ENV), else the one in ./.venv, else python3 on PATH. Dir is where "./.venv" is looked for.
// An error is a *StartError of stage "interpreter".
func FindPython(asked, dir string) (string, error) {
	if asked != "" {
		path, err := exec.LookPath(asked)
		if errors.Is(err, exec.ErrDot) {
			err = nil
		}
		if err != nil {
			return "", &StartError{
				Stage:   "interpreter",
				Message: fmt.Sprintf("the Python interpreter %q cannot be run: %v", asked, reason(err)),
				Hint:    "give --python the path of a CPython 3.11 or newer",
			}
		}
		return filepath.Abs(path)
	}
	var candidates []string
	if env := os.Getenv("VIRTUAL_ENV"); env != "" {
		candidates = append(candidates, env)
	}
	candidates = append(candidates, filepath.Join(dir, ".venv"))
	for _, env := range candidates {
		path := filepath.Join(env, binDir(), "python")
		if _, err := exec.LookPath(path); err == nil {
			return filepath.Abs(path)
		}
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		return "", &StartError{
			Stage:   "interpreter",
			Message: "no Python interpreter was found: neither $VIRTUAL_ENV, nor ./.venv, nor python3 on PATH",
			Hint:    "install CPython 3.11 or newer, or give its path with --python",
		}
	}
	return filepath.Abs(path)
}

func binDir() string {
	if runtime.GOOS == "windows" {
		return "Scripts"
	}
	return "bin"
}

// reason is the innermost message of an error of os/exec, without the path that the caller names itself.
func reason(err error) string {
	var e *exec.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// probe asks an interpreter for its version and for the package, in one start.
const probe = `import sys
print("%d.%d.%d" % sys.version_info[:3], sys.implementation.name)
try:
    import covet._bridge
except ImportError as e:
    print("missing", type(e).__name__, e)
else:
    print("covet", covet.__version__, covet._bridge.LAYOUT_VERSION)
`

// CheckPython explains why an interpreter could not run workers. The engine asks only after a worker has failed to
// say hello, and covet doctor asks always, because a start of Python costs tens of milliseconds.
// It returns what the interpreter said of itself, or a *StartError of stage "interpreter".
func CheckPython(ctx context.Context, python string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, interpreterTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", probe)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	fail := func(message, hint string) (string, error) {
		return "", &StartError{Stage: "interpreter", Message: message, Hint: hint, Traceback: stderr.String()}
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var version, name string
	if n, _ := fmt.Sscanf(lines[0], "%s %s", &version, &name); n != 2 {
		return fail(fmt.Sprintf("%s is not a Python interpreter (%v)", python, err), "give --python the path of a CPython 3.11 or newer")
	}
	var major, minor int
	_, _ = fmt.Sscanf(version, "%d.%d", &major, &minor) // zeros on failure are refused below
	if name != "cpython" || major != 3 || minor < 11 {
		return fail(fmt.Sprintf("%s is %s %s, but covet needs CPython 3.11 or newer", python, name, version),
			"give --python the path of a newer interpreter, or create a virtual environment with one")
	}
	if len(lines) < 2 || strings.HasPrefix(lines[1], "missing") {
		detail := "covet is not installed"
		if len(lines) > 1 && !strings.Contains(lines[1], "No module named 'covet'") {
			detail = "covet's extension module cannot be imported (" + strings.TrimPrefix(lines[1], "missing ") + ")"
		}
		return fail(fmt.Sprintf("%s in the interpreter %s", detail, python),
			fmt.Sprintf("run: %s -m pip install covetpy", python))
	}
	return version + ", " + lines[1], nil
}

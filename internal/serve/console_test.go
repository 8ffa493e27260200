package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait. It only ever ends a test that has failed.
const patience = 20 * time.Second

// home gives the test a runtime directory of its own.
func home(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
}

func open(t *testing.T, address string, answer func(context.Context, Question) Answer) *console {
	t.Helper()
	c, err := openConsole(address, answer)
	if err != nil {
		t.Fatal(err)
	}
	go c.serve(t.Context())
	t.Cleanup(c.close)
	return c
}

func named(name string) func(context.Context, Question) Answer {
	return func(_ context.Context, q Question) Answer {
		return Answer{Server: &ServerStatus{Target: name + " " + q.Verb}}
	}
}

func TestConsole(t *testing.T) {
	home(t)
	open(t, "127.0.0.1:8123", named("port"))
	open(t, "unix:/run/a/app.sock", named("a"))
	open(t, "unix:/run/b/app.sock", named("b"))
	for address, want := range map[string]string{
		"127.0.0.1:8123": "port status", "8123": "port status", "[::1]:8123": "port status",
		"unix:/run/a/app.sock": "a status", "unix:/run/x/../b/app.sock": "b status",
	} {
		a, err := Ask(t.Context(), address, Question{Verb: "status"})
		if err != nil || a.Server == nil || a.Server.Target != want {
			t.Errorf("%s: %+v, %v", address, a, err)
		}
	}
	if _, err := Ask(t.Context(), "8124", Question{Verb: "status"}); err == nil || !strings.Contains(err.Error(), "no covet server") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestConsolePathStaysInItsDirectory(t *testing.T) {
	home(t)
	for _, address := range []string{"127.0.0.1:8000", "unix:../../x", "h:../../x", "../../x", "/x", "unix:/a/b.sock", ""} {
		if dir := filepath.Dir(consolePath(address)); dir != consoleDir() {
			t.Errorf("%q: %s", address, consolePath(address))
		}
	}
}

func TestStaleSocketIsReplacedAndALivingOneIsNot(t *testing.T) {
	home(t)
	open(t, "8123", named("first")).close()
	l, err := net.Listen("unix", consolePath("8123"))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // what a killed server leaves behind
	l.Close()
	open(t, "127.0.0.1:8123", named("second"))
	if _, err := openConsole("127.0.0.2:8123", named("third")); err == nil || !strings.Contains(err.Error(), "another running server") {
		t.Errorf("a living server's socket was taken: %v", err)
	}
	if a, err := Ask(t.Context(), "8123", Question{Verb: "status"}); err != nil || a.Server.Target != "second status" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestConsoleWantsAPrivateDirectory(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"open to others": func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o755)) },
		"a link":         func(dir string) error { return os.Symlink(os.TempDir(), dir) },
		"a file":         func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			home(t)
			if err := make(consoleDir()); err != nil {
				t.Fatal(err)
			}
			if c, err := openConsole("8123", named("x")); err == nil {
				c.close()
				t.Error("it was opened")
			}
		})
	}
}

func TestConsoleIgnoresNonsense(t *testing.T) {
	home(t)
	open(t, "8123", named("x"))
	for _, text := range []string{"\n", "hello\n", "[]\n", strings.Repeat("x", maxQuestion+1) + "\n", ""} {
		conn, err := net.Dial("unix", consolePath("8123"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, text) // it may be cut off in the middle
		_ = conn.(*net.UnixConn).CloseWrite()
		if b, _ := io.ReadAll(conn); len(b) != 0 {
			t.Errorf("%.20q is answered with %q", text, b)
		}
		conn.Close()
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	home(t)
	asked := make(chan struct{})
	release := make(chan struct{})
	defer close(release)
	open(t, "8123", func(context.Context, Question) Answer { close(asked); <-release; return Answer{} })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := Ask(ctx, "8123", Question{Verb: "reload"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAskOfADyingServer(t *testing.T) {
	home(t)
	if err := os.MkdirAll(consoleDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", consolePath("8123"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = bufio.NewReader(conn).ReadString('\n')
			conn.Close()
		}
	}()
	if _, err := Ask(t.Context(), "8123", Question{Verb: "reload"}); err == nil || !strings.Contains(err.Error(), "before it answered") {
		t.Errorf("%v", err)
	}
}

func TestAnswerToAnUnknownQuestion(t *testing.T) {
	s := &instance{}
	a := s.answer(t.Context(), Question{Verb: "sing"})
	text, err := json.Marshal(a)
	if err != nil || !strings.Contains(string(text), `unknown question \"sing\"`) {
		t.Errorf("%s, %v", text, err)
	}
}

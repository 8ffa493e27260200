package cli

import (
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestDev reloads when a file changes, and waits for a change when the application cannot start.
func TestDev(t *testing.T) {
	for target, want := range map[string][]string{
		"good":         {"a changed file reloads", "first.py changed; reloaded in", "second.py changed; reloaded in"},
		"flaky":        {"a changed file reloads", "no module named shop(?s:.*)first.py changed; the code before goes on", "second.py changed; reloaded in"},
		"fails-import": {"no module named shop(?s:.*)waiting for a change", "first.py changed(?s:.*)waiting for a change", "second.py changed(?s:.*)waiting for a change"},
	} {
		t.Run(target, func(t *testing.T) {
			bare(t)
			t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
			var err screen
			ended := make(chan int, 1)
			go func() { ended <- Main([]string{"dev", target, "--python", self(t), "--port", "0"}, io.Discard, &err) }()
			err.find(t, want[0])
			for i, file := range []string{"first.py", "second.py"} {
				if err := os.WriteFile(file, []byte("x = 1\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				err.find(t, want[i+1])
			}
			if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			select {
			case code := <-ended:
				if code != exitOK {
					t.Errorf("exit code %d\n%s", code, &err)
				}
			case <-time.After(patience):
				t.Fatalf("it does not stop\n%s", &err)
			}
		})
	}
}

package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOpenUnix(t *testing.T) {
	dir, err := os.MkdirTemp("", "cv") // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	open := func() (Listener, error) { return Open(context.Background(), "unix:"+path) }

	// What a killed server leaves behind: the name of a socket that nobody listens on.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	alive, err := open()
	if err != nil {
		t.Fatalf("over an abandoned socket: %v", err)
	}
	if _, err := open(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("over a socket in use: %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the socket in use was harmed: %v", err)
	}
	conn.Close()
	alive.L.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("over a file: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

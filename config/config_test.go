package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "1": 1, "8K": 8 << 10, "8k": 8 << 10, "64M": 64 << 20, "1 G": 1 << 30, "2GiB": 2 << 30, "3MB": 3 << 20, "1T": 1 << 40} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "K", "-1", "1X", "1.5M", "99999999999T", "0x10"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %d", text, s)
		}
	}
	for s, want := range map[Size]string{0: "0", 1: "1", 1 << 10: "1K", 1<<20 + 1: "1048577", 3 << 30: "3G"} {
		if s.String() != want {
			t.Errorf("%d is written %q", int64(s), s)
		}
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "covet.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f, err := ReadFile(write("workers = 2\nmax_body = '1G'\nbind = ['a:1', 'b:2']\n[limits]\nhead-timeout = '5s'\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"workers": "2", "max-body": "1G", "bind": "a:1,b:2", "head-timeout": "5s"} {
		if got, ok := f.Value(name); !ok || got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if err := f.Unknown(func(name string) bool { return name != "bind" }); err == nil || !strings.Contains(err.Error(), `"bind"`) {
		t.Errorf("unknown: %v", err)
	}
	for text, want := range map[string]string{
		"workers =":                     "line 1",
		"workers = 1\n[x]\nworkers = 2": "twice",
		"bind = [1]":                    "list of strings",
		"since = 2020-01-01":            "kind",
	} {
		if _, err := ReadFile(write(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadFile(filepath.Join(dir, "none.toml")); err == nil || !strings.Contains(err.Error(), "none.toml") {
		t.Errorf("missing file: %v", err)
	}
}

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStaticDir(t *testing.T) {
	for text, want := range map[string]StaticDir{
		"/assets=public":    {Path: "/assets", Dir: "public"},
		"/assets/=/srv/a=b": {Path: "/assets", Dir: "/srv/a=b"},
		"/=.;listing;index=home.html;cache-control=public, max-age=60;immutable": {
			Path: "/", Dir: ".", Listing: true, Index: "home.html", CacheControl: "public, max-age=60", Immutable: true},
		"/a=b;dotfiles=true;follow-symlinks=false;no-precompressed": {Path: "/a", Dir: "b", Dotfiles: true, NoPrecompressed: true},
	} {
		var s StaticDir
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "public", "assets=public", "/a=", "/a b=c", "/{x}=c", "//a=b", "/a=b;nothing", "/a=b;listing=maybe", "/a=b;index="} {
		var s StaticDir
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %+v", text, s)
		}
	}
}

func TestStaticTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "covet.toml")
	text := "[[static]]\npath = '/a'\ndir = 'x'\ncache_control = 'public, max-age=1'\nlisting = true\n[[static]]\npath = '/b'\ndir = 'y'\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := f.Value("static"); got != `/a=x;cache-control=public\, max-age=1;listing=true,/b=y` {
		t.Errorf("static is %s", got)
	}
	if err := os.WriteFile(path, []byte("[[static]]\npath = '/a'\ncache_control = 'a;b'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "semicolon") {
		t.Errorf("a semicolon: %v", err)
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		have, err := os.ReadFile(filepath.Join(root, f.path))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, f.text) {
			t.Errorf("%s is not what codes.json says: run go run ./internal/tools/faultgen", f.path)
		}
	}
}

func TestConstant(t *testing.T) {
	for code, want := range map[string]string{
		"not_found": "NotFound", "uri_too_long": "URITooLong", "http_version_not_supported": "HTTPVersionNotSupported",
	} {
		if got := constant(code); got != want {
			t.Errorf("constant(%q) = %q, want %q", code, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":  {`[`, "EOF"},
		"unknown":   {`[{"code":"a","status":400,"message":"ab","x":1}]`, "unknown field"},
		"name":      {`[{"code":"A-b","status":400,"message":"ab"}]`, "joined by"},
		"twice":     {`[{"code":"a","status":400,"message":"ab"},{"code":"a","status":400,"message":"ab"}]`, "twice"},
		"status":    {`[{"code":"a","status":200,"message":"ab"}]`, "no error"},
		"quote":     {`[{"code":"a","status":400,"message":"a\"b"}]`, "printable"},
		"full stop": {`[{"code":"a","status":400,"message":"ab."}]`, "full stop"},
		"order":     {`[{"code":"a","status":401,"message":"ab"},{"code":"b","status":400,"message":"ab"}]`, "order"},
	} {
		if _, err := parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const root = "../../.."

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := Generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		have, err := os.ReadFile(filepath.Join(root, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, f.Text) {
			t.Errorf("%s is not what layout.go says: run go run ./internal/tools/layoutgen", f.Path)
		}
	}
}

func TestMacro(t *testing.T) {
	for name, want := range map[string]string{
		"Magic":             "COVET_MAGIC",
		"RequestFieldCount": "COVET_REQUEST_FIELD_COUNT",
		"RequestID":         "COVET_REQUEST_ID",
		"FlagTLS":           "COVET_FLAG_TLS",
		"ContentJSON":       "COVET_CONTENT_JSON",
		"HTTP10":            "COVET_HTTP10",
		"TypeBodyEnd":       "COVET_TYPE_BODY_END",
	} {
		if got := macro(name); got != want {
			t.Errorf("macro(%s) = %s, want %s", name, got, want)
		}
	}
}

// TestFieldsDoNotOverlap finds two offsets of one structure that claim the same byte, and misaligned numbers.
func TestFieldsDoNotOverlap(t *testing.T) {
	ring, err := readLayout(filepath.Join(root, "internal/ring/layout.go"))
	if err != nil {
		t.Fatal(err)
	}
	frame, err := readLayout(filepath.Join(root, "internal/frame/layout.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		name   string
		fields []Const
		size   uint64
	}{
		{"region", ring.Fields("Region"), ring.Get("ControlStart").Value},
		{"control", ring.Fields("Control"), ring.Get("ControlSize").Value},
		{"REQUEST", frame.Fields("Request"), frame.Get("RequestSize").Value},
		{"RESPONSE", frame.Fields("Response"), frame.Get("ResponseSize").Value},
		{"ERROR", frame.Fields("Error"), frame.Get("ErrorSize").Value},
	} {
		if len(s.fields) == 0 {
			t.Errorf("%s has no fields: the comments lost their types", s.name)
		}
		used := map[uint64]string{}
		for _, c := range s.fields {
			if align := uint64(min(c.Size(), 8)); c.Kind != "span" && c.Value%align != 0 || c.Value%4 != 0 && c.Kind == "span" {
				t.Errorf("%s: %s at %d is not aligned", s.name, c.Name, c.Value)
			}
			for at := c.Value; at < c.Value+uint64(c.Size()); at++ {
				if used[at] != "" {
					t.Errorf("%s: %s and %s share byte %d", s.name, used[at], c.Name, at)
				}
				used[at] = c.Name
				if at >= s.size {
					t.Errorf("%s: %s ends behind the structure", s.name, c.Name)
				}
			}
		}
	}
}

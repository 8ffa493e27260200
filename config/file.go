package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// File holds the settings of a configuration file: TOML whose keys are the names of the flags. Tables may group
// them at will: "workers" in a table [server] is the same as "workers" at the top. Keys may be written with hyphens
// or underscores.
type File struct {
	path   string
	values map[string]string
}

// ReadFile reads a configuration file. Its errors are one sentence that names the file and, where it can, the line.
func ReadFile(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		var e *os.PathError
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, fmt.Errorf("the configuration file %s cannot be read: %w", path, err)
	}
	var tree map[string]any
	if err := toml.Unmarshal(text, &tree); err != nil {
		var e *toml.DecodeError
		if errors.As(err, &e) {
			line, column := e.Position()
			return nil, fmt.Errorf("the configuration file %s is not valid TOML: line %d, column %d: %s", path, line, column, strings.TrimPrefix(e.Error(), "toml: "))
		}
		return nil, fmt.Errorf("the configuration file %s is not valid TOML: %w", path, err)
	}
	f := &File{path: path, values: map[string]string{}}
	return f, f.flatten(tree)
}

func (f *File) flatten(tree map[string]any) error {
	for key, v := range tree {
		if sub, ok := v.(map[string]any); ok {
			if err := f.flatten(sub); err != nil {
				return err
			}
			continue
		}
		name := strings.ReplaceAll(strings.ToLower(key), "_", "-")
		if _, twice := f.values[name]; twice {
			return fmt.Errorf("the configuration file %s sets %q twice", f.path, name)
		}
		var text string
		var err error
		if tables, ok := v.([]any); ok && name == "static" {
			text, err = staticTables(tables)
		} else {
			text, err = scalar(v)
		}
		if err != nil {
			return fmt.Errorf("the configuration file %s: %q %w", f.path, name, err)
		}
		f.values[name] = text
	}
	return nil
}

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64, float64, bool:
		return fmt.Sprint(v), nil
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return "", errors.New("must be a list of strings")
			}
			parts[i] = s
		}
		return strings.Join(parts, ","), nil
	}
	return "", fmt.Errorf("has a value of a kind that no setting takes (%T)", v)
}

// Value returns the text of a setting by the name of its flag.
func (f *File) Value(name string) (text string, ok bool) {
	text, ok = f.values[name]
	return text, ok
}

// Unknown returns an error for the first key, by name, that is not known.
func (f *File) Unknown(known func(name string) bool) error {
	var first string
	for name := range f.values {
		if !known(name) && (first == "" || name < first) {
			first = name
		}
	}
	if first != "" {
		return fmt.Errorf("the configuration file %s has an unknown setting %q; covet run --help lists them", f.path, first)
	}
	return nil
}

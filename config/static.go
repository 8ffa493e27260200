package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Static says which directories the engine serves by itself: see docs/guide/static.md.
type Static struct {
	Static []StaticDir `help:"Serve the files of a directory: /path=dir, and options behind semicolons (index=NAME, listing, fallback=NAME, dotfiles, follow-symlinks, no-precompressed, cache-control=VALUE, immutable); may be repeated." env:"COVET_STATIC" placeholder:"PATH=DIR"`
}

// StaticDir is a directory that is served below a path. As text it is
//
//	/path=dir[;option[=value]]...
type StaticDir struct {
	// Path is where, Dir what: without a slash at its end, unless it is the root, and relative to the current directory.
	Path, Dir string
	// The options are those of static.Config.
	Index, Fallback, CacheControl                                 string
	Listing, Dotfiles, FollowSymlinks, NoPrecompressed, Immutable bool
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *StaticDir) UnmarshalText(text []byte) error {
	*s = StaticDir{}
	parts := strings.Split(string(text), ";")
	path, dir, ok := strings.Cut(parts[0], "=")
	if !ok {
		return fmt.Errorf("%q is not of the form /path=directory", text)
	}
	if err := s.set("path", path); err != nil {
		return err
	}
	if err := s.set("dir", dir); err != nil {
		return err
	}
	for _, part := range parts[1:] {
		name, v, valued := strings.Cut(part, "=")
		if !valued {
			v = "true"
		}
		if err := s.set(name, v); err != nil {
			return err
		}
	}
	return nil
}

// set sets an option by its name.
func (s *StaticDir) set(name, v string) error {
	flag := map[string]*bool{
		"listing": &s.Listing, "dotfiles": &s.Dotfiles, "follow-symlinks": &s.FollowSymlinks,
		"no-precompressed": &s.NoPrecompressed, "immutable": &s.Immutable,
	}[name]
	text := map[string]*string{"index": &s.Index, "fallback": &s.Fallback, "cache-control": &s.CacheControl, "dir": &s.Dir}[name]
	switch {
	case flag != nil && (v == "true" || v == "false"):
		*flag = v == "true"
	case flag != nil:
		return fmt.Errorf("the option %s of a static directory is on or off, not %q", name, v)
	case text != nil && v == "":
		return fmt.Errorf("the %s of a static directory is empty", name)
	case text != nil:
		*text = v
	case name == "path":
		if !strings.HasPrefix(v, "/") || strings.ContainsAny(v, "{}?#%\\ ") || strings.Contains(v, "//") {
			return fmt.Errorf("%q is not a path that files can be served below: write /path", v)
		}
		if s.Path = strings.TrimSuffix(v, "/"); s.Path == "" {
			s.Path = "/"
		}
	default:
		return fmt.Errorf("a static directory has no option %q", name)
	}
	return nil
}

// staticTables turns the tables [[static]] of a configuration file into the text of the flag.
func staticTables(tables []any) (string, error) {
	var list []string
	for _, v := range tables {
		table, ok := v.(map[string]any)
		if !ok {
			text, ok := v.(string)
			if !ok {
				return "", errors.New("must be tables, or a list of strings")
			}
			list = append(list, strings.ReplaceAll(text, ",", `\,`))
			continue
		}
		values := map[string]string{}
		for key, v := range table {
			text, err := scalar(v)
			if err != nil {
				return "", fmt.Errorf("has a %q that %w", key, err)
			}
			values[strings.ReplaceAll(strings.ToLower(key), "_", "-")] = text
		}
		text := values["path"] + "=" + values["dir"]
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if key != "path" && key != "dir" {
				if strings.Contains(values[key], ";") {
					return "", fmt.Errorf("has a %q with a semicolon", key)
				}
				text += ";" + key + "=" + values[key]
			}
		}
		// The parser of flags splits lists at commas, which values may have.
		list = append(list, strings.ReplaceAll(text, ",", `\,`))
	}
	return strings.Join(list, ","), nil
}

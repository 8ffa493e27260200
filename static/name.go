package static

import (
	"io/fs"
	"runtime"
	"strings"
)

// fileName turns what follows the mount's prefix in a canonical path (see message.Request.Path) into a name below the
// directory; dir tells that it ended in a slash, as the names of directories do. Not ok means that there can be no such
// file, or that nobody is to see it.
//
// The path has been decoded once and has lost its dot segments. What is left to refuse: %2F, which no name can hold,
// backslashes, which are separators on some systems, control characters, empty segments, names that a system gives a
// meaning of its own, and dotfiles.
func fileName(rest string, dotfiles bool) (name string, dir, ok bool) {
	if rest == "" {
		return ".", true, true
	}
	name, dir = strings.CutSuffix(rest, "/")
	if strings.Contains(name, "%2F") {
		return "", false, false
	}
	name = strings.ReplaceAll(name, "%25", "%")
	if !fs.ValidPath(name) || name == "." {
		return "", false, false
	}
	start := true
	for i := range len(name) {
		c := name[i]
		if c == '\\' || c < ' ' || c == 0x7f || c == ':' && runtime.GOOS == "windows" || start && c == '.' && !dotfiles {
			return "", false, false
		}
		start = c == '/'
	}
	return name, dir, true
}

package static

import (
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/fault"
)

// listed is one line of a listing.
type listed struct {
	Name     string    `json:"name"`
	Dir      bool      `json:"dir"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

// list replies with the names in a directory, off the loop.
func (s *Site) list(c *covet.Ctx, key string) error {
	name, _, ok := fileName(key, s.cfg.Dotfiles)
	if !ok {
		return &fault.Error{Code: fault.NotFound}
	}
	entries, err := s.tree.list(name, maxListed)
	if err != nil {
		return public(err)
	}
	lines := make([]listed, 0, len(entries))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && !s.cfg.Dotfiles {
			continue
		}
		// What cannot be served is not shown; a symbolic link shows what it leads to.
		info, err := s.tree.stat(join(name, e.Name()))
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		l := listed{Name: e.Name(), Dir: info.IsDir(), Modified: info.ModTime().UTC()}
		if !l.Dir {
			l.Size = info.Size()
		}
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b listed) int {
		if a.Dir != b.Dir {
			if a.Dir {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	c.AddHeader("vary", "accept")
	c.SetHeader("cache-control", "no-cache")
	c.SetHeader("x-content-type-options", "nosniff")
	if !acceptsHTML(c) && strings.Contains(c.Header("accept"), "application/json") {
		return c.JSON(http.StatusOK, lines)
	}
	// Names are the work of others: nothing in them is to be run.
	c.SetHeader("content-security-policy", "default-src 'none'")
	return c.HTML(http.StatusOK, page(c.Path(), lines, key != ""))
}

func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// page is a listing as HTML.
func page(path string, lines []listed, parent bool) string {
	var b strings.Builder
	title := html.EscapeString(path)
	b.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>" + title + "</title></head>\n<body><h1>" + title + "</h1>\n<ul>\n")
	if parent {
		b.WriteString("<li><a href=\"../\">../</a></li>\n")
	}
	for _, l := range lines {
		slash, size := "", ""
		if l.Dir {
			slash = "/"
		} else {
			size = " " + strconv.FormatInt(l.Size, 10)
		}
		// With a dot at the front a name such as "javascript:x" is no scheme.
		href := html.EscapeString("./" + url.PathEscape(l.Name) + slash)
		b.WriteString("<li><a href=\"" + href + "\">" + html.EscapeString(l.Name+slash) + "</a>" + size + "</li>\n")
	}
	b.WriteString("</ul></body></html>\n")
	return b.String()
}

package covet

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/message"
)

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a=1&a=2", "a=%20+b&c", "=&&=x", "%61=1", "a=%zz", "a;b=1"} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, query, name string) {
		req := &message.Request{Head: []byte(query), Query: message.Span{Len: uint32(len(query))}}
		got := (&Ctx{req: req}).QueryAll(name)
		want, err := url.ParseQuery(query)
		// Empty pairs name nothing for net/url, and it refuses what is kept as it is here.
		if err != nil || name == "" {
			return
		}
		if !slices.Equal(got, want[name]) {
			t.Fatalf("%q of %q: %q, want %q", name, query, got, want[name])
		}
	})
}

func FuzzCookie(f *testing.F) {
	for _, s := range []string{"a=1; b=2", `a="x"`, "a", "a=;a=2", ";; a=b", "b=a=c; a=3", "a= ", "a= 0"} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, header, name string) {
		if !ascii.IsValue(header) {
			return // no codec lets it through
		}
		if strings.Contains(header, "= ") || strings.Contains(header, "=\t") {
			return // net/http keeps this white space, RFC 6265bis section 5.6 takes it off
		}
		const field = "cookie"
		req := &message.Request{Head: []byte(field + header)}
		req.Fields = []message.Field{{Name: message.Span{Len: uint32(len(field))},
			Value: message.Span{Off: uint32(len(field)), Len: uint32(len(header))}}}
		got, ok := (&Ctx{req: req}).Cookie(name)
		// Where the strict reader of net/http finds the cookie, this one finds the same.
		list, err := http.ParseCookie(header)
		if err != nil {
			return
		}
		for _, c := range list {
			if c.Name == name && strings.Contains(header, "=") {
				if !ok || got != c.Value {
					t.Fatalf("%q of %q: %q %v, want %q", name, header, got, ok, c.Value)
				}
				return
			}
		}
	})
}

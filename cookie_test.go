package covet

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAppendCookie(t *testing.T) {
	const none, lax, strict = http.SameSiteNoneMode, http.SameSiteLaxMode, http.SameSiteStrictMode
	day := time.Date(2026, 11, 24, 3, 0, 0, 0, time.FixedZone("x", 3600))
	for _, c := range []struct {
		in   http.Cookie
		want string // or a part of the error, after "!"
	}{
		{http.Cookie{Name: "a", Value: "b"}, "a=b"},
		{http.Cookie{Name: "a"}, "a="},
		{http.Cookie{Name: "a", Value: "b", Quoted: true}, `a="b"`},
		{
			http.Cookie{Name: "a", Value: "b=c", MaxAge: 60, Expires: day, Path: "/x y", Domain: ".Example.com", Secure: true, HttpOnly: true, SameSite: strict, Partitioned: true},
			"a=b=c; Max-Age=60; Expires=Tue, 24 Nov 2026 02:00:00 GMT; Path=/x y; Domain=.Example.com; Secure; HttpOnly; SameSite=Strict; Partitioned",
		},
		{http.Cookie{Name: "a", MaxAge: 1 << 30, SameSite: lax}, "a=; Max-Age=34560000; SameSite=Lax"},
		{http.Cookie{Name: "a", MaxAge: -5}, "a=; Max-Age=0"},
		{http.Cookie{Name: "a", SameSite: none, Secure: true}, "a=; Secure; SameSite=None"},
		{http.Cookie{Name: "__Host-a", Path: "/", Secure: true}, "__Host-a=; Path=/; Secure"},
		{http.Cookie{Name: "__Host-Http-a", Path: "/", Secure: true, HttpOnly: true}, "__Host-Http-a=; Path=/; Secure; HttpOnly"},
		{http.Cookie{Name: "a", Value: strings.Repeat("x", 4095)}, "a=" + strings.Repeat("x", 4095)},

		{http.Cookie{Name: ""}, "!token"},
		{http.Cookie{Name: "a;b"}, "!token"},
		{http.Cookie{Name: "a=b"}, "!token"},
		{http.Cookie{Name: "a", Value: "b c"}, "!encode"},
		{http.Cookie{Name: "a", Value: "b;c"}, "!encode"},
		{http.Cookie{Name: "a", Value: `b"`}, "!encode"},
		{http.Cookie{Name: "a", Value: "b\r\nx: y"}, "!encode"},
		{http.Cookie{Name: "a", Value: "ä"}, "!encode"},
		{http.Cookie{Name: "a", Value: strings.Repeat("x", 4096)}, "!4096"},
		{http.Cookie{Name: "a", Path: "x"}, "!slash"},
		{http.Cookie{Name: "a", Path: "/;x"}, "!sent"},
		{http.Cookie{Name: "a", Path: "/" + strings.Repeat("x", 1024)}, "!sent"},
		{http.Cookie{Name: "a", Domain: "a b"}, "!host name"},
		{http.Cookie{Name: "a", Domain: "."}, "!host name"},
		{http.Cookie{Name: "a", Domain: "a-"}, "!host name"},
		{http.Cookie{Name: "a", Domain: "a;b"}, "!host name"},
		{http.Cookie{Name: "a", Expires: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)}, "!year"},
		{http.Cookie{Name: "a", SameSite: none}, "!SameSite"},
		{http.Cookie{Name: "a", Partitioned: true}, "!Partitioned"},
		{http.Cookie{Name: "__Secure-a"}, "!Secure"},
		{http.Cookie{Name: "__sEcUrE-a"}, "!Secure"},
		{http.Cookie{Name: "__Host-a", Secure: true}, "!path /"},
		{http.Cookie{Name: "__host-a", Secure: true, Path: "/", Domain: "a"}, "!path /"},
		{http.Cookie{Name: "__Http-a", Secure: true}, "!HttpOnly"},
	} {
		b, err := appendCookie(nil, &c.in)
		if part, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: %s %v, want an error with %q", c.in, b, err, part)
			}
		} else if err != nil || string(b) != c.want {
			t.Errorf("%s %v, want %s", b, err, c.want)
		}
		if err != nil {
			continue
		}
		// What is written reads back the same.
		back, err := http.ParseSetCookie(string(b))
		if err != nil || back.Name != c.in.Name || back.Value != c.in.Value {
			t.Errorf("%s reads back as %+v %v", b, back, err)
		}
	}
}

func TestCookies(t *testing.T) {
	a, _ := newTest(t)
	a.Get("/get", func(c *Ctx) error {
		v, ok := c.Cookie(c.Query("name"))
		if !ok {
			v = "none"
		}
		return c.Text(200, v)
	})
	a.Get("/delete", func(c *Ctx) error {
		c.DeleteCookie(&http.Cookie{Name: "__Host-a", Value: "x", Path: "/", MaxAge: 5})
		return c.NoContent()
	})
	s := start(t, a)
	for _, c := range []struct{ cookie, name, want string }{
		{"a=1; b=2", "b", "2"},
		{"a=1; a=2", "a", "1"},
		{"a = 1 ;b", "a", "1"},
		{"a", "a", "none"},
		{"=x; a=1", "", "none"},
		{"=__Host-a=evil", "__Host-a", "none"},
		{`a="b c"`, "a", "b c"},
		{`a="`, "a", `"`},
		{"a=", "a", ""},
		{"a=b=c", "a", "b=c"},
		{"A=1", "a", "none"},
		{";;; ;a=1", "a", "1"},
	} {
		if got := ask(t, s, "GET", "/get?name="+c.name, "", "cookie", c.cookie); got.body != c.want {
			t.Errorf("%q: %q = %q, want %q", c.cookie, c.name, got.body, c.want)
		}
	}
	got := ask(t, s, "GET", "/delete", "").header.Get("set-cookie")
	if want := "__Host-a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzSetCookie(f *testing.F) {
	f.Add("a", "b", "/", "example.com")
	f.Add("__Host-a", "\r\n", ";", "..")
	f.Fuzz(func(t *testing.T, name, value, path, domain string) {
		b, err := appendCookie(nil, &http.Cookie{Name: name, Value: value, Path: path, Domain: domain, Secure: true, HttpOnly: true})
		if err != nil {
			return
		}
		k, err := http.ParseSetCookie(string(b))
		if err != nil || k.Name != name || k.Value != value || k.Path != path || !k.Secure || !k.HttpOnly {
			t.Fatalf("%q reads back as %+v %v", b, k, err)
		}
	})
}

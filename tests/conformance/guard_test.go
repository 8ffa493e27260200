package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/fault"
)

// spellings of "/admin/secret": a guard of /admin must see them as the router does.
var spellings = []string{
	"/admin/secret", "/%61dmin/secret", "/%61%64%6d%69%6E/secret", "/admin/%73ecret", "/./admin/secret", "/admin/./secret",
	"/x/../admin/secret", "/x/%2e%2e/admin/secret", "/x/.%2E/admin/secret", "/%2e/admin/secret", "/a/b/../../admin/secret",
	"/admin//secret", "//admin/secret", "/admin/x/../secret", "/admin/secret/", "/admin/secret/.", "/ADMIN/secret",
	"/admin%2fsecret", "/admin%2Fsecret", "/%2fadmin/secret", "/%2561dmin/secret", "/admin/%2e%2e/admin/secret",
	"/admin;x/secret", "/admin;/secret", "/admin%3b/secret", "/admin%00/secret", "/admin%20/secret", "/admin./secret",
	"/admin\\secret", "/admin%5csecret", "/..%2fadmin/secret", "/x/..%2fadmin/secret", "/x%2f..%2fadmin/secret", "/../admin/secret",
	"/..;/admin/secret", "/x/..;/admin/secret", "http://b/%61dmin/secret", "http://b/x/../admin/secret", "http://b//admin/secret",
	"/admin/secret?", "/admin/secret?/../../", "/?/admin/secret", "/admin/secret%3f", "/admin/secret%23", "/admin/secret#x",
	"/%c0%afadmin/secret", "/admin/secret%0a", "/%E2%80%AEadmin/secret", "/admin%ff/secret", "/%u0061dmin/secret", "*", "",
}

// Whatever a client writes, the router, the guard of a group and the handler behind it see one path: the guarded
// handler is never reached past its guard, and what other handlers see of the path, decoded as often as anyone may,
// does not lead below the guard by another reading of dots.
func TestGuardsSeeThePathOfTheRouter(t *testing.T) {
	for _, kind := range transports(t) {
		t.Run(kind, func(t *testing.T) {
			address := run(t, kind, func(app *covet.App) {
				guarded := app.Group("/admin", covet.Middleware{Name: "guard", Before: func(c *covet.Ctx) error {
					if !strings.HasPrefix(c.Path(), "/admin") {
						t.Errorf("the guard of /admin sees %q", c.Path())
					}
					return &fault.Error{Code: fault.Forbidden}
				}})
				secret := func(c *covet.Ctx) error {
					t.Errorf("%q reaches the guarded handler", c.Target())
					return c.Text(200, "secret")
				}
				guarded.Get("/secret", secret)
				guarded.Get("/{rest...}", secret, covet.Inline())
				app.Get("/{rest...}", func(c *covet.Ctx) error {
					return c.Text(200, "open "+c.Path()+"|"+c.Param("rest"))
				}, covet.Inline())
			})
			for _, s := range spellings {
				got := ask(t, address, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", s))
				r, _, err := readResponse(got, "GET")
				if err != nil {
					t.Errorf("%s: %v, received %q", s, err, got)
					continue
				}
				switch r.status {
				case 400, 403:
				case 200:
					path := strings.TrimPrefix(r.body, "open ")
					path, param, _ := strings.Cut(path, "|")
					if path == "/admin" || strings.HasPrefix(path, "/admin/") {
						t.Errorf("%s: an open route sees %q", s, path)
					}
					for _, segment := range strings.Split(path, "/") {
						if segment == "." || segment == ".." {
							t.Errorf("%s: dots are left in %q", s, path)
						}
					}
					if strings.ContainsAny(path, "\x00") || strings.ContainsAny(param, "\x00") {
						t.Errorf("%s: NUL in %q", s, r.body)
					}
				default:
					t.Errorf("%s: status %d", s, r.status)
				}
			}
		})
	}
}

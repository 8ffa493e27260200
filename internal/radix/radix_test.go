package radix

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// build makes a tree whose payloads are "METHOD pattern".
func build(t testing.TB, routes ...string) *Tree[string] {
	t.Helper()
	tree, err := Build(entries(routes))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func entries(routes []string) []Route[string] {
	var list []Route[string]
	for i, r := range routes {
		method, pattern, _ := strings.Cut(r, " ")
		list = append(list, Route[string]{method, pattern, fmt.Sprintf("app.go:%d", i+1), r})
	}
	return list
}

// find returns the route and the parameters, or "404", or "405 " and the Allow list.
func find(tree *Tree[string], method, path string) string {
	var ps Params
	got, miss, ok := tree.Lookup(tree.Method(method), []byte(path), &ps)
	switch {
	case ok:
		for _, s := range ps.Span[:ps.N] {
			got += fmt.Sprintf(" %q", path[s.Off:s.Off+s.Len])
		}
		return got
	case miss.Methods == 0:
		return "404"
	}
	return "405 " + tree.Allow(miss.Methods)
}

func TestLookup(t *testing.T) {
	tree := build(t,
		"GET /", "GET /users", "POST /users", "GET /users/", "GET /users/me", "GET /users/{id:int}",
		"GET /users/{name}", "PUT /users/{name}", "DELETE /users/{id:int}/keys/{key}", "GET /users/{name}/posts",
		"GET /users/{id:int}/x/{y}/z", "GET /users/{name}/x/{y}/w",
		"GET /jobs/{id:uuid}", "GET /jobs/{n:float}", "GET /jobs/{rest...}",
		"GET /static/{path...}", "GET /static/app.js", "* /proxy/{path:path}", "GET /proxy/ping", "PROPFIND /dav",
		"GET /menu", "GET /men", "GET /mem", "GET /café/{x}", "GET /a%2Fb", "HEAD /headed", "GET /headed", "OPTIONS /own",
	)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/", "GET /"},
		{"GET", "/users", "GET /users"},
		{"POST", "/users", "POST /users"},
		{"GET", "/users/", "GET /users/"},
		{"GET", "/users/me", "GET /users/me"},
		{"GET", "/users/m", `GET /users/{name} "m"`},
		{"GET", "/users/mee", `GET /users/{name} "mee"`},
		{"GET", "/users/42", `GET /users/{id:int} "42"`},
		{"GET", "/users/-42", `GET /users/{id:int} "-42"`},
		{"GET", "/users/-", `GET /users/{name} "-"`},
		{"GET", "/users/4x", `GET /users/{name} "4x"`},
		// A better pattern without the method gives way to a worse one with it.
		{"PUT", "/users/me", `PUT /users/{name} "me"`},
		{"PUT", "/users/42", `PUT /users/{name} "42"`},
		// The typed branch leads nowhere and is taken back, with its parameters.
		{"GET", "/users/42/posts", `GET /users/{name}/posts "42"`},
		{"GET", "/users/42/x/1/w", `GET /users/{name}/x/{y}/w "42" "1"`},
		{"GET", "/users/42/x/1/z", `GET /users/{id:int}/x/{y}/z "42" "1"`},
		{"DELETE", "/users/42/keys/a", `DELETE /users/{id:int}/keys/{key} "42" "a"`},
		{"DELETE", "/users/me/keys/a", "404"},
		{"GET", "/users/42/keys/a", "405 DELETE, OPTIONS"},
		{"GET", "/users//posts", "404"},
		{"GET", "/users/me/", "404"},
		{"DELETE", "/users/me", "405 GET, HEAD, OPTIONS, PUT"},
		{"BREW", "/users", "405 GET, HEAD, OPTIONS, POST"},
		{"BREW", "/nowhere", "404"},
		{"HEAD", "/users/42", `GET /users/{id:int} "42"`},
		{"HEAD", "/headed", "HEAD /headed"},
		{"OPTIONS", "/users", "405 GET, HEAD, OPTIONS, POST"},
		{"OPTIONS", "/own", "OPTIONS /own"},
		{"GET", "/jobs/123e4567-e89b-12d3-a456-426614174000", `GET /jobs/{id:uuid} "123e4567-e89b-12d3-a456-426614174000"`},
		{"GET", "/jobs/123e4567-e89b-12d3-a456-42661417400g", `GET /jobs/{rest...} "123e4567-e89b-12d3-a456-42661417400g"`},
		{"GET", "/jobs/1.5", `GET /jobs/{n:float} "1.5"`},
		{"GET", "/jobs/1.", `GET /jobs/{rest...} "1."`},
		{"GET", "/jobs/", `GET /jobs/{rest...} ""`},
		{"GET", "/jobs", "404"},
		{"GET", "/static/", `GET /static/{path...} ""`},
		{"GET", "/static/a/b/", `GET /static/{path...} "a/b/"`},
		{"GET", "/static/app.js", "GET /static/app.js"},
		{"GET", "/static/app.jsx", `GET /static/{path...} "app.jsx"`},
		{"BREW", "/proxy/ping", `* /proxy/{path:path} "ping"`},
		{"GET", "/proxy/ping", "GET /proxy/ping"},
		{"PROPFIND", "/dav", "PROPFIND /dav"},
		{"PROPFIND", "/users", "405 GET, HEAD, OPTIONS, POST"},
		{"GET", "/men", "GET /men"},
		{"GET", "/mem", "GET /mem"},
		{"GET", "/me", "404"},
		{"GET", "/café/é", `GET /café/{x} "é"`},
		{"GET", "/a%2Fb", "GET /a%2Fb"},
		{"GET", "/a/b", "404"},
		{"GET", "*", "404"},
		{"GET", "", "404"},
	} {
		if got := find(tree, c.method, c.path); got != c.want {
			t.Errorf("%s %s = %s, want %s", c.method, c.path, got, c.want)
		}
	}
	if got, want := tree.All(), "DELETE, GET, HEAD, OPTIONS, POST, PROPFIND, PUT"; got != want {
		t.Errorf("All() = %s, want %s", got, want)
	}
}

func TestMissNamesTheBestPatternsRoute(t *testing.T) {
	tree := build(t, "GET /users/me", "POST /users/{x}")
	var ps Params
	near, _, ok := tree.Lookup(tree.Method("OPTIONS"), []byte("/users/me"), &ps)
	if ok || near != "GET /users/me" || ps.N != 0 {
		t.Errorf("near = %q, %v, %d parameters", near, ok, ps.N)
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		routes []string
		want   []string
	}{
		{"same", []string{"GET /a", "GET /a"}, []string{"GET /a at app.go:2", "GET /a at app.go:1"}},
		{"other names", []string{"GET /u/{id}/x", "GET /u/{uid}/x"}, []string{"/u/{uid}/x at app.go:2", "/u/{id}/x at app.go:1"}},
		{"alias of a kind", []string{"GET /u/{id}", "GET /u/{id:str}"}, []string{"conflicts"}},
		{"alias of the rest", []string{"GET /u/{id...}", "GET /u/{p:path}"}, []string{"conflicts"}},
		{"every error", []string{"GET a", "GET /{", "GET /x", "GET /x"}, []string{"app.go:1", "app.go:2", "app.go:4"}},
		{"no slash", []string{"GET users"}, []string{"starts with '/'"}},
		{"part of a segment", []string{"GET /{id}.json"}, []string{"whole segment"}},
		{"rest not last", []string{"GET /{p...}/x"}, []string{"must be last"}},
		{"twice one name", []string{"GET /{a}/{a}"}, []string{`named "a"`}},
		{"kind", []string{"GET /{a:date}"}, []string{"no such kind"}},
		{"no name", []string{"GET /{}"}, []string{"whole segment"}},
		{"no name but a kind", []string{"GET /{:int}"}, []string{"has a name"}},
		{"bad name", []string{"GET /{a-b}"}, []string{"ASCII letters"}},
		{"name begins with a digit", []string{"GET /{1a}"}, []string{"ASCII letters"}},
		{"dots", []string{"GET /a/../b"}, []string{"dot segments"}},
		{"empty segment", []string{"GET /a//b"}, []string{"empty segment"}},
		{"query", []string{"GET /a?b"}, []string{"no '?'"}},
		{"escape", []string{"GET /a%20b"}, []string{"written decoded"}},
		{"too many", []string{"GET " + strings.Repeat("/x", 1) + manyParams(17)}, []string{"more than 16"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Build(entries(c.routes))
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
	build(t, "GET "+manyParams(16))
	build(t, "GET /u/{id}/x", "GET /u/{uid}/y", "POST /u/{other}/x", "GET /u/{id:int}/x")
}

func manyParams(n int) (s string) {
	for i := range n {
		s += fmt.Sprintf("/{p%d}", i)
	}
	return s
}

// ---- a matcher too simple to be wrong ----

type plain struct {
	method, text string
	pattern      Pattern
}

// naive returns what find returns, by trying every route on every segment.
func naive(routes []plain, method, path string) string {
	type candidate struct {
		rank   []int
		exact  int
		text   string
		values []string
	}
	var best *candidate
	allowed := map[string]bool{}
	for _, r := range routes {
		rank, values, ok := match(r.pattern, path)
		if !ok {
			continue
		}
		allowed["OPTIONS"] = true
		if r.method != Any {
			allowed[r.method] = true
		}
		if r.method == "GET" {
			allowed["HEAD"] = true
		}
		exact := -1
		switch {
		case r.method == method:
			exact = 0
		case method == "HEAD" && r.method == "GET":
			exact = 1
		case r.method == Any:
			exact = 2
		}
		if exact < 0 {
			continue
		}
		c := &candidate{rank, exact, r.method + " " + r.text, values}
		if best == nil || slices.Compare(c.rank, best.rank) < 0 || slices.Compare(c.rank, best.rank) == 0 && c.exact < best.exact {
			best = c
		}
	}
	if best != nil {
		for _, v := range best.values {
			best.text += fmt.Sprintf(" %q", v)
		}
		return best.text
	}
	if len(allowed) == 0 {
		return "404"
	}
	var names []string
	for m := range allowed {
		names = append(names, m)
	}
	slices.Sort(names)
	return "405 " + strings.Join(names, ", ")
}

func match(p Pattern, path string) (rank []int, values []string, ok bool) {
	want, have := strings.Split(p.text, "/"), strings.Split(path, "/")
	for i, w := range want {
		if i >= len(have) {
			return nil, nil, false
		}
		if !strings.HasPrefix(w, "{") {
			if w != have[i] {
				return nil, nil, false
			}
			rank = append(rank, -1)
			continue
		}
		kind := p.Kinds()[len(values)]
		if kind == Rest {
			return append(rank, int(Rest)), append(values, strings.Join(have[i:], "/")), true
		}
		if have[i] == "" || !kind.accepts([]byte(have[i])) {
			return nil, nil, false
		}
		rank, values = append(rank, int(kind)), append(values, have[i])
	}
	return rank, values, len(want) == len(have)
}

// invent makes routes and a request from bytes, so small that patterns collide often.
func invent(data []byte) (routes []string, method, path string) {
	next := func(n int) int {
		if len(data) == 0 {
			return 0
		}
		v := int(data[0]) % n
		data = data[1:]
		return v
	}
	methods := []string{"GET", "POST", "HEAD", "OPTIONS", "PURGE", Any}
	segments := []string{"a", "ab", "abc", "b", "1", "-7", "1.5", "{x}", "{x:int}", "{x:float}", "{x...}", ""}
	method = methods[next(5)]
	for range next(6) {
		path += "/" + segments[next(7)]
	}
	if next(3) == 0 {
		path += "/"
	}
	for len(data) > 0 && len(routes) < 24 {
		pattern := ""
		for i := range 1 + next(5) {
			s := segments[next(len(segments))]
			pattern += "/" + strings.Replace(s, "x", fmt.Sprint("x", i), 1)
			if s == "" || s == "{x...}" {
				break
			}
		}
		routes = append(routes, methods[next(len(methods))]+" "+pattern)
	}
	return routes, method, path
}

// settle drops the routes that conflict with an earlier one.
func settle(t *testing.T, routes []string) (kept []string, list []plain) {
	seen := map[string]bool{}
	for _, r := range routes {
		method, text, _ := strings.Cut(r, " ")
		p, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if key := method + p.Key(); !seen[key] {
			seen[key] = true
			kept, list = append(kept, r), append(list, plain{method, text, p})
		}
	}
	return kept, list
}

func againstNaive(t *testing.T, data []byte) {
	routes, method, path := invent(data)
	kept, list := settle(t, routes)
	if len(kept) < len(routes) {
		if _, err := Build(entries(routes)); err == nil {
			t.Fatalf("a conflict was not seen in %q", routes)
		}
	}
	tree := build(t, kept...)
	if got, want := find(tree, method, path), naive(list, method, path); got != want {
		t.Fatalf("%s %s = %s, want %s\nroutes %q", method, path, got, want, kept)
	}
}

func FuzzAgainstNaive(f *testing.F) {
	f.Add([]byte{0, 2, 0, 1, 0, 1, 2, 7, 0, 3, 1, 1, 8, 0})
	f.Fuzz(againstNaive)
}

func TestAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		data := make([]byte, r.IntN(60))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		againstNaive(t, data)
	}
}

// marker is the handler of every route, to tell it from the redirects that ServeMux makes up.
type marker struct{}

func (marker) ServeHTTP(http.ResponseWriter, *http.Request) {}

// againstServeMux compares the common subset with the standard library's router: static text, {x} and {x...} by GET.
// Sets that ServeMux calls ambiguous are left out: this tree decides them from left to right.
func againstServeMux(t *testing.T, data []byte) (compared bool) {
	routes, _, path := invent(data)
	mux := http.NewServeMux()
	var mine []string
	seen := map[string]bool{}
	for _, r := range routes {
		_, pattern, _ := strings.Cut(r, " ")
		p, err := Parse(pattern)
		// Below a trailing slash ServeMux matches everything; {$} is its way to write ours.
		if err != nil || strings.Contains(pattern, ":") || seen[p.Key()] {
			continue
		}
		seen[p.Key()] = true
		theirs := pattern
		if strings.HasSuffix(pattern, "/") {
			theirs += "{$}"
		}
		ok := func() (ok bool) {
			defer func() { ok = recover() == nil }()
			mux.Handle("GET "+theirs, marker{})
			return
		}()
		if ok {
			mine = append(mine, "GET "+pattern)
		}
	}
	if path == "" || strings.Contains(path, "//") {
		return false
	}
	r, err := http.NewRequest("GET", "http://x"+path, nil)
	if err != nil {
		return false
	}
	handler, want := mux.Handler(r)
	if _, mine := handler.(marker); want != "" && !mine {
		return false // a redirect to the path with a slash: here trailing slashes are exact
	}
	want = strings.TrimSuffix(want, "{$}")
	tree := build(t, mine...)
	var ps Params
	got, _, _ := tree.Lookup(tree.Method("GET"), []byte(path), &ps)
	if got != want {
		t.Fatalf("%s = %q, ServeMux says %q\nroutes %q", path, got, want, mine)
	}
	return want != ""
}

func TestAgainstServeMux(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	compared := 0
	for range 20_000 {
		data := make([]byte, r.IntN(60))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		if againstServeMux(t, data) {
			compared++
		}
	}
	if compared < 1000 {
		t.Errorf("only %d requests matched anything", compared)
	}
}

func FuzzAgainstServeMux(f *testing.F) {
	f.Add([]byte{0, 2, 0, 1, 0, 1, 2, 7, 0, 3, 1, 1, 10, 0})
	f.Fuzz(func(t *testing.T, data []byte) { againstServeMux(t, data) })
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"/", "/a/{b}", "/a/{b:int}/{c...}", "/%2F", "/{", "/é/{p:path}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if err != nil || again.Key() != p.Key() || len(p.Names()) != len(p.Kinds()) {
			t.Fatalf("%q: %v, keys %q and %q", text, err, p.Key(), again.Key())
		}
		if _, err := Build([]Route[int]{{"GET", text, "x", 1}}); err != nil {
			t.Fatalf("%q parses but cannot be built: %v", text, err)
		}
	})
}

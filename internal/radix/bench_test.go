package radix

import (
	"net/http"
	"testing"
)

// api is the shape of a large public HTTP API: deep, with many siblings and parameters.
func api() []string {
	return []string{
		"GET /authorizations", "GET /authorizations/{id}", "POST /authorizations", "DELETE /authorizations/{id}",
		"GET /applications/{client}/tokens/{token}", "DELETE /applications/{client}/tokens", "GET /events",
		"GET /repos/{owner}/{repo}/events", "GET /networks/{owner}/{repo}/events", "GET /orgs/{org}/events",
		"GET /users/{user}/received_events", "GET /users/{user}/events/orgs/{org}", "GET /feeds", "GET /notifications",
		"GET /repos/{owner}/{repo}/notifications", "PUT /notifications", "GET /notifications/threads/{id:int}",
		"PUT /notifications/threads/{id:int}/subscription", "GET /repos/{owner}/{repo}/stargazers", "GET /user/starred",
		"GET /user/starred/{owner}/{repo}", "PUT /user/starred/{owner}/{repo}", "GET /gists", "POST /gists",
		"GET /gists/{id}", "PUT /gists/{id}/star", "GET /gists/{id}/forks", "GET /repos/{owner}/{repo}/git/blobs/{sha}",
		"GET /repos/{owner}/{repo}/git/commits/{sha}", "GET /repos/{owner}/{repo}/git/refs/{ref...}",
		"GET /repos/{owner}/{repo}/git/tags/{sha}", "GET /repos/{owner}/{repo}/issues",
		"GET /repos/{owner}/{repo}/issues/{number:int}", "POST /repos/{owner}/{repo}/issues",
		"GET /repos/{owner}/{repo}/issues/{number:int}/comments", "GET /repos/{owner}/{repo}/assignees/{assignee}",
		"GET /repos/{owner}/{repo}/labels/{name}", "DELETE /repos/{owner}/{repo}/issues/{number:int}/labels/{name}",
		"GET /repos/{owner}/{repo}/milestones/{number:int}", "GET /orgs/{org}", "GET /orgs/{org}/members/{user}",
		"GET /orgs/{org}/teams", "GET /teams/{id:int}", "GET /teams/{id:int}/members/{user}", "GET /users/{user}",
		"GET /repos/{owner}/{repo}", "GET /repos/{owner}/{repo}/pulls/{number:int}/files",
		"PUT /repos/{owner}/{repo}/pulls/{number:int}/merge", "GET /repos/{owner}/{repo}/contents/{path...}",
		"GET /repos/{owner}/{repo}/releases/{id:int}", "GET /search/repositories", "GET /search/code", "GET /rate_limit",
	}
}

func paths() []string {
	return []string{
		"/search/code", "/users/octocat", "/repos/golang/go/issues/4711/comments",
		"/repos/golang/go/contents/src/net/http/server.go", "/nowhere/at/all", "/teams/1x/members/a",
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	tree := build(t, api()...)
	get := tree.Method("GET")
	var ps Params
	for _, p := range paths() {
		path := []byte(p)
		if n := testing.AllocsPerRun(100, func() { tree.Lookup(get, path, &ps) }); n != 0 {
			t.Errorf("%s: %v allocations", p, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	tree := build(b, api()...)
	get := tree.Method("GET")
	var ps Params
	for _, p := range paths() {
		path := []byte(p)
		b.Run(p, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tree.Lookup(get, path, &ps)
			}
		})
	}
}

func BenchmarkServeMux(b *testing.B) {
	mux := http.NewServeMux()
	for _, r := range []string{"GET /users/{user}", "GET /repos/{owner}/{repo}/issues/{number}/comments", "GET /search/code"} {
		mux.Handle(r, http.NotFoundHandler())
	}
	r, err := http.NewRequest("GET", "http://x/repos/golang/go/issues/4711/comments", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		mux.Handler(r)
	}
}

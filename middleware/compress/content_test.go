package compress

import (
	"net/http"
	"testing"
	"time"

	"github.com/covetpy/covet"
)

// TestNotModifiedContent checks that a 304 of content that is never coded has the tag of the 200 that it stands for: a
// client that keeps it as a weak one could not ask for ranges any more (RFC 9110 sections 13.1.5 and 15.4.5).
func TestNotModifiedContent(t *testing.T) {
	app := newApp("auto")
	app.Use(New(Config{}))
	k := &covet.Content{Type: "text/plain", ETag: `"v1"`, Modified: time.Unix(1e9, 0), Bytes: sample(3000)}
	app.Get("/", func(c *covet.Ctx) error { return c.SendContent(k) })
	url, _ := serve(t, app)
	for _, c := range [][2]string{{"X", "y"}, {"If-None-Match", `"v1"`}, {"If-Modified-Since", "Sun, 09 Sep 2001 01:46:40 GMT"}} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set(c[0], c[1])
		resp, err := plain.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if tag := resp.Header.Get("Etag"); (resp.StatusCode == 304) != (c[0] != "X") || tag != k.ETag || resp.Header.Get("Vary") != "" {
			t.Errorf("%s: %d %v", c[0], resp.StatusCode, resp.Header)
		}
	}
}

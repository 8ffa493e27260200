// Command fasthttp answers the profiles with fasthttp.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/covetpy/covet/bench/go/board"
)

func main() {
	s := server{items: board.Items(), files: (&fasthttp.FS{
		Root: os.Args[2], PathRewrite: fasthttp.NewPathSlashesStripper(1), Compress: true, CompressBrotli: true,
		// The siblings that are there are used, as its documentation says for files that were compressed before.
		CompressedFileSuffixes: map[string]string{"gzip": ".gz", "br": ".br", "zstd": ".zst"},
	}).NewRequestHandler()}
	handler := s.serve
	if len(os.Args) > 3 && os.Args[3] == "compress" {
		handler = fasthttp.CompressHandlerBrotliLevel(handler, fasthttp.CompressBrotliBestSpeed, fasthttp.CompressBestSpeed)
	}
	log.Fatal((&fasthttp.Server{
		Handler: handler, StreamRequestBody: true, MaxRequestBodySize: 32 << 20,
	}).ListenAndServe(os.Args[1]))
}

type server struct {
	items []board.Item
	files fasthttp.RequestHandler
}

func (s *server) serve(c *fasthttp.RequestCtx) {
	path := string(c.Path())
	switch {
	case path == "/plaintext":
		text(c, "Hello, World!")
	case path == "/pipeline":
		text(c, "ok")
	case path == "/sleep":
		time.Sleep(10 * time.Millisecond)
		text(c, "ok")
	case path == "/baseline11":
		baseline(c)
	case strings.HasPrefix(path, "/json/"):
		count, err := strconv.Atoi(path[len("/json/"):])
		m := 1
		if v := c.QueryArgs().Peek("m"); len(v) > 0 && err == nil {
			m, err = strconv.Atoi(string(v))
		}
		if err != nil {
			refuse(c, "count")
			return
		}
		reply(c, 200, board.Of(s.items, count, m))
	case strings.HasPrefix(path, "/users/"):
		user(c, path[len("/users/"):])
	case path == "/users" && c.IsPost():
		create(c)
	case path == "/upload":
		n, err := io.Copy(io.Discard, c.RequestBodyStream())
		if err != nil {
			refuse(c, "body")
			return
		}
		text(c, strconv.FormatInt(n, 10))
	case strings.HasPrefix(path, "/static/"):
		s.files(c)
	default:
		c.Error("not found", 404)
	}
}

func baseline(c *fasthttp.RequestCtx) {
	q := c.QueryArgs()
	a, err1 := q.GetUint("a")
	b, err2 := q.GetUint("b")
	if err1 != nil || err2 != nil {
		refuse(c, "query")
		return
	}
	if c.IsPost() {
		n, err := strconv.Atoi(string(c.PostBody()))
		if err != nil {
			refuse(c, "body")
			return
		}
		a += n
	}
	text(c, strconv.Itoa(a+b))
}

func user(c *fasthttp.RequestCtx, last string) {
	id, err := strconv.Atoi(last)
	q := c.QueryArgs()
	limit := 10
	if v := q.Peek("limit"); len(v) > 0 && err == nil {
		limit, err = strconv.Atoi(string(v))
	}
	if err != nil {
		refuse(c, "id")
		return
	}
	tenant := string(c.Request.Header.Peek("X-Tenant"))
	if tenant == "" {
		tenant = "none"
	}
	reply(c, 200, board.User{ID: id, Q: string(q.Peek("q")), Limit: limit, Tenant: tenant, Active: true})
}

func create(c *fasthttp.RequestCtx) {
	var u board.NewUser
	if err := json.Unmarshal(c.PostBody(), &u); err != nil {
		refuse(c, "body")
		return
	}
	if wrong := u.Wrong(); wrong != "" {
		refuse(c, wrong)
		return
	}
	reply(c, 201, &u)
}

func text(c *fasthttp.RequestCtx, body string) {
	c.SetContentType("text/plain; charset=utf-8")
	c.SetBodyString(body)
}

func refuse(c *fasthttp.RequestCtx, field string) { reply(c, 422, board.Refusal{Error: field}) }

func reply(c *fasthttp.RequestCtx, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = 500, nil
	}
	c.SetStatusCode(status)
	c.SetContentType("application/json")
	c.SetBody(body)
}

// Command hertz answers the profiles with Hertz: netpoll, its own binding and JSON.
package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/hlog"

	"github.com/covetpy/covet/bench/go/board"
)

type jsonInput struct {
	Count int `path:"count"`
	M     int `query:"m" default:"1"`
}

type userInput struct {
	ID     int    `path:"id"`
	Q      string `query:"q"`
	Limit  int    `query:"limit" default:"10"`
	Tenant string `header:"X-Tenant" default:"none"`
}

func main() {
	hlog.SetLevel(hlog.LevelError)
	items := board.Items()
	h := server.New(server.WithHostPorts(os.Args[1]), server.WithMaxRequestBodySize(32<<20), server.WithStreamBody(true),
		server.WithDisablePrintRoute(true))
	hello, ok := []byte("Hello, World!"), []byte("ok")
	h.GET("/plaintext", func(_ context.Context, c *app.RequestContext) { text(c, hello) })
	h.GET("/pipeline", func(_ context.Context, c *app.RequestContext) { text(c, ok) })
	h.GET("/sleep", func(_ context.Context, c *app.RequestContext) {
		time.Sleep(10 * time.Millisecond)
		text(c, ok)
	})
	h.GET("/baseline11", baseline)
	h.POST("/baseline11", baseline)
	h.GET("/json/:count", func(_ context.Context, c *app.RequestContext) {
		var in jsonInput
		if err := c.BindAndValidate(&in); err != nil {
			refuse(c, err)
			return
		}
		c.JSON(200, board.Of(items, in.Count, in.M))
	})
	h.GET("/users/:id", func(_ context.Context, c *app.RequestContext) {
		var in userInput
		if err := c.BindAndValidate(&in); err != nil {
			refuse(c, err)
			return
		}
		c.JSON(200, board.User{ID: in.ID, Q: in.Q, Limit: in.Limit, Tenant: in.Tenant, Active: true})
	})
	h.POST("/users", func(_ context.Context, c *app.RequestContext) {
		var u board.NewUser
		if err := c.BindJSON(&u); err != nil {
			refuse(c, err)
			return
		}
		if wrong := u.Wrong(); wrong != "" {
			c.JSON(422, board.Refusal{Error: wrong})
			return
		}
		c.JSON(201, &u)
	})
	h.POST("/upload", func(_ context.Context, c *app.RequestContext) {
		n, err := io.Copy(io.Discard, c.RequestBodyStream())
		if err != nil {
			refuse(c, err)
			return
		}
		text(c, strconv.AppendInt(nil, n, 10))
	})
	h.StaticFS("/static", &app.FS{Root: os.Args[2], PathRewrite: app.NewPathSlashesStripper(1), Compress: true})
	h.Spin()
}

func baseline(_ context.Context, c *app.RequestContext) {
	a, err1 := strconv.Atoi(c.Query("a"))
	b, err2 := strconv.Atoi(c.Query("b"))
	if err1 != nil || err2 != nil {
		c.JSON(422, board.Refusal{Error: "query"})
		return
	}
	if string(c.Method()) == "POST" {
		body, err := c.Body()
		n, err2 := strconv.Atoi(string(body))
		if err != nil || err2 != nil {
			c.JSON(422, board.Refusal{Error: "body"})
			return
		}
		a += n
	}
	text(c, strconv.AppendInt(nil, int64(a+b), 10))
}

func text(c *app.RequestContext, body []byte) { c.Data(200, "text/plain; charset=utf-8", body) }

func refuse(c *app.RequestContext, err error) { c.JSON(422, board.Refusal{Error: err.Error()}) }

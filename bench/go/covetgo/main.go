// Command covetgo answers the profiles with Go handlers on CovetPy. /plaintext runs on the I/O loop, as do all handlers
// here that never wait; /blocking on a goroutine, as handlers do that do not ask for the loop.
package main

import (
	"io"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/bench/go/board"
	"github.com/covetpy/covet/fault"
)

type sumInput struct {
	A int `query:"a"`
	B int `query:"b"`
}

type jsonInput struct {
	Count int `path:"count"`
	M     int `query:"m" default:"1"`
}

type userInput struct {
	ID     int    `path:"id"`
	Q      string `query:"q" default:""`
	Limit  int    `query:"limit" default:"10"`
	Tenant string `header:"x-tenant" default:"none"`
}

func hello(c *covet.Ctx) error { return c.Text(200, "Hello, World!") }

func ok(c *covet.Ctx) error { return c.Text(200, "ok") }

func main() {
	app := covet.New()
	extras(app, os.Args[2:])
	routes(app)
	log.Fatal(app.Run(os.Args[1]))
}

func routes(app *covet.App) {
	items := board.Items()
	app.Get("/plaintext", hello, covet.Inline())
	app.Get("/blocking", hello)
	app.Get("/pipeline", ok, covet.Inline())
	app.Get("/sleep", func(c *covet.Ctx) error {
		time.Sleep(10 * time.Millisecond)
		return ok(c)
	})
	app.Get("/baseline11", covet.Typed(func(c *covet.Ctx, in sumInput) (struct{}, error) {
		return struct{}{}, c.Text(200, strconv.Itoa(in.A+in.B))
	}), covet.Inline())
	app.Post("/baseline11", covet.Typed(func(c *covet.Ctx, in sumInput) (struct{}, error) {
		body, err := c.Body()
		if err != nil {
			return struct{}{}, err
		}
		n, err := strconv.Atoi(string(body))
		if err != nil {
			return struct{}{}, &fault.Error{Code: fault.ValidationFailed}
		}
		return struct{}{}, c.Text(200, strconv.Itoa(in.A+in.B+n))
	}))
	app.Get("/json/{count}", covet.Typed(func(_ *covet.Ctx, in jsonInput) (board.Answer, error) {
		return board.Of(items, in.Count, in.M), nil
	}), covet.Inline())
	app.Get("/users/{id}", covet.Typed(func(_ *covet.Ctx, in userInput) (board.User, error) {
		return board.User{ID: in.ID, Q: in.Q, Limit: in.Limit, Tenant: in.Tenant, Active: true}, nil
	}), covet.Inline())
	app.Post("/users", covet.Typed(func(c *covet.Ctx, u board.NewUser) (*board.NewUser, error) {
		if u.Wrong() != "" {
			return nil, &fault.Error{Code: fault.ValidationFailed}
		}
		c.Status(201)
		return &u, nil
	}))
	app.Post("/upload", func(c *covet.Ctx) error {
		n, err := io.Copy(io.Discard, c.BodyReader())
		if err != nil {
			return err
		}
		return c.Text(200, strconv.FormatInt(n, 10))
	})
}

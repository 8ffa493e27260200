package covet_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/fault"
)

// show sends requests, "GET /path" or "POST /path body", and prints the answers.
func show(app *covet.App, requests ...string) {
	h, err := covet.ToHTTP(app)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range requests {
		part := strings.SplitN(r, " ", 3)
		body := io.Reader(nil)
		if len(part) == 3 {
			body = strings.NewReader(part[2])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(part[0], part[1], body))
		fmt.Println(w.Code, w.Body)
	}
}

func Example() {
	app := covet.New()
	app.Get("/plain", func(c *covet.Ctx) error { return c.Text(200, "hello") }, covet.Inline())
	app.Get("/users/{id:int}", func(c *covet.Ctx) error {
		id, err := c.ParamInt("id")
		if err != nil {
			return err
		}
		return c.JSON(200, map[string]int{"id": id})
	})
	show(app, "GET /plain", "GET /users/7")
	// Output:
	// 200 hello
	// 200 {"id":7}
}

func ExampleTyped() {
	type in struct {
		ID    int    `path:"id"`
		Limit int    `query:"limit" default:"10"`
		Note  string `json:"note"`
	}
	type out struct {
		ID    int    `json:"id"`
		Limit int    `json:"limit"`
		Note  string `json:"note"`
	}
	app := covet.New()
	app.Post("/orders/{id}", covet.Typed(func(c *covet.Ctx, in in) (out, error) {
		return out(in), nil
	}))
	show(app, `POST /orders/7?limit=3 {"note":"fast"}`)
	// Output:
	// 200 {"id":7,"limit":3,"note":"fast"}
}

func ExampleRouter_Group() {
	app := covet.New()
	auth := covet.Middleware{Name: "auth", Before: func(c *covet.Ctx) error {
		if c.Header("Authorization") == "" {
			return fault.New(fault.Unauthorized, "who are you?")
		}
		return nil
	}}
	admin := app.Group("/admin", auth)
	admin.Get("/stats", func(c *covet.Ctx) error { return c.Text(200, "secret") })
	for _, r := range app.Routes() {
		fmt.Println(r.Method, r.Pattern, r.Mode, r.Middleware)
	}
	// Output:
	// GET /admin/stats pooled [auth]
	// GET /healthz inline []
	// GET /readyz inline []
}

type outOfStock struct{ item string }

func (e outOfStock) Error() string { return "out of stock: " + e.item }

func ExampleOnError() {
	app := covet.New()
	covet.OnError(app, func(c *covet.Ctx, e outOfStock) error {
		return c.Text(http.StatusConflict, "no more "+e.item)
	})
	app.Get("/buy", func(c *covet.Ctx) error { return fmt.Errorf("cart: %w", outOfStock{"tea"}) })
	show(app, "GET /buy")
	// Output:
	// 409 no more tea
}

func ExampleCtx_Stream() {
	app := covet.New()
	app.Get("/count", func(c *covet.Ctx) error {
		return c.Stream(200, func(w io.Writer) error {
			for i := range 3 {
				if _, err := fmt.Fprintf(w, "%d;", i); err != nil {
					return err
				}
				if err := w.(covet.Flusher).Flush(); err != nil {
					return err
				}
			}
			return nil
		})
	})
	show(app, "GET /count")
	// Output:
	// 200 0;1;2;
}

func ExampleFromHTTP() {
	app := covet.New()
	app.Get("/old/{name}", covet.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello ", r.PathValue("name"))
	})))
	show(app, "GET /old/you")
	// Output:
	// 200 hello you
}

func ExampleApp_Build() {
	app := covet.New()
	h := func(*covet.Ctx) error { return nil }
	app.Get("/users/{id}", h)
	app.Get("/users/{name}", h)
	err := app.Build()
	fmt.Println(err != nil && strings.Contains(err.Error(), "conflicts with GET /users/{id}"))
	// Output:
	// true
}

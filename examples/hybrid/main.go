// Command hybrid serves Go routes, a net/http handler and a Python application from one route tree.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/bridge"
)

func main() {
	address := "127.0.0.1:8000"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	app := covet.New()
	app.Get("/go/hello", func(c *covet.Ctx) error { return c.Text(200, "hello from go\n") })
	app.Get("/http/{rest...}", covet.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from net/http, you asked for %s\n", r.URL.Path)
	})))
	app.Mount("/py", bridge.Python("app.py:app"))
	log.Fatal(app.Run(address))
}

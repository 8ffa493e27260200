// Command covetgo answers the plaintext profile with a Go handler on CovetPy: /plaintext on the I/O loop,
// /blocking on a goroutine, as handlers run that do not ask for the loop.
package main

import (
	"log"
	"os"

	"github.com/covetpy/covet"
)

func hello(c *covet.Ctx) error { return c.Text(200, "Hello, World!") }

func main() {
	app := covet.New()
	app.Get("/plaintext", hello, covet.Inline())
	app.Get("/blocking", hello)
	log.Fatal(app.Run(os.Args[1]))
}

// Command fasthttp answers the plaintext profile with fasthttp.
package main

import (
	"log"
	"os"

	"github.com/valyala/fasthttp"
)

func main() {
	body := []byte("Hello, World!")
	log.Fatal(fasthttp.ListenAndServe(os.Args[1], func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) != "/plaintext" {
			ctx.SetStatusCode(fasthttp.StatusNotFound)
			return
		}
		ctx.SetContentType("text/plain; charset=utf-8")
		ctx.SetBody(body)
	}))
}

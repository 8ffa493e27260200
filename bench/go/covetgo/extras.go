package main

import (
	"github.com/covetpy/covet"
	"github.com/covetpy/covet/middleware/compress"
	"github.com/covetpy/covet/static"
)

// extras adds what the arguments ask for: the folder of the static profile, and compression.
func extras(app *covet.App, args []string) {
	if len(args) > 1 && args[1] == "compress" {
		app.Use(compress.New(compress.Config{}))
	}
	if len(args) > 0 {
		app.Mount("/static", static.New(static.Config{Dir: args[0]}))
	}
}

// Command covet serves Python and Go handlers: see covet --help.
package main

import (
	"os"

	"github.com/covetpy/covet/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }

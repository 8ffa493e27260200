// Command layoutgen writes what describes the shared memory of engine and worker outside of Go:
//
//	python/csrc/layout_gen.h  the constants for the C extension
//	internal/ring/layout.md   the region, drawn
//	internal/frame/frame.md   the frames, drawn
//
// Its input is internal/ring/layout.go, internal/frame/layout.go and the numbered lists of package message. Run it
// from the root of the module:
//
//	go run ./internal/tools/layoutgen
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "the root of the module")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "layoutgen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := Generate(root)
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(root, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

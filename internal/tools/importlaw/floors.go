// Package importlaw keeps the law of the module's structure: which package may import which, where unsafe may be used,
// and that nothing happens before main. It has only a test; the table is here so that it can be read on its own.
package importlaw

import "strings"

// floor is a floor of the building: a package imports packages of lower floors only.
type floor struct {
	// number is the height.
	number int
	// paths are the packages, relative to the module; "x/..." is x and what is below it, "." the root.
	paths []string
	// why says what the floor is for: it ends the failure text of whoever breaks the law.
	why string
}

// floors returns the table. The first entry that names a package counts.
func floors() []floor {
	return []floor{
		{9, []string{"internal/tools/...", "examples/...", "bench/...", "tests/..."}, "tools, examples and benchmarks stand on everything and carry nothing"},
		{8, []string{"cmd/..."}, "a command is a main function and nothing else"},
		{7, []string{"internal/cli"}, "the command line chooses what to do; what it means is below"},
		{6, []string{"internal/serve"}, "the assembly knows every part so that no part has to know another"},
		{5, []string{
			"middleware/...", "static", "session", "openapi", "dashboard", "bridge", "observe/...", "covettest",
		}, "features use the public API and what is below it; they do not know each other"},
		{4, []string{"."}, "the public API is the waist: the engine is below it, features are above"},
		{3, []string{"internal/engine/...", "internal/worker/...", "internal/upstream/..."}, "these join floors 0-2 and do not know who answers"},
		{2, []string{
			"internal/transport/...", "internal/tlsio", "internal/h1", "internal/h2", "internal/ws", "internal/frame", "internal/multipart",
		}, "a transport or a codec is replaceable because no other one knows it"},
		{1, []string{"internal/message", "internal/transport", "config"}, "the vocabulary that both sides of a border share"},
		{0, []string{
			"fault", "metrics", "trace", "internal/buf", "internal/clock", "internal/host", "internal/ascii",
			"internal/mailbox", "internal/uring", "internal/shm", "internal/ring", "internal/radix",
			"internal/balance", "internal/detect", "internal/file", "internal/mediatype", "internal/lossy",
		}, "the ground: the standard library and golang.org/x/sys, so that it can be used and tested alone"},
	}
}

// towers stand beside the floors: they may import floor 0 and themselves.
func towers() []string { return []string{"cache/...", "orm/...", "tasks/..."} }

// steps are the imports within one floor that are allowed all the same, each with its reason.
func steps() map[[2]string]string {
	return map[[2]string]string{
		{"internal/ring", "internal/shm"}: "a region is shared memory with rings in it: two packages for the two halves that are tested apart",
	}
}

// testSupport reports whether a package is support for tests, by its name: it may import what it supports.
func testSupport(pkg string) bool { return strings.HasSuffix(pkg, "test") }

// mayUnsafe lists who may import unsafe: memory that the kernel or another process writes.
func mayUnsafe() []string {
	return []string{"internal/buf", "internal/ring", "internal/shm", "internal/uring"}
}

// find returns the floor of a package: exact names win over "x/...".
func find(pkg string) (floor, bool) {
	for _, f := range floors() {
		for _, p := range f.paths {
			if p == pkg {
				return f, true
			}
		}
	}
	for _, f := range floors() {
		if matches(f.paths, pkg) {
			return f, true
		}
	}
	return floor{}, false
}

func matches(paths []string, pkg string) bool {
	for _, p := range paths {
		if below, ok := strings.CutSuffix(p, "/..."); ok {
			if pkg == below || strings.HasPrefix(pkg, below+"/") {
				return true
			}
		} else if p == pkg {
			return true
		}
	}
	return false
}

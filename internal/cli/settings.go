package cli

import (
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/covetpy/covet/config"
)

// defaultFile is read when it is there and no other is named.
const defaultFile = "covet.toml"

// configFile is the --config flag: naming a file adds its settings below flags and environment.
type configFile string

// BeforeResolve implements the hook of the parser that runs when the flag was seen.
func (f configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path, _ := ctx.FlagValue(trace.Flag).(configFile)
	file, err := config.ReadFile(string(path))
	if err != nil {
		return err
	}
	ctx.AddResolver(resolver{file})
	return nil
}

// addDefaultFile adds the file that COVET_CONFIG names, or covet.toml where it exists, unless --config is given.
func addDefaultFile(parser *kong.Kong, args []string) error {
	if args[0] == "version" {
		return nil // takes no settings, and must work when they are broken
	}
	for _, a := range args {
		if a == "--help" || a == "-h" {
			return nil
		}
		if a == "--config" || strings.HasPrefix(a, "--config=") {
			return nil
		}
	}
	path := os.Getenv("COVET_CONFIG")
	if path == "" {
		if _, err := os.Stat(defaultFile); err != nil {
			return nil
		}
		path = defaultFile
	}
	file, err := config.ReadFile(path)
	if err != nil {
		return usageError{err}
	}
	return kong.Resolvers(resolver{file}).Apply(parser)
}

// resolver gives the parser the settings of a file.
type resolver struct{ file *config.File }

// Validate implements kong.Resolver: a setting that no verb has is an error.
func (r resolver) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			known[f.Name] = true
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(app.Node)
	return r.file.Unknown(func(name string) bool { return known[name] })
}

// Resolve implements kong.Resolver. An environment variable that is set wins over the file.
func (r resolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	if text, ok := r.file.Value(flag.Name); ok {
		return text, nil
	}
	return nil, nil
}

// Package cli provides the command line: one file a verb. A verb parses nothing itself and prints nothing but its
// result; errors become one sentence on standard error and an exit code here.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/covetpy/covet/internal/worker"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // the command was understood and failed
	exitUsage = 2 // the command line, an environment variable or the configuration file is wrong
)

// grammar is the whole command line.
type grammar struct {
	Run     runCmd     `cmd:"" help:"Serve an application."`
	Dev     devCmd     `cmd:"" help:"Serve an application, reload it when its files change, show errors readably."`
	Routes  routesCmd  `cmd:"" help:"List the routes of an application."`
	Reload  reloadCmd  `cmd:"" help:"Swap all workers of a running server without losing a request."`
	Status  statusCmd  `cmd:"" help:"Show the workers of a running server."`
	Doctor  doctorCmd  `cmd:"" help:"Say what this machine supports, and why something is off."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are where a verb writes.
type streams struct {
	out, err io.Writer
}

// usageError is an error of the caller, not of the application: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// errReported has been shown to the user already; only the exit code is left to set.
var errReported = errors.New("reported")

// Main runs the command line and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	io := &streams{out: stdout, err: stderr}
	var g grammar
	exit := -1
	parser, err := kong.New(&g,
		kong.Name("covet"),
		kong.Description("CovetPy serves Python and Go handlers with a Go engine."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code; panic(exited{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "listen", Title: "Listening"}, {Key: "workers", Title: "Workers"}, {Key: "limits", Title: "Limits"},
			{Key: "content", Title: "Content"}, {Key: "bridge", Title: "Bridge"}, {Key: "log", Title: "Logging"},
		}),
		kong.Bind(io),
	)
	if err != nil {
		panic(err) // the grammar itself is wrong: found by any test
	}
	code := func() (code int) {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(exited); !ok {
					panic(r)
				}
				code = exit
			}
		}()
		if len(args) == 0 {
			args = []string{"--help"}
		}
		if err := addDefaultFile(parser, args); err != nil {
			return report(io, err)
		}
		ctx, err := parser.Parse(args)
		if err != nil {
			var parse *kong.ParseError
			from := ""
			if errors.As(err, &parse) {
				from = origin(parse.Context, err.Error())
			}
			return report(io, usageError{fmt.Errorf("%s%s; %s lists the options", sentence(err.Error(), args), from, helpFor(args))})
		}
		return report(io, located(ctx, ctx.Run(io)))
	}()
	return code
}

// exited unwinds the parser after it has printed help.
type exited struct{}

func helpFor(args []string) string {
	if isVerb(args[0]) {
		return "covet " + args[0] + " --help"
	}
	return "covet --help"
}

func isVerb(s string) bool {
	switch s {
	case "run", "dev", "routes", "reload", "status", "doctor", "version":
		return true
	}
	return false
}

// sentence makes the parser's messages read as ours do.
func sentence(s string, args []string) string {
	if what, ok := strings.CutPrefix(s, "unexpected argument "); ok && !isVerb(args[0]) {
		return "unknown command " + what
	}
	return strings.NewReplacer(
		"unknown flag", "unknown option", "a valid 64 bit int", "a whole number", "int value", "a whole number",
		`"EOL" (<EOL>)`, "nothing",
	).Replace(s)
}

// report shows an error to the user and returns the exit code.
func report(io *streams, err error) int {
	var start *worker.StartError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errReported):
		return exitError
	case errors.As(err, &start):
		showStartError(io.err, start)
		return exitError
	case errors.As(err, &usage):
		fmt.Fprintf(io.err, "covet: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(io.err, "covet: %v\n", err)
	return exitError
}

// showStartError prints the application's own traceback first, where there is one, so that the sentence that says
// what to do is the last thing on the screen.
func showStartError(w io.Writer, e *worker.StartError) {
	if e.Traceback != "" {
		fmt.Fprintln(w, strings.TrimRight(e.Traceback, "\n"))
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "covet: %s\n", strings.TrimRight(e.Message, "\n"))
	if e.Hint != "" {
		fmt.Fprintf(w, "       %s\n", e.Hint)
	}
}

// terminal reports whether w is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

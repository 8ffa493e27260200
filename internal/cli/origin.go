package cli

import (
	"errors"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

var option = regexp.MustCompile(`--([a-z][a-z-]*)`)

// origin says where the value of the first option that a message names has come from, such as " (from COVET_PORT)":
// whoever has not typed the option would look for it in vain. It is empty when the option is on the command line.
func origin(ctx *kong.Context, message string) string {
	named := option.FindStringSubmatch(message)
	if ctx == nil || named == nil || strings.Contains(message, "from envar") {
		return ""
	}
	inFile := false
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Name == named[1] {
			if !p.Resolved {
				return ""
			}
			inFile = true
		}
	}
	for _, f := range ctx.Flags() {
		if f.Name != named[1] {
			continue
		}
		for _, env := range f.Envs {
			if _, set := os.LookupEnv(env); set {
				return " (from " + env + ")"
			}
		}
	}
	if inFile {
		return " (from the configuration file)"
	}
	return ""
}

// located adds the origin of a wrong setting to a usage error.
func located(ctx *kong.Context, err error) error {
	var usage usageError
	if !errors.As(err, &usage) {
		return err
	}
	if from := origin(ctx, err.Error()); from != "" {
		return usageError{misplaced{err, from}}
	}
	return err
}

// misplaced is an error with the place of the setting that caused it.
type misplaced struct {
	err  error
	from string
}

func (e misplaced) Error() string { return e.err.Error() + e.from }
func (e misplaced) Unwrap() error { return e.err }

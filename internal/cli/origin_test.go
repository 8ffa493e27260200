package cli

import (
	"os"
	"strings"
	"testing"
)

// Whoever has set a variable, or the file, must not look for the mistake on the command line.
func TestOrigin(t *testing.T) {
	for name, c := range map[string]struct{ env, file, flags, want string }{
		"out of range in the environment":    {env: "COVET_PORT=70000", want: "--port must be between 0 and 65535, not 70000 (from COVET_PORT)"},
		"out of range in the file":           {file: "port = 70000", want: "--port must be between 0 and 65535, not 70000 (from the configuration file)"},
		"environment over file":              {env: "COVET_PORT=70000", file: "port = 70001", want: "not 70000 (from COVET_PORT)"},
		"out of range on the command line":   {env: "COVET_PORT=80", flags: "--port 70000", want: "not 70000\n"},
		"unknown choice in the environment":  {env: "COVET_TRANSPORT=smoke", want: `but got "smoke" (from COVET_TRANSPORT);`},
		"not a number in the environment":    {env: "COVET_WORKERS=many", want: `but got "many" (from envar COVET_WORKERS="many");`},
		"a bad address in the environment":   {env: "COVET_BIND=nonsense", want: `--bind: "nonsense" is neither host:port nor unix:/path (from COVET_BIND)`},
		"a socket without a path":            {flags: "--bind unix:", want: `--bind: "unix:" lacks the path of the socket: write unix:/path`},
		"a socket with too long a path":      {flags: "--bind unix:/" + strings.Repeat("a", 107), want: "at most 107 bytes, not 108"},
		"a port that is not":                 {flags: "--bind a:b", want: `the port of "a:b" is not a number`},
		"the second address counts, too":     {flags: "--bind 127.0.0.1:0 --bind a:b:c", want: `"a:b:c" is neither`},
		"negative duration, its own message": {env: "COVET_HEAD_TIMEOUT=-1s", want: "--head-timeout must be more than 0, not -1s (from COVET_HEAD_TIMEOUT)"},
	} {
		t.Run(name, func(t *testing.T) {
			bare(t)
			if k, v, ok := strings.Cut(c.env, "="); ok {
				t.Setenv(k, v)
			}
			if c.file != "" {
				if err := os.WriteFile("covet.toml", []byte(c.file+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, _, text := covet(append([]string{"run", "x"}, strings.Fields(c.flags)...)...)
			if code != exitUsage || !strings.Contains(text, c.want) {
				t.Errorf("exit code %d, %swant %s", code, text, c.want)
			}
		})
	}
}

package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/serve"
	"github.com/covetpy/covet/internal/worker/workertest"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestMain lets the test binary be its own Python: see workertest.Main.
func TestMain(m *testing.M) {
	workertest.Main()
	os.Exit(m.Run())
}

// patience bounds every wait. It only ever ends a test that has failed.
const patience = 30 * time.Second

// bare is an empty current directory and an environment without settings.
func bare(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "COVET_") {
			t.Setenv(name, "") // to be restored
			os.Unsetenv(name)
		}
	}
}

func covet(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Main(args, &out, &err)
	return code, out.String(), err.String()
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestErrors(t *testing.T) {
	bare(t)
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"runn":                          {exitUsage, `covet: unknown command runn, did you mean "run"?; covet --help lists the options`},
		"sing":                          {exitUsage, "covet: unknown command sing; covet --help lists the options"},
		"run":                           {exitUsage, `covet: expected "<app>"; covet run --help lists the options`},
		"run a b":                       {exitUsage, "covet: unexpected argument b; covet run --help lists the options"},
		"version now":                   {exitUsage, "covet: unexpected argument now; covet version --help lists the options"},
		"run x --nope":                  {exitUsage, "covet: unknown option --nope; covet run --help lists the options"},
		"run x --workers=many":          {exitUsage, `covet: --workers: expected a whole number but got "many"; covet run --help lists the options`},
		"run x --port":                  {exitUsage, "covet: --port: expected a whole number but got nothing; covet run --help lists the options"},
		"run x --port=-1":               {exitUsage, "covet: --port must be between 0 and 65535, not -1"},
		"run x --transport=smoke":       {exitUsage, `covet: --transport must be one of "auto","uring","epoll","net" but got "smoke"; covet run --help lists the options`},
		"run x --config none.toml":      {exitUsage, "covet: the configuration file none.toml cannot be read: no such file or directory; covet run --help lists the options"},
		"status --port 1":               {exitError, "covet: no covet server of this user runs on 127.0.0.1:1"},
		"reload --address unix:/x.sock": {exitError, "covet: no covet server of this user runs on unix:/x.sock"},
		"routes x --python /none/python": {exitError, "covet: the Python interpreter \"/none/python\" cannot be run: no such file or directory\n" +
			"       give --python the path of a CPython 3.11 or newer"},
	} {
		if code, out, err := covet(strings.Fields(line)...); code != want.code || out != "" || err != want.text+"\n" {
			t.Errorf("covet %s: %d\n%s%swant\n%s", line, code, out, err, want.text)
		}
	}
}

// TestPrecedence reads the effective port off the message about a port that cannot be.
func TestPrecedence(t *testing.T) {
	for name, c := range map[string]struct{ file, env, flag, want string }{
		"file":                {file: "70001", want: "70001"},
		"env":                 {env: "70002", want: "70002"},
		"flag":                {flag: "70003", want: "70003"},
		"env over file":       {file: "70001", env: "70002", want: "70002"},
		"flag over env":       {env: "70002", flag: "70003", want: "70003"},
		"flag over file":      {file: "70001", flag: "70003", want: "70003"},
		"flag over all":       {file: "70001", env: "70002", flag: "70003", want: "70003"},
		"flag is the default": {file: "70001", flag: "8000", want: ""},
	} {
		for _, where := range []string{"covet.toml", "COVET_CONFIG", "--config"} {
			t.Run(name+" by "+where, func(t *testing.T) {
				bare(t)
				args := []string{"run", "x", "--jitter=7"} // something is always wrong: nothing is ever started
				if c.file != "" {
					file := map[bool]string{true: "covet.toml", false: "other.toml"}[where == "covet.toml"]
					if err := os.WriteFile(file, []byte("[listen]\nport = "+c.file+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					switch where {
					case "COVET_CONFIG":
						t.Setenv("COVET_CONFIG", file)
					case "--config":
						args = append(args, "--config", file)
					}
				}
				if c.env != "" {
					t.Setenv("COVET_PORT", c.env)
				}
				if c.flag != "" {
					args = append(args, "--port", c.flag)
				}
				want := "not " + c.want
				if c.want == "" {
					want = "--jitter"
				}
				if code, _, err := covet(args...); code != exitUsage || !strings.Contains(err, want) {
					t.Errorf("%d %swant %s", code, err, want)
				}
			})
		}
	}
}

func TestBadFile(t *testing.T) {
	bare(t)
	for text, want := range map[string]string{
		"prot = 8000\n": `unknown setting "prot"`,
		"port =\n":      "line 1",
		"port = 'x'\n":  "--port",
	} {
		if err := os.WriteFile("covet.toml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, err := covet("run", "x"); code != exitUsage || !strings.Contains(err, want) {
			t.Errorf("%q: %d %s", text, code, err)
		}
		if code, _, err := covet("version"); code != exitOK {
			t.Errorf("version with %q: %d %s", text, code, err)
		}
		if code, _, err := covet("run", "--help"); code != exitOK {
			t.Errorf("help with %q: %d %s", text, code, err)
		}
	}
}

func TestHelp(t *testing.T) {
	bare(t)
	for name, args := range map[string][]string{"help.txt": nil, "run-help.txt": {"run", "--help"}} {
		code, out, err := covet(args...)
		if code != exitOK || err != "" {
			t.Errorf("%q: %d %s", args, code, err)
		}
		path := filepath.Join(testdata, name)
		if *update {
			if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, e := os.ReadFile(path)
		if e != nil {
			t.Fatal(e)
		}
		if out != string(want) {
			t.Errorf("covet %q prints\n%s", args, out)
		}
	}
}

// testdata before a test changes the directory.
var testdata = func() string {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		panic(err)
	}
	return dir
}()

func TestRoutes(t *testing.T) {
	bare(t)
	code, out, errs := covet("routes", "good", "--python", self(t), "--json")
	var table struct {
		Title  string
		Routes []struct{ Path, Handler, Mode string }
	}
	if err := json.Unmarshal([]byte(out), &table); err != nil || code != exitOK || table.Title != "Fake" || len(table.Routes) != 6 || table.Routes[1].Path != "/hold" {
		t.Errorf("%d %s%s%v", code, out, errs, err)
	}
	code, out, _ = covet("routes", "good", "--python", self(t), "-v")
	if first, _, _ := strings.Cut(out, "\n"); code != exitOK || strings.Join(strings.Fields(first), " ") != "GET,POST /echo/{x} fake.echo/{x} async fake.py:10" {
		t.Errorf("%d %s", code, out)
	}
	code, out, errs = covet("routes", "fails-import", "--python", self(t))
	if want := "Traceback (fake)\n\ncovet: no module named shop\n       look at the name\n"; code != exitError || out != "" || errs != want {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

func TestDoctor(t *testing.T) {
	bare(t)
	code, out, errs := covet("doctor", "--json", "--python", self(t))
	var list []serve.Finding
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK || len(list) < 5 {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, _ := covet("doctor", "--python", "/none/python"); code != exitError || !strings.Contains(out, "NO   Python") {
		t.Errorf("%d %s", code, out)
	}
}

// screen is standard error that is read while it is written.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// find waits until the screen matches, and returns the first group.
func (s *screen) find(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		if m := re.FindStringSubmatch(s.String()); m != nil {
			return m[len(m)-1]
		}
		if time.Now().After(end) {
			t.Fatalf("no %s in\n%s", pattern, s)
		}
	}
}

// TestRun serves, answers, reloads, tells its status and stops.
func TestRun(t *testing.T) {
	bare(t)
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	var err screen
	ended := make(chan int, 1)
	go func() {
		ended <- Main([]string{"run", "good", "--python", self(t), "--port", "0", "--workers", "2", "--drain-timeout", "10s"}, io.Discard, &err)
	}()
	url := "http://" + err.find(t, `http://(127\.0\.0\.1:\d+)`)
	err.find(t, "stop  +Ctrl-C")
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	ask := func() {
		t.Helper()
		resp, err := client.Get(url + "/echo/there")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "there" || resp.Header.Get("Server") != "covet" {
			t.Errorf("%q %v %v", b, resp.Header, err)
		}
	}
	ask()
	address := strings.TrimPrefix(url, "http://")
	if code, out, errs := covet("reload", "--address", address); code != exitOK || !strings.Contains(out, "reloaded in") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	ask()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Error(err)
	}
	err.find(t, "generation=3")
	ask()
	code, out, errs := covet("status", "--address", address, "--json")
	var st serve.ServerStatus
	if e := json.Unmarshal([]byte(out), &st); e != nil || code != exitOK || len(st.Workers) != 2 || st.Workers[0].Generation != 3 || st.PID != os.Getpid() {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if code, out, _ := covet("status", "--address", address); code != exitOK || strings.Count(out, " ready ") != 2 {
		t.Errorf("%d %s", code, out)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	select {
	case code := <-ended:
		if code != exitOK {
			t.Errorf("exit code %d\n%s", code, &err)
		}
	case <-time.After(patience):
		t.Fatalf("it does not stop\n%s", &err)
	}
	if code, _, _ := covet("status", "--address", address); code != exitError {
		t.Errorf("status after the end: %d", code)
	}
}

func TestRunFails(t *testing.T) {
	bare(t)
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if code, _, errs := covet("run", "fails-import", "--python", self(t), "--port", "0"); code != exitError || !strings.HasSuffix(errs, "covet: no module named shop\n       look at the name\n") {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs := covet("run", "good", "--python", self(t), "--bind", "192.0.2.1:8000"); code != exitError || !strings.Contains(errs, "cannot listen on 192.0.2.1:8000: this machine has no such address") {
		t.Errorf("%d %s", code, errs)
	}
}

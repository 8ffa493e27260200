package h1

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/covetpy/covet/fault"
)

// golden is one case of a file in testdata. A file holds cases of this form; quoting is Go's, and what stands on
// several lines of a key is joined:
//
//	case a name
//	limits line=40 body=5          optional
//	in "GET / HTTP/1.1\r\n"        the input, on one or more lines
//	in "Host: a\r\n\r\n"
//	ok path="/" framing=none       what must hold of the result, on one or more lines; or
//	err 400 "part of the text"     the refusal
type golden struct {
	name   string
	line   int
	limits Limits
	in     []byte
	want   []string
	status int
	text   string
}

func readGolden(t testing.TB, name string) (cases []golden) {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var g *golden
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		key, rest, _ := strings.Cut(lines.Text(), " ")
		bad := func(err error) {
			if err != nil {
				t.Fatalf("%s:%d: %v", name, number, err)
			}
		}
		switch key {
		case "", "#":
		case "case":
			cases = append(cases, golden{name: rest, line: number})
			g = &cases[len(cases)-1]
		case "limits":
			for _, pair := range strings.Fields(rest) {
				k, v, _ := strings.Cut(pair, "=")
				n, err := strconv.Atoi(v)
				bad(err)
				switch k {
				case "line":
					g.limits.Line = n
				case "head":
					g.limits.Head = n
				case "fields":
					g.limits.Fields = n
				case "body":
					g.limits.Body = int64(n)
				default:
					bad(fmt.Errorf("unknown limit %q", k))
				}
			}
		case "in":
			// "…"*n repeats the piece.
			times := 1
			if quoted, count, found := strings.Cut(rest, "\"*"); found {
				rest = quoted + "\""
				times, err = strconv.Atoi(count)
				bad(err)
			}
			piece, err := strconv.Unquote(rest)
			bad(err)
			g.in = append(g.in, strings.Repeat(piece, times)...)
		case "ok":
			for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
				eq := strings.IndexByte(rest, '=') + 1
				value := rest[eq:]
				if quoted, err := strconv.QuotedPrefix(value); err == nil {
					value = quoted
				} else {
					value, _, _ = strings.Cut(value, " ")
				}
				g.want = append(g.want, rest[:eq]+value)
				rest = rest[eq+len(value):]
			}
		case "err":
			code, text, _ := strings.Cut(rest, " ")
			g.status, err = strconv.Atoi(code)
			bad(err)
			g.text, err = strconv.Unquote(text)
			bad(err)
		default:
			bad(fmt.Errorf("unknown key %q", key))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, g := range cases {
		if len(g.in) == 0 || (len(g.want) == 0) == (g.status == 0) {
			t.Fatalf("%s:%d: a case has an input, and either a result or a refusal", name, g.line)
		}
	}
	return cases
}

// judge compares the outcome of one run, as key=value pairs, with what the case wants.
func (g *golden) judge(t *testing.T, how string, got map[string]string, err *fault.Error) {
	t.Helper()
	if g.status != 0 {
		if err == nil {
			t.Fatalf("line %d, %s: accepted: %v", g.line, how, got)
		}
		if err.HTTPStatus() != g.status || !strings.Contains(err.Text(), g.text) {
			t.Fatalf("line %d, %s: refused with %d %q, want %d %q", g.line, how, err.HTTPStatus(), err.Text(), g.status, g.text)
		}
		return
	}
	if err != nil {
		t.Fatalf("line %d, %s: refused: %v", g.line, how, err)
	}
	for _, pair := range g.want {
		key, value, _ := strings.Cut(pair, "=")
		if have, known := got[key]; !known || have != value {
			t.Errorf("line %d, %s: %s is %s, want %s", g.line, how, key, have, value)
		}
	}
}

// cuts calls run with every way to cut n bytes that the tests use: whole, in two at every byte, byte by byte. Each
// way is the list of lengths that are there at successive calls.
func cuts(n int, run func(how string, lengths []int)) {
	run("whole", []int{n})
	// Cases that exist for their size need not be cut at every byte.
	step := max(1, n/1024)
	for i := 0; i < n; i += step {
		run("cut at "+strconv.Itoa(i), []int{i, n})
	}
	all := make([]int, 0, n+1)
	for i := 0; i <= n; i++ {
		all = append(all, i)
	}
	run("byte by byte", all)
}

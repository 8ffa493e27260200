package conformance

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// testCase is one case of a file in testdata/cases. A file holds cases of this form; quoting is Go's:
//
//	case name
//	from RFC 9112 §6.3; CVE-2024-1135    where the requirement, or the attack, is written down
//	in "POST / HTTP/1.1\r\n"             what the client sends, on one or more lines; "…"*n repeats a piece;
//	in "Host: {}\r\n\r\n"                {} stands for each of the values below
//	each "a" "b"                         optional: one case for each value; on one or more lines
//	alone                                optional: nothing is sent after it; otherwise another request follows,
//	                                     which must be answered, or not reach the handler, as the expectation says
//	whole                                optional: sent in one piece only
//
// and then what must happen:
//
//	refuse 400|501      an error response of that status, the end of the connection, and the handler never called
//	refuse-body 400     the same, but the handler may have been called with the request's head, because the body
//	                    streams; it never sees a complete request
//	answer path="/"     one line for each response: see expectation in expect_test.go
//	closed              after the responses the connection ends; otherwise it goes on
//	wait 400|none       no response while the client waits; after it has closed its side, that status or none, and
//	                    the handler never sees a complete request
type testCase struct {
	file string
	line int
	name string
	from string

	in           []byte
	shared       int // how many bytes of in are those of the first case of its group
	alone, whole bool

	refuse     []int
	body       bool // refuse-body
	waits      bool
	waitStatus []int // with waits; 0 is "none"
	answers    []expectation
	closed     bool
}

// id names the case in the list of known failures and in reports.
func (c *testCase) id() string { return c.file + ": " + c.name }

// hasBody tells that it matters how bodies reach the handler, whole or in pieces.
func (c *testCase) hasBody() bool {
	if c.body || c.waits {
		return true
	}
	for _, a := range c.answers {
		if _, ok := a.keys["body"]; ok {
			return true
		}
	}
	return false
}

// readCases reads all files of testdata/cases.
func readCases(t testing.TB) (all []*testCase) {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no case files: ", err)
	}
	seen := map[string]bool{}
	for _, f := range files {
		cases, err := readCaseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if seen[c.id()] {
				t.Fatalf("%s:%d: a second case %q", f, c.line, c.name)
			}
			seen[c.id()] = true
		}
		all = append(all, cases...)
	}
	return all
}

// draft is a case while its lines are read: the input still holds the {} of its values.
type draft struct {
	testCase
	text    string
	answers []string
	values  []string
}

func readCaseFile(name string) (cases []*testCase, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	base := strings.TrimSuffix(filepath.Base(name), ".txt")
	var d *draft
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		key, rest, _ := strings.Cut(lines.Text(), " ")
		if key == "case" {
			if cases, err = d.finish(cases); err != nil {
				return nil, err
			}
			d = &draft{testCase: testCase{file: base, line: number, name: rest}}
			continue
		}
		if key == "" || key[0] == '#' {
			continue
		}
		if d == nil {
			return nil, fmt.Errorf("%s:%d: %q stands before the first case", name, number, key)
		}
		if err := d.add(key, rest); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return d.finish(cases)
}

// add takes one line of a case.
func (d *draft) add(key, rest string) (err error) {
	switch key {
	case "from":
		d.from = rest
	case "in":
		for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
			var piece string
			if piece, rest, err = quoted(rest); err != nil {
				return err
			}
			times := 1
			if count, ok := strings.CutPrefix(rest, "*"); ok {
				count, rest, _ = strings.Cut(count, " ")
				if times, err = strconv.Atoi(count); err != nil {
					return err
				}
			}
			d.text += strings.Repeat(piece, times)
		}
	case "each":
		for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
			var v string
			if v, rest, err = quoted(rest); err != nil {
				return err
			}
			d.values = append(d.values, v)
		}
	case "alone":
		d.alone = true
	case "whole":
		d.whole = true
	case "refuse", "refuse-body":
		d.body = key == "refuse-body"
		d.refuse, err = statuses(rest)
	case "wait":
		d.waits, d.alone = true, true
		d.waitStatus, err = statuses(rest)
	case "answer":
		d.answers = append(d.answers, rest)
	case "closed":
		d.closed = true
	default:
		err = fmt.Errorf("what is %q?", key)
	}
	return err
}

// finish makes the cases of d, one for each value.
func (d *draft) finish(cases []*testCase) ([]*testCase, error) {
	if d == nil {
		return cases, nil
	}
	where := fmt.Sprintf("%s:%d: %s", d.file, d.line, d.name)
	kinds := 0
	for _, is := range []bool{d.refuse != nil, d.waits, d.answers != nil} {
		if is {
			kinds++
		}
	}
	switch {
	case d.from == "":
		return nil, fmt.Errorf("%s: no source", where)
	case d.text == "":
		return nil, fmt.Errorf("%s: no input", where)
	case kinds != 1:
		return nil, fmt.Errorf("%s: %d kinds of expectations", where, kinds)
	case strings.Contains(d.text, "{}") != (len(d.values) > 0):
		return nil, fmt.Errorf("%s: {} and values do not belong together", where)
	}
	values := d.values
	if len(values) == 0 {
		values = []string{""}
	}
	for i, v := range values {
		c := d.testCase
		c.in = []byte(strings.ReplaceAll(d.text, "{}", v))
		if i > 0 {
			c.shared = strings.Index(d.text, "{}")
		}
		if len(d.values) > 0 {
			short := v
			if len(short) > 60 {
				short = short[:60] + "…"
			}
			c.name += " " + strconv.Quote(short)
		}
		for _, a := range d.answers {
			e, err := parseExpectation(a, v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", where, err)
			}
			c.answers = append(c.answers, e)
		}
		cases = append(cases, &c)
	}
	return cases, nil
}

// quoted takes a quoted string from the start of s.
func quoted(s string) (value, rest string, err error) {
	prefix, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", fmt.Errorf("%q does not start with a quoted string", s)
	}
	value, err = strconv.Unquote(prefix)
	return value, s[len(prefix):], err
}

// statuses reads "400|501"; "none" is 0.
func statuses(s string) (list []int, err error) {
	for text := range strings.SplitSeq(s, "|") {
		n := 0
		if text != "none" {
			if n, err = strconv.Atoi(text); err != nil {
				return nil, err
			}
		}
		list = append(list, n)
	}
	return list, nil
}

package multipart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// corpusCase is one case of testdata/*.form.txt: see the README there.
type corpusCase struct {
	name, boundary string
	limits         Limits
	body           []byte
	expect         []string
}

func corpus(t testing.TB) (all []corpusCase) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.form.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq("\n"+string(text), "\ncase: ") {
			if strings.HasPrefix(block, "\n#") {
				continue
			}
			all = append(all, readCase(t, block))
		}
	}
	return all
}

func readCase(t testing.TB, block string) (c corpusCase) {
	t.Helper()
	section := ""
	for i, line := range strings.Split(block, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch {
		case i == 0:
			c.name = line
		case line == "body:", line == "expect:":
			section = line
		case section == "body:":
			if rest, ok := strings.CutPrefix(line, "@repeat "); ok {
				count, what, _ := strings.Cut(rest, " ")
				n, err := strconv.Atoi(count)
				if err != nil {
					t.Fatal(c.name, err)
				}
				c.body = append(c.body, bytes.Repeat(unescapeCase(t, what), n)...)
				continue
			}
			c.body = append(c.body, unescapeCase(t, line)...)
		case section == "expect:" && line != "":
			c.expect = append(c.expect, line)
		case key == "boundary":
			c.boundary = value
		case key == "limits":
			c.limits = readLimits(t, value)
		}
	}
	if c.boundary == "" || len(c.expect) == 0 {
		t.Fatalf("case %q is not complete", c.name)
	}
	return c
}

func readLimits(t testing.TB, text string) (l Limits) {
	t.Helper()
	for _, pair := range strings.Fields(text) {
		name, number, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		switch Reason(name) {
		case ErrParts:
			l.Parts = n
		case ErrFields:
			l.Fields = n
		case ErrFiles:
			l.Files = n
		case ErrFieldBytes:
			l.FieldBytes = int64(n)
		case ErrFieldsBytes:
			l.FieldsBytes = int64(n)
		case ErrFileBytes:
			l.FileBytes = int64(n)
		case ErrSize:
			l.Size = int64(n)
		case ErrHeadBytes:
			l.HeadBytes = n
		case ErrHeadLines:
			l.HeadLines = n
		default:
			t.Fatalf("no limit %q", name)
		}
	}
	return l
}

func unescapeCase(t testing.TB, s string) (b []byte) {
	t.Helper()
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		if i == len(s) {
			t.Fatalf("escape at the end of %q", s)
		}
		switch s[i] {
		case 'r':
			b = append(b, '\r')
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case '\\':
			b = append(b, '\\')
		case 'x':
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, byte(n))
			i += 2
		default:
			t.Fatalf("unknown escape in %q", s)
		}
	}
	return b
}

// seenPart is a part as the corpus writes it.
type seenPart struct {
	Name string  `json:"name"`
	Data string  `json:"data"`
	File *string `json:"file"`
	Raw  *string `json:"raw"`
	Type string  `json:"type"`
}

// drive shows the parser the body in pieces of the given sizes (the last one repeats) and returns what it saw as text.
func drive(p *Parser, body []byte, pieces ...int) (seen []string) {
	var buf []byte
	var data []byte
	for next := 0; ; {
		eof := len(body) == 0
		for {
			ev, n, err := p.Next(buf, eof)
			buf = buf[n:]
			if err != nil {
				return append(seen, "error "+string(err.(*Error).Reason))
			}
			if ev == More {
				break
			}
			switch ev {
			case PartBegin:
				data = nil
			case Data:
				if len(p.Data()) == 0 {
					return append(seen, "empty data")
				}
				data = append(data, p.Data()...)
			case PartEnd:
				part := p.Part()
				line := fmt.Sprintf("%q %x", part.Name, data)
				if part.IsFile {
					line += fmt.Sprintf(" file %q %q %q", part.FileName(), part.RawFileName, part.ContentType)
				}
				if len(data) > 100000 {
					line = fmt.Sprintf("long %d", len(data))
				}
				seen = append(seen, line)
			case End:
				return append(seen, "end")
			}
		}
		if eof {
			return append(seen, "more after the end")
		}
		size := min(pieces[min(next, len(pieces)-1)], len(body))
		next++
		// Fresh memory each time: views into what was given before must not be needed.
		buf = append(append([]byte(nil), buf...), body[:size]...)
		body = body[size:]
	}
}

// want is a case's expectation in the form of drive.
func (c *corpusCase) want(t testing.TB) (want []string) {
	t.Helper()
	for _, line := range c.expect {
		if !strings.HasPrefix(line, "{") {
			want = append(want, line)
			continue
		}
		var s seenPart
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		data := make([]byte, 0, len(s.Data))
		for _, r := range s.Data {
			data = append(data, byte(r))
		}
		text := fmt.Sprintf("%q %x", s.Name, data)
		if s.File != nil {
			if s.Raw == nil {
				s.Raw = s.File
			}
			text += fmt.Sprintf(" file %q %q %q", *s.File, *s.Raw, s.Type)
		}
		want = append(want, text)
	}
	return want
}

// same compares what was seen with a case; of a case that fails only the failure counts.
func same(got, want []string) bool {
	last := want[len(want)-1]
	if strings.HasPrefix(last, "error ") {
		return got[len(got)-1] == last
	}
	return strings.Join(got, "\n") == strings.Join(want, "\n")
}

func TestCorpus(t *testing.T) {
	for _, c := range corpus(t) {
		t.Run(c.name, func(t *testing.T) {
			want := c.want(t)
			if got := drive(New(c.boundary, c.limits), c.body, max(len(c.body), 1)); !same(got, want) {
				t.Errorf("whole:\n got %q\nwant %q", got, want)
			}
			if got := drive(New(c.boundary, c.limits), c.body, 1); !same(got, want) {
				t.Errorf("byte by byte:\n got %q\nwant %q", got, want)
			}
			if len(c.body) > 2000 {
				return
			}
			for i := 1; i < len(c.body); i++ {
				if got := drive(New(c.boundary, c.limits), c.body, i, len(c.body)); !same(got, want) {
					t.Fatalf("split at %d:\n got %q\nwant %q", i, got, want)
				}
			}
		})
	}
}

func TestBoundaryCorpus(t *testing.T) {
	text, err := os.ReadFile("testdata/boundary.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		params, want, _ := strings.Cut(strings.TrimSpace(line), "\t")
		var in, out string
		if err := json.Unmarshal([]byte(params), &in); err != nil {
			t.Fatal(line, err)
		}
		got, err := Boundary(in)
		if want == "error" {
			if err == nil {
				t.Errorf("%s: %q", params, got)
			}
			continue
		}
		if e := json.Unmarshal([]byte(want), &out); e != nil {
			t.Fatal(line, e)
		}
		if err != nil || got != out {
			t.Errorf("%s: %q %v, want %q", params, got, err, out)
		}
	}
}

func TestURLEncodedCorpus(t *testing.T) {
	text, err := os.ReadFile("testdata/urlencoded.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		in, want, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		var pairs [][2]string
		err := Pairs(unescapeCase(t, in), 1000, func(n, v string) { pairs = append(pairs, [2]string{n, v}) })
		if want == "error" {
			if err == nil {
				t.Errorf("%s: %q", in, pairs)
			}
			continue
		}
		var out [][2]string
		if e := json.Unmarshal([]byte(want), &out); e != nil {
			t.Fatal(line, e)
		}
		if err != nil || fmt.Sprint(pairs) != fmt.Sprint(out) {
			t.Errorf("%s: %q %v, want %q", in, pairs, err, out)
		}
	}
}

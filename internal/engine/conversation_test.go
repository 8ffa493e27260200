package engine

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/engine/enginetest"
	"github.com/covetpy/covet/internal/h1"
)

//go:embed testdata/*.txt
var conversations embed.FS

// A conversation is steps: what the client sends, then what must have come by the next step.
type step struct {
	send string
	eof  bool
	// want is a regular expression over everything received since the last wait.
	want string
	wait bool
}

type conversation struct {
	name  string
	steps []step
	end   string
}

const dateText = "Sat, 14 Mar 2026 15:09:26 GMT"

// expectation turns one line of what is received into a regular expression.
func expectation(t *testing.T, line string) (string, bool) {
	quote := func(s string) string {
		return strings.ReplaceAll(regexp.QuoteMeta(strings.ReplaceAll(s, "{date}", dateText)), `\*`, ".*")
	}
	var status, rest string
	switch {
	case line == "<":
		return "\r\n", true
	case strings.HasPrefix(line, "< "):
		return quote(line[2:] + "\r\n"), true
	case strings.HasPrefix(line, "<< "):
		s, err := strconv.Unquote(line[3:])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return regexp.QuoteMeta(s), true
	case strings.HasPrefix(line, "{error "):
		status, rest, _ = strings.Cut(strings.TrimSuffix(line[7:], "}"), " ")
		code, message, _ := strings.Cut(rest, " ")
		if message == "*" {
			message = `".*"`
		} else {
			message = regexp.QuoteMeta(message)
		}
		body := `\{"error":\{"code":"` + code + `","message":` + message +
			`,"details":null,"request_id":"[0-9a-f]{32}","timestamp":"2026-03-14T15:09:26.000Z"\}\}`
		return "HTTP/1.1 " + status + " .*\r\ndate: " + dateText + "\r\ncontent-type: application/json\r\n" +
			"content-length: \\d+\r\nconnection: close\r\n\r\n" + body, true
	case strings.HasPrefix(line, "{problem "):
		status, rest, _ = strings.Cut(strings.TrimSuffix(line[9:], "}"), " ")
		body := `\{"type":"about:blank","title":".*","status":` + status + `,"detail":".*","code":"` + rest +
			`","details":null,"request_id":"[0-9a-f]{32}"\}`
		return "HTTP/1.1 " + status + " .*\r\ndate: " + dateText + "\r\ncontent-type: application/problem\\+json\r\n" +
			"content-length: \\d+\r\nconnection: close\r\n\r\n" + body, true
	case strings.HasPrefix(line, "{"):
		line = strings.TrimSuffix(line[1:], "}")
		closing := ""
		if s, ok := strings.CutPrefix(line, "close "); ok {
			line, closing = s, "connection: close\r\n"
		}
		status, rest, _ = strings.Cut(line, " ")
		length := strconv.Itoa(len(rest))
		if strings.Contains(rest, "*") {
			length = `\d+`
		}
		return "HTTP/1.1 " + status + " .*\r\ndate: " + dateText + "\r\ncontent-type: text/plain; charset=utf-8\r\n" +
			"content-length: " + length + "\r\n" + closing + "\r\n" + quote(rest), true
	}
	return "", false
}

func parseConversations(t *testing.T, src string) (all []conversation) {
	for _, block := range strings.Split("\n"+src, "\n=== ")[1:] {
		lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
		c := conversation{name: lines[0], end: lines[len(lines)-1]}
		st := step{}
		flush := func() {
			if st.wait || st.send != "" || st.eof || st.want != "" {
				c.steps = append(c.steps, st)
			}
			st = step{}
		}
		for _, line := range lines[1 : len(lines)-1] {
			sends := strings.HasPrefix(line, ">")
			if st.wait && sends {
				flush()
			}
			switch {
			case line == "" || line[0] == '#':
			case line == ">":
				st.send += "\r\n"
			case strings.HasPrefix(line, "> "):
				st.send += line[2:] + "\r\n"
			case strings.HasPrefix(line, ">> "):
				s, err := strconv.Unquote(line[3:])
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				st.send += s
			case line == "eof":
				st.eof = true
			case line == "wait":
				st.wait = true
			default:
				re, ok := expectation(t, line)
				if !ok {
					t.Fatalf("%s: what is %q?", c.name, line)
				}
				st.want += re
			}
		}
		flush()
		all = append(all, c)
	}
	return all
}

// run plays c; cut says how a send is divided.
func (c *conversation) run(t *testing.T, cut func(string) []string) {
	t.Helper()
	r := newRig(t, Config{
		MaxInline: 16, Limits: h1.Limits{Line: 256, Body: 64},
	})
	conn := r.group.Dial()
	for i, st := range c.steps {
		for _, p := range cut(st.send) {
			conn.Send(p)
			r.loop.Settle()
		}
		if st.eof {
			conn.CloseSend()
			r.loop.Settle()
		}
		got := conn.Received()
		if !regexp.MustCompile("(?s)^" + st.want + "$").MatchString(got) {
			t.Errorf("step %d: got\n%q\nwant\n%q", i, got, st.want)
			return
		}
	}
	end := "open"
	switch {
	case conn.Aborted():
		end = "aborted"
	case conn.Finished():
		end = "closed"
	}
	if end != c.end {
		t.Errorf("the connection is %s, want %s", end, c.end)
	}
	r.loop.Advance(DefaultHeadTimeout + DefaultIdleTimeout)
	if !conn.Ended() {
		t.Error("the connection does not end")
	}
	r.quiet()
}

func TestConversations(t *testing.T) {
	files, err := conversations.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		src, err := conversations.ReadFile(path.Join("testdata", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range parseConversations(t, string(src)) {
			t.Run(strings.TrimSuffix(f.Name(), ".txt")+"/"+c.name, func(t *testing.T) {
				t.Run("at once", func(t *testing.T) { c.run(t, func(s string) []string { return []string{s} }) })
				if strings.HasPrefix(c.name, "both ways") || strings.HasPrefix(c.name, "in one piece") {
					return // the chunks sent back depend on the pieces
				}
				t.Run("byte by byte", func(t *testing.T) { c.run(t, func(s string) []string { return strings.Split(s, "") }) })
				longest := 0
				for _, st := range c.steps {
					longest = max(longest, len(st.send))
				}
				for at := 1; at < longest && !t.Failed(); at++ {
					t.Run(fmt.Sprintf("cut at %d", at), func(t *testing.T) {
						c.run(t, func(s string) []string {
							if at >= len(s) {
								return []string{s}
							}
							return []string{s[:at], s[at:]}
						})
					})
				}
			})
		}
	}
}

// The fake transport must itself be worth something: it hands over input once and overwrites it.
func TestFakeOverwritesInput(t *testing.T) {
	r := newRig(t, Config{})
	c := r.group.Dial()
	if got := r.send(c, "GET /target?x HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasSuffix(got, "/target?x") {
		t.Errorf("got %q", got)
	}
	var _ *enginetest.Conn = c
}

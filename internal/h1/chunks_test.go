package h1

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// decodeCut feeds in to c as a connection does: what is not used up is offered again, with more. It returns the body,
// how much of in the body took, and whether it is complete.
func decodeCut(c *Chunks, r *message.Request, in []byte, lengths []int) (body []byte, used int, done bool, err *fault.Error) {
	for _, length := range lengths {
		for {
			data, n, end, err := c.Next(r, bytes.Clone(in[used:length]))
			body = append(body, data...)
			used += n
			if end || err != nil {
				return body, used, end, err
			}
			if n == 0 {
				break
			}
		}
	}
	return body, used, false, nil
}

func trailerOf(r *message.Request) string {
	var b strings.Builder
	for _, x := range r.Trailer {
		fmt.Fprintf(&b, "%s=%s;", x.Name.In(r.TrailerHead), x.Value.In(r.TrailerHead))
	}
	return b.String()
}

func TestChunksGolden(t *testing.T) {
	for _, g := range readGolden(t, "chunks.txt") {
		t.Run(g.name, func(t *testing.T) {
			var c Chunks
			var first string
			cuts(len(g.in), func(how string, lengths []int) {
				var r message.Request
				r.Reset()
				c.Reset(&g.limits)
				body, used, done, err := decodeCut(&c, &r, g.in, lengths)
				if !done && err == nil {
					t.Fatalf("line %d, %s: incomplete", g.line, how)
				}
				var got map[string]string
				all := fmt.Sprint(err)
				if err == nil {
					got = map[string]string{
						"data":    strconv.Quote(string(body)),
						"trailer": strconv.Quote(trailerOf(&r)),
						"rest":    strconv.Quote(string(g.in[used:])),
					}
					all = fmt.Sprint(got)
				}
				g.judge(t, how, got, err)
				if first == "" {
					first = all
				} else if all != first {
					t.Fatalf("line %d, %s: the cut changes the result:\n%s\n%s", g.line, how, all, first)
				}
				if len(r.Fields) != 0 {
					t.Fatalf("line %d, %s: a trailer field among the fields", g.line, how)
				}
				if err == nil {
					if _, n, again, err := c.Next(&r, []byte("5\r\n")); n != 0 || !again || err != nil {
						t.Fatalf("line %d: after the end: %d, %v, %v", g.line, n, again, err)
					}
				}
			})
		})
	}
}

// TestTruncatedChunks: no prefix of a body counts as complete or as broken.
func TestTruncatedChunks(t *testing.T) {
	for _, g := range readGolden(t, "chunks.txt") {
		if g.status != 0 {
			continue
		}
		var c Chunks
		var r message.Request
		c.Reset(&g.limits)
		_, whole, _, _ := decodeCut(&c, &r, g.in, []int{len(g.in)})
		for i := range whole {
			c.Reset(&g.limits)
			if _, _, done, err := decodeCut(&c, &r, g.in, []int{i}); done || err != nil {
				t.Fatalf("line %d: %d of %d bytes: %v, %v", g.line, i, whole, done, err)
			}
		}
	}
}

// TestChunksInPlace: data is a view of the input, not a copy.
func TestChunksInPlace(t *testing.T) {
	in := []byte("5\r\nhello\r\n0\r\n\r\n")
	var c Chunks
	c.Reset(nil)
	data, _, _, err := c.Next(&message.Request{}, in)
	if err != nil || len(data) != 5 || &data[0] != &in[3] || cap(data) != 5 {
		t.Fatalf("%q, cap %d, %v", data, cap(data), err)
	}
}

func TestChunksAllocations(t *testing.T) {
	in := []byte("5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nx-sum: 1\r\nhost: x\r\n\r\n")
	var c Chunks
	var r message.Request
	var l Limits
	decode := func() {
		r.Reset()
		c.Reset(&l)
		for rest := in; ; {
			_, n, done, err := c.Next(&r, rest)
			if err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; done {
				return
			}
		}
	}
	decode()
	if got := testing.AllocsPerRun(100, decode); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestForbiddenInTrailer(t *testing.T) {
	for _, name := range []string{
		"TE", "Via", "Host", "Range", "Cookie", "Expect", "Pragma", "Origin", "Trailer", "Upgrade", "Forwarded", "X-Real-IP",
		"Connection", "Keep-Alive", "Set-Cookie", "Content-Length", "Content-Type", "Content-Encoding", "Content-Range",
		"If-Match", "If-Range", "X-Forwarded-For", "X-Forwarded-Proto", "Transfer-Encoding", "Authorization",
		"Proxy-Authorization", "Proxy-Authenticate", "WWW-Authenticate", "Proxy-Connection", "Cache-Control", "Max-Forwards",
	} {
		if !message.ForbiddenInTrailer([]byte(name)) || !message.ForbiddenInTrailer([]byte(strings.ToLower(name))) {
			t.Errorf("%s is let through", name)
		}
	}
	for _, name := range []string{"ETag", "X-Sum", "Server-Timing", "Digest", "Hosts", "Expires", "Content", "Grpc-Status"} {
		if message.ForbiddenInTrailer([]byte(name)) {
			t.Errorf("%s is dropped", name)
		}
	}
}

// TestReset: a large trailer section is not kept, and the state of a body left in the middle is gone.
func TestReset(t *testing.T) {
	var c Chunks
	var r message.Request
	c.Reset(nil)
	in := []byte("0\r\nx: " + strings.Repeat("y", 2*maxKeptScratch) + "\r\n\r\n")
	if _, _, done, err := decodeCut(&c, &r, in, []int{len(in)}); !done || err != nil {
		t.Fatal(done, err)
	}
	c.Reset(nil)
	if cap(c.trailer) > maxKeptScratch {
		t.Fatalf("%d bytes kept", cap(c.trailer))
	}
	if _, n, done, err := c.Next(&r, []byte("5\r\nhe")); n != 5 || done || err != nil {
		t.Fatal(n, done, err)
	}
	c.Reset(nil)
	if data, _, _, err := c.Next(&r, []byte("2\r\nab\r\n")); string(data) != "ab" || err != nil {
		t.Fatalf("%q, %v", data, err)
	}
}

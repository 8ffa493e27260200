package h1

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/message"
)

func TestAppendHead(t *testing.T) {
	const date = "Sun, 06 Nov 1994 08:49:37 GMT"
	for _, c := range []struct {
		name   string
		status int
		typ    message.ContentType
		fields [][2]string
		wire   Wire
		want   string
	}{
		{"whole", 200, message.ContentJSON, nil, Wire{Version: message.HTTP11, KeepAlive: true, Date: []byte(date), Length: 2},
			"HTTP/1.1 200 OK\r\ndate: " + date + "\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"},
		{"fields", 404, message.ContentNone, [][2]string{{"X-A", "1"}, {"set-cookie", "a=b"}, {"Set-Cookie", "c=d"}},
			Wire{Version: message.HTTP11, KeepAlive: true},
			"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nx-a: 1\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n\r\n"},
		{"chunked", 200, message.ContentText, nil, Wire{Version: message.HTTP11, KeepAlive: true, Chunked: true, Length: -1},
			"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"},
		{"chunked wins over a length", 200, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true, Chunked: true, Length: 5},
			"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"},
		{"close", 200, 0, nil, Wire{Version: message.HTTP11, Length: 1},
			"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\n"},
		{"1.0 until the end of the connection", 200, 0, nil, Wire{Version: message.HTTP10, Length: -1},
			"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"},
		{"1.0 kept", 200, 0, nil, Wire{Version: message.HTTP10, KeepAlive: true, Length: 1},
			"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n"},
		{"HEAD keeps the length", 200, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true, Head: true, Length: 77},
			"HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n"},
		{"HEAD has no coding", 200, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true, Head: true, Chunked: true, Length: -1},
			"HTTP/1.1 200 OK\r\n\r\n"},
		{"204 has no length", 204, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true},
			"HTTP/1.1 204 No Content\r\n\r\n"},
		{"204 has no coding", 204, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true, Chunked: true},
			"HTTP/1.1 204 No Content\r\n\r\n"},
		{"304 has no length of 0", 304, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true},
			"HTTP/1.1 304 Not Modified\r\n\r\n"},
		{"304 may tell the length of the representation", 304, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true, Length: 9},
			"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"},
		{"304 has no coding", 304, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true, Chunked: true},
			"HTTP/1.1 304 Not Modified\r\n\r\n"},
		{"status without a reason keeps the space", 299, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true},
			"HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n"},
		{"status that is none", 20000, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true},
			"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"},
		{"interim status is not final", 101, 0, nil, Wire{Version: message.HTTP11, KeepAlive: true},
			"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r message.Response
			r.Reset()
			r.Status, r.Type = c.status, c.typ
			for _, f := range c.fields {
				if !r.AddField(f[0], f[1]) {
					t.Fatal(f)
				}
			}
			got := AppendHead([]byte("before"), &r, c.wire)
			if string(got) != "before"+c.want {
				t.Errorf("\n%q, want\n%q", got, c.want)
			}
		})
	}
}

// TestHeadBound: no status, type and framing makes a head longer than the bound.
func TestHeadBound(t *testing.T) {
	date := AppendDate(nil, time.Unix(0, 0))
	for status := -1; status <= 1001; status++ {
		for typ := range message.ContentCount {
			for _, w := range []Wire{
				{Version: message.HTTP10, KeepAlive: true, Date: date, Length: 1<<63 - 1},
				{Version: message.HTTP11, Date: date, Chunked: true},
			} {
				var r message.Response
				r.Reset()
				r.Status, r.Type = status, typ
				r.AddField("x", strings.Repeat("y", 1000))
				if n, bound := len(AppendHead(nil, &r, w)), HeadBound(&r); n > bound {
					t.Fatalf("%d %v: %d bytes, bound %d", status, typ, n, bound)
				}
			}
		}
	}
}

// TestHeadReadBack: a client understands every head.
func TestHeadReadBack(t *testing.T) {
	var r message.Response
	r.Reset()
	r.Status, r.Type = 201, message.ContentHTML
	r.AddField("Location", "/x")
	out := AppendInterim(nil, 103, []byte("link: </a.css>; rel=preload\r\n"))
	out = AppendHead(out, &r, Wire{Version: message.HTTP11, KeepAlive: true, Date: AppendDate(nil, time.Unix(1, 0)), Chunked: true})
	for _, piece := range []string{"hello", strings.Repeat("x", 300)} {
		out = AppendChunkSize(out, len(piece))
		out = append(append(out, piece...), ChunkEnd...)
	}
	out = append(out, LastChunk...)
	in := bufio.NewReader(bytes.NewReader(out))
	early, err := http.ReadResponse(in, nil)
	if err != nil || early.StatusCode != 103 || early.Header.Get("Link") != "</a.css>; rel=preload" {
		t.Fatal(early, err)
	}
	got, err := http.ReadResponse(in, nil)
	if err != nil || got.StatusCode != 201 || got.Header.Get("Location") != "/x" || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatal(got, err)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(got.Body); err != nil || body.String() != "hello"+strings.Repeat("x", 300) {
		t.Fatal(body.Len(), err)
	}
}

func TestAppendInterim(t *testing.T) {
	if got := string(AppendInterim(nil, 100, nil)); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Errorf("%q", got)
	}
	got := string(AppendInterim(nil, 101, []byte("connection: upgrade\r\nupgrade: websocket\r\n")))
	if got != "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n" {
		t.Errorf("%q", got)
	}
}

func TestAppendChunkSize(t *testing.T) {
	for n, want := range map[int]string{1: "1\r\n", 10: "a\r\n", 255: "ff\r\n", 65536: "10000\r\n"} {
		if got := string(AppendChunkSize(nil, n)); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

// TestAppendDate holds every day of a year with every form of clock time against package time.
func TestAppendDate(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	for day := range 800 {
		at := time.Date(1999, 12, 30, 19, 59, 55, 999, zone).Add(time.Duration(day)*24*time.Hour + time.Duration(day)*61*time.Second)
		if got, want := string(AppendDate(nil, at)), at.UTC().Format(http.TimeFormat); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

func TestWriteAllocations(t *testing.T) {
	var r message.Response
	r.Reset()
	r.Type = message.ContentJSON
	r.AddField("x-a", "1")
	at := time.Unix(784111777, 0)
	dst := make([]byte, 0, 4<<10)
	date := make([]byte, 0, 29)
	if got := testing.AllocsPerRun(100, func() {
		date = AppendDate(date[:0], at)
		dst = AppendHead(dst[:0], &r, Wire{Version: message.HTTP11, KeepAlive: true, Date: date, Length: 12})
		dst = AppendInterim(dst, 100, nil)
		dst = append(AppendChunkSize(dst, 77), LastChunk...)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestHasToken(t *testing.T) {
	for _, c := range []struct {
		list string
		want bool
	}{
		{"upgrade", true}, {"Upgrade", true}, {"keep-alive, UPGRADE", true}, {"a,upgrade\t ,b", true}, {",, upgrade", true},
		{"", false}, {",", false}, {"upgrades", false}, {"up grade", false}, {"upgrade;q=1", false}, {"\"upgrade\"", false}, {"upgrad", false},
	} {
		if got := HasToken([]byte(c.list), "upgrade"); got != c.want {
			t.Errorf("%q: %v", c.list, got)
		}
	}
}

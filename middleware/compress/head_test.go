package compress

import (
	"fmt"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/message"
)

// below is the protocol's side of a response that is looked at.
type below struct {
	message.Stream
	head    string // status and fields
	body    []byte
	length  int64
	pending int
	ended   string
}

func (b *below) take(x *message.Exchange) {
	r := &x.Response
	b.head, b.length = fmt.Sprint(r.Status, " ", r.Type, "\n", strings.ReplaceAll(string(r.Fields()), "\r", "")), r.Length
}

func (b *below) Respond(x *message.Exchange) {
	b.take(x)
	b.body, b.ended = append(b.body, x.Response.Body...), "responded"
}
func (b *below) Start(x *message.Exchange) { b.take(x) }
func (b *below) Write(_ *message.Exchange, p []byte) int {
	b.body = append(b.body, p...)
	return b.pending
}
func (b *below) End(*message.Exchange)   { b.ended = "ended" }
func (b *below) Abort(*message.Exchange) { b.ended = "aborted" }

// TestHead drives responses of every kind through the stream and looks at the head that comes out.
func TestHead(t *testing.T) {
	large := strings.Repeat("content ", 200)
	const coded = "vary: Accept-Encoding\ncontent-encoding: gzip\n"
	for _, c := range []struct {
		name   string
		method message.Method
		status int
		number message.ContentType
		fields string // "name: value" lines
		body   string
		choice choice
		opaque bool
		want   string // the fields that come out; "=" stands for those that went in
	}{
		{name: "json", number: message.ContentJSON, want: coded},
		{name: "text", number: message.ContentText, want: coded},
		{name: "html", number: message.ContentHTML, want: coded},
		{name: "problem", number: message.ContentProblem, status: 400, want: coded},
		{name: "an error", number: message.ContentJSON, status: 500, want: coded},
		{name: "created", number: message.ContentJSON, status: 201, want: coded},
		{name: "octets", number: message.ContentOctets, want: "="},
		{name: "no type", want: "="},
		{name: "small", number: message.ContentText, body: large[:1023], want: "="},
		{name: "not small", number: message.ContentText, body: large[:1024], want: coded},
		{name: "small, for a client that refuses identity", number: message.ContentText, body: "x", choice: choice(gzipped) | insists, want: coded},
		{name: "empty", number: message.ContentText, body: "-", want: "="},
		{name: "client takes nothing", number: message.ContentText, choice: choice(identity), want: "vary: Accept-Encoding\n"},
		{name: "client takes nothing, small", number: message.ContentText, choice: choice(identity), body: "x", want: "="},
		{name: "client takes nothing, image", fields: "content-type: image/png\n", choice: choice(identity), want: "="},
		{name: "opaque", number: message.ContentText, opaque: true, want: "="},
		{name: "partial", number: message.ContentText, status: 206, want: "="},
		{name: "range", number: message.ContentText, fields: "content-range: bytes 0-1/2\n", want: "="},
		{name: "no content", number: message.ContentText, status: 204, want: "="},
		{name: "reset content", number: message.ContentText, status: 205, want: "="},
		{name: "coded already", number: message.ContentText, fields: "content-encoding: br\n", want: "="},
		{name: "coded already, twice", number: message.ContentText, fields: "content-encoding: gzip, br\n", want: "="},
		{name: "opted out", number: message.ContentText, fields: "content-encoding: identity\nx: y\n", want: "x: y\n"},
		{name: "no-transform", number: message.ContentText, fields: "cache-control: max-age=3, No-Transform\n", want: "="},
		{name: "no-transform, second line", number: message.ContentText, fields: "cache-control: max-age=3\ncache-control: no-transform\n", want: "="},
		{name: "other cache-control", number: message.ContentText, fields: "cache-control: private, no-transformation\n", want: "=" + coded},
		{name: "vary", number: message.ContentText, fields: "vary: Origin, accept-ENCODING\n", want: "=content-encoding: gzip\n"},
		{name: "vary on everything", number: message.ContentText, fields: "vary: *\n", want: "=content-encoding: gzip\n"},
		{name: "vary on another", number: message.ContentText, fields: "vary: Origin\n", want: "=" + coded},
		{name: "strong tag", number: message.ContentText, fields: "etag: \"a\"\n", want: "vary: Accept-Encoding\netag: W/\"a\"\ncontent-encoding: gzip\n"},
		{name: "weak tag", number: message.ContentText, fields: "etag: W/\"a\"\n", want: "=" + coded},
		{name: "ranges and digests", number: message.ContentText,
			fields: "accept-ranges: bytes\ncontent-md5: a\ncontent-digest: a\nrepr-digest: a\ndigest: a\nx: y\n", want: "x: y\n" + coded},
		{name: "not modified", status: 304, fields: "etag: \"a\"\n", body: "-", want: "vary: Accept-Encoding\netag: W/\"a\"\n"},
		{name: "not modified, identity", status: 304, fields: "etag: \"a\"\n", body: "-", choice: choice(identity), want: "=vary: Accept-Encoding\n"},
		{name: "not modified, by date", status: 304, fields: "last-modified: x\n", body: "-", want: "=vary: Accept-Encoding\n"},
		{name: "not modified, a file", status: 304, fields: "etag: \"a\"\n", body: "-", opaque: true, want: "="},
		{name: "head", method: message.MethodHead, number: message.ContentText, want: coded},
		{name: "head, small", method: message.MethodHead, number: message.ContentText, body: "x", want: "="},
		{name: "type by field", fields: "content-type: Application/JSON; charset=utf-8\n", want: "=" + coded},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newCompressor(Config{})
			x := &message.Exchange{}
			x.Reset()
			b := &below{}
			x.Stream = b
			x.Request.Method = c.method
			if x.Request.Method == message.MethodOther {
				x.Request.Method = message.MethodGet
			}
			r := &x.Response
			if r.Status = c.status; r.Status == 0 {
				r.Status = 200
			}
			r.Type, r.Opaque = c.number, c.opaque
			for l := range strings.Lines(c.fields) {
				name, value, _ := strings.Cut(strings.TrimSuffix(l, "\n"), ": ")
				if !r.AddField(name, value) {
					t.Fatal(l)
				}
			}
			switch r.Body = []byte(c.body); c.body {
			case "":
				r.Body = []byte(large)
			case "-":
				r.Body = nil
			}
			if c.choice == 0 && !strings.Contains(c.name, "identity") && !strings.Contains(c.name, "client takes nothing") {
				c.choice = choice(gzipped)
			}
			body := string(r.Body)
			m.decide(x, c.choice)
			x.Stream.Respond(x)
			_, got, _ := strings.Cut(b.head, "\n")
			if want := strings.Replace(c.want, "=", c.fields, 1); got != want {
				t.Errorf("fields:\n%swant:\n%s", got, want)
			}
			isCoded := strings.Contains(c.want, "content-encoding: gzip")
			switch {
			case c.method == message.MethodHead && isCoded:
				if b.length != -1 || len(b.body) > 0 {
					t.Errorf("length %d, %d bytes", b.length, len(b.body))
				}
			case isCoded != (string(b.body) != body):
				t.Errorf("the body: %q", b.body)
			}
			if x.Stream != message.Stream(b) && !isCoded {
				t.Error("the stream stays in the way of a response that it does not change")
			}
		})
	}
}

func TestTypes(t *testing.T) {
	ts := newTypes([]string{"image/*", "Application/X-Special"})
	for field, want := range map[string]bool{
		"text/plain": true, "TEXT/HTML; charset=x": true, "text/event-stream": true, "application/json": true,
		"application/problem+json": true, "application/vnd.x+xml": true, "application/ld+JSON ;a=b": true,
		"application/javascript": true, "application/wasm": true, "image/svg+xml": true, "font/ttf": true,
		"application/x-ndjson": true, "image/png": true, "application/x-special": true,
		"font/woff2": false, "video/mp4": false, "application/zip": false, "application/octet-stream": false,
		"application/gzip": false, "": false, "text/": false, "text": false, "application/x+zip": false, "application/pdf": false,
		"multipart/form-data; boundary=x": false, "audio/ogg": false, strings.Repeat("a", 200): false, "text/" + strings.Repeat("a", 200): false,
	} {
		if got := ts.compressible(message.ContentNone, []byte(field)); got != want {
			t.Errorf("%q: %v", field, got)
		}
	}
	plain := newTypes(nil)
	if plain.compressible(message.ContentNone, []byte("image/png")) {
		t.Error("images are coded without being asked for")
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		cfg Config
		ok  bool
	}{
		{Config{}, true},
		{Config{Codings: []string{"gzip", "br"}}, true},
		{Config{Codings: []string{"deflate"}}, false},
		{Config{Codings: []string{"gzip", "gzip"}}, false},
		{Config{Level: levels}, false},
	} {
		if err := c.cfg.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
	for name, want := range map[string]Level{"fast": Fast, "balanced": Balanced, "best": Best} {
		if l, err := ParseLevel(name); l != want || err != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	if _, err := ParseLevel("most"); err == nil {
		t.Error("a level that does not exist")
	}
}

// TestStreamPassesPressureOn checks what Write returns, and where the receiver's calls go.
func TestStreamPassesPressureOn(t *testing.T) {
	m := newCompressor(Config{})
	for k := gzipped; k < codings; k++ {
		x := &message.Exchange{}
		x.Reset()
		b, above := &below{pending: 77}, &listener{}
		x.Stream, x.Receiver = b, above
		x.Response.Type = message.ContentText
		m.decide(x, choice(k))
		x.Stream.Start(x)
		if got := x.Stream.Write(x, []byte("something to send")); got != 77 {
			t.Errorf("%s: Write returns %d, want what is pending below", k.name(), got)
		}
		x.Receiver.Drained(x)
		x.Receiver.Gone(x)
		if above.calls != "drained gone " || m.open.Load() != 0 {
			t.Errorf("%s: %q, %d encoders taken", k.name(), above.calls, m.open.Load())
		}
		n := len(b.body)
		x.Stream.Write(x, []byte("late")) // goes below, which knows that the exchange is over
		if string(b.body[n:]) != "late" {
			t.Errorf("%s: a late piece became %q", k.name(), b.body[n:])
		}
	}
}

type listener struct{ calls string }

func (l *listener) BodyChunk(*message.Exchange, []byte) { l.calls += "chunk " }
func (l *listener) BodyEnd(*message.Exchange, error)    { l.calls += "end " }
func (l *listener) Drained(*message.Exchange)           { l.calls += "drained " }
func (l *listener) Expired(*message.Exchange)           { l.calls += "expired " }
func (l *listener) Gone(*message.Exchange)              { l.calls += "gone " }

// TestDeclineAllocatesNothing: responses that are not coded cost no memory, whatever the reason.
func TestDeclineAllocatesNothing(t *testing.T) {
	m := newCompressor(Config{})
	body := make([]byte, 4096)
	for name, set := range map[string]func(r *message.Response) choice{
		"no accept": func(*message.Response) choice { return choice(identity) },
		"small":     func(r *message.Response) choice { r.Body = body[:100]; return choice(gzipped) },
		"image": func(r *message.Response) choice {
			r.Type = message.ContentNone
			r.AddField("content-type", "image/png")
			return choice(gzipped)
		},
		"coded": func(r *message.Response) choice { r.AddField("content-encoding", "br"); return choice(gzipped) },
	} {
		x := &message.Exchange{}
		x.Reset()
		b := &silent{}
		n := testing.AllocsPerRun(100, func() {
			x.Response.Reset()
			x.Stream = b
			x.Response.Type, x.Response.Body = message.ContentJSON, body
			m.decide(x, set(&x.Response))
			x.Stream.Respond(x)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

type silent struct{ message.Stream }

func (*silent) Respond(*message.Exchange) {}

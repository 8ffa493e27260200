package frame

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/message"
)

// The flag writes testdata/*.golden anew. The files are read by the tests of the C extension, too.

var update = flag.Bool("update", false, "write the golden files anew")

// sampleRequest is a request with everything in it.
func sampleRequest() (*message.Request, []message.Span) {
	var r message.Request
	r.Reset()
	add := func(s string) message.Span {
		r.Head = append(r.Head, s...)
		return message.Span{Off: uint32(len(r.Head) - len(s)), Len: uint32(len(s))}
	}
	r.Method, r.Version = message.MethodPost, message.HTTP11
	r.Target = add("/users/42?limit=7")
	r.Query = message.Span{Off: r.Target.Off + 10, Len: 7}
	add(" HTTP/1.1\r\n")
	for i, f := range [][2]string{{"Host", "shop.example"}, {"Content-Type", "application/json"}, {"X-Empty", ""}, {"Content-Length", "8"}} {
		name := add(f[0])
		add(": ")
		value := add(f[1])
		add("\r\n")
		r.Fields = append(r.Fields, message.Field{Name: name, Value: value})
		for h := range message.HotCount {
			if strings.EqualFold(h.String(), f[0]) {
				r.HotFields[h] = int16(i)
			}
		}
	}
	r.Authority = r.Fields[0].Value
	r.Path = add("/users/42")
	r.RawPath = message.Span{Off: r.Target.Off, Len: 9}
	r.ContentLength, r.Body, r.BodyComplete = 8, []byte(`{"a": 1}`), true
	r.Remote, r.Local = netip.MustParseAddrPort("192.0.2.7:40000"), netip.MustParseAddrPort("192.0.2.1:8000")
	return &r, []message.Span{{Off: r.Path.Off + 7, Len: 2}}
}

type golden struct {
	name, input string
	bytes       []byte
}

func goldens() []golden {
	id := [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	r, params := sampleRequest()
	request := make([]byte, SizeRequest(r, len(params), true))
	PutRequest(request, Head{Type: TypeRequest, Route: 3, Slot: 5, Generation: 9}, id, r, params, true)
	streamed, _ := sampleRequest()
	streamed.ContentLength, streamed.Body, streamed.BodyComplete, streamed.ExpectContinue = -1, nil, false, true
	streamed.Version, streamed.TLS, streamed.PathEscaped = message.HTTP2, true, true
	streamed.Remote, streamed.Local = netip.MustParseAddrPort("[2001:db8::7]:40000"), netip.MustParseAddrPort("[2001:db8::1]:443")
	follows := make([]byte, SizeRequest(streamed, 0, false))
	PutRequest(follows, Head{Type: TypeRequest, Route: 65535, Slot: 1, Generation: 1}, id, streamed, nil, false)
	piece := func(t byte, data string) []byte {
		f := make([]byte, SizePiece(len(data)))
		PutPiece(f, Head{Type: t, Slot: 5, Generation: 9}, []byte(data))
		return f
	}
	signal := func(t byte, v uint32) []byte {
		f := make([]byte, SignalSize)
		PutSignal(f, Head{Type: t, Slot: 5, Generation: 9}, v)
		return f
	}
	end := func(t, flags byte) []byte {
		f := make([]byte, HeadSize)
		PutEnd(f, Head{Type: t, Flags: flags, Slot: 5, Generation: 9})
		return f
	}
	trailer := func() []byte {
		var r message.Request
		r.TrailerHead = []byte("Checksum: 7X-Empty:")
		r.Trailer = []message.Field{
			{Name: message.Span{Len: 8}, Value: message.Span{Off: 10, Len: 1}},
			{Name: message.Span{Off: 11, Len: 7}, Value: message.Span{Off: 19}},
		}
		f := make([]byte, SizeBodyEnd(&r))
		PutBodyEnd(f, Head{Type: TypeBodyEnd, Slot: 5, Generation: 9}, &r)
		return f
	}
	sg := "slot 5\ngeneration 9\n"
	fields := "method POST\ntarget /users/42?limit=7\npath /users/42\nquery limit=7\nauthority shop.example\n" +
		"field Host: shop.example\nfield Content-Type: application/json\nfield X-Empty:\nfield Content-Length: 8\n" +
		"id 000102030405060708090a0b0c0d0e0f\n"
	return []golden{
		{"request", "route 3\n" + sg + "version 11\ncontent_length 8\nbody {\"a\": 1}\nparam 42\nremote 192.0.2.7:40000\nlocal 192.0.2.1:8000\n" + fields, request},
		{"request-streamed", "route 65535\nslot 1\ngeneration 1\nversion 20\ncontent_length -1\nflags BODY_FOLLOWS TLS PATH_ESCAPED EXPECT\nremote [2001:db8::7]:40000\nlocal [2001:db8::1]:443\n" + fields, follows},
		{"body", sg + "data hello\n", piece(TypeBody, "hello")},
		{"bodyend", sg + "reason 0\n", signal(TypeBodyEnd, ReasonComplete)},
		{"bodyend-trailer", sg + "reason 0\nfield Checksum: 7\nfield X-Empty:\n", trailer()},
		{"cancel", sg + "reason 2\n", signal(TypeCancel, ReasonTimeout)},
		{"credit", sg + "bytes 65536\n", signal(TypeCredit, 65536)},
		{"want", sg + "bytes 262144\n", signal(TypeWant, 262144)},
		{"response", sg + "status 201\ntype 1\nlength -1\nfield location: /users/7\nfield x-empty:\nbody {\"id\":7}\n",
			AppendResponse(nil, Head{Type: TypeResponse, Slot: 5, Generation: 9}, 201, message.ContentJSON, -1, []byte(`{"id":7}`), "location", "/users/7", "x-empty", "")},
		{"start", sg + "flags CLOSE\nstatus 200\ntype 2\nlength 1048576\n",
			AppendResponse(nil, Head{Type: TypeStart, Flags: FlagClose, Slot: 5, Generation: 9}, 200, message.ContentText, 1<<20, nil)},
		{"chunk", sg + "data 0123456789\n", piece(TypeChunk, "0123456789")},
		{"end", sg, end(TypeEnd, 0)},
		{"end-trailer", sg + "field checksum: 7\nfield x-empty:\n",
			AppendEnd(nil, Head{Type: TypeEnd, Slot: 5, Generation: 9}, "checksum", "7", "x-empty", "")},
		{"inform", sg + "status 103\ntype 0\nlength -1\nfield link: </a.css>\n",
			AppendResponse(nil, Head{Type: TypeInform, Slot: 5, Generation: 9}, 103, 0, -1, nil, "link", "</a.css>")},
		{"end-aborted", sg + "flags ABORTED\n", end(TypeEnd, FlagAborted)},
		{"cancelled", sg, end(TypeCancelled, 0)},
		{"error", sg + "status 422\ncode validation_failed\nmessage the request has invalid parameters\ndetails [{\"place\":\"path.id\"}]\nfield retry-after: 1\n",
			AppendError(nil, Head{Type: TypeError, Slot: 5, Generation: 9}, 422, "validation_failed", "the request has invalid parameters", `[{"place":"path.id"}]`, "retry-after", "1")},
	}
}

func (g golden) text() []byte {
	var b bytes.Buffer
	b.WriteString(g.input + "--\n")
	for at := 0; at < len(g.bytes); at += 16 {
		line := g.bytes[at:min(at+16, len(g.bytes))]
		fmt.Fprintf(&b, "%04x %s\n", at, hex.EncodeToString(line))
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	for _, g := range goldens() {
		path := filepath.Join("testdata", g.name+".golden")
		if *update {
			if err := os.WriteFile(path, g.text(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, g.text()) {
			t.Errorf("%s:\n%s\nwant\n%s", g.name, g.text(), want)
		}
	}
}

package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestReader(t *testing.T) {
	ok := ask{Status: 200, Body: []byte("hello world")}
	for _, c := range []struct {
		name string
		ask  ask
		in   string
		rest string
		err  string
	}{
		{"length", ok, "HTTP/1.1 200 OK\r\nDate: x\r\ncontent-length: 11\r\n\r\nhello world", "", ""},
		{"two", ok, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello worldHTTP/1.1 ", "HTTP/1.1 ", ""},
		{"chunks", ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\nA: b\r\n\r\nZ", "Z", ""},
		{"no chunk", ask{Status: 200, Empty: true}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", ""},
		{"any body", ask{Status: 422}, "HTTP/1.1 422 X\r\nContent-Length: 3\r\n\r\nabc", "", ""},
		{"no body where one must be", ask{Status: 404}, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "", "longer or shorter"},
		{"none by status", ask{Status: 204, Empty: true}, "HTTP/1.1 204 X\r\n\r\nZ", "Z", ""},
		{
			"gzip time", ask{Status: 200, Gzip: true, Body: []byte("\x1f\x8b\x08\x00AAAA\x00\xffrest")},
			"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n\x1f\x8b\x08\x00BCDE\x00\xffrest", "", "",
		},
		{
			"gzip content", ask{Status: 200, Gzip: true, Body: []byte("\x1f\x8b\x08\x00AAAA\x00\xffrest")},
			"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n\x1f\x8b\x08\x00AAAA\x00\xffresT", "", "another body",
		},
		{"status", ok, "HTTP/1.1 500 X\r\nContent-Length: 11\r\n\r\nhello world", "", "status 500"},
		{"body", ok, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello_world", "", "another body"},
		{"too short", ok, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello worl", "", "longer or shorter"},
		{"too long", ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\nhello world!\r\n0\r\n\r\n", "", "longer or shorter"},
		{"chunks too short", ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "", "longer or shorter"},
		{"chunk size", ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "", "not well formed"},
		{"chunk end", ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhe\r\n", "", "not well formed"},
		{"no response", ok, "SSH-2.0-OpenSSH\r\n\r\n", "", "no HTTP/1.1"},
		{"length that is none", ok, "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", "", "no HTTP/1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for split := range len(c.in) + 1 {
				var r reader
				rest, done, err := r.feed([]byte(c.in[:split]), &c.ask)
				if err == nil && !done {
					rest, done, err = r.feed([]byte(c.in[split:]), &c.ask)
				} else {
					rest = append(bytes.Clone(rest), c.in[split:]...)
				}
				switch {
				case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
					t.Fatalf("split at %d: done %v, error %v, want %q", split, done, err, c.err)
				case c.err == "" && (err != nil || !done || string(rest) != c.rest):
					t.Fatalf("split at %d: done %v, rest %q, error %v", split, done, rest, err)
				}
			}
		})
	}
}

func TestReaderUntilTheEnd(t *testing.T) {
	a := ask{Status: 200, Body: []byte("hello")}
	var r reader
	if _, done, err := r.feed([]byte("HTTP/1.0 200 OK\r\n\r\nhello"), &a); done || err != nil || !r.closing {
		t.Fatal(done, err, r.closing)
	}
	if done, err := r.finish(&a); !done || err != nil {
		t.Fatal(done, err)
	}
	r = reader{}
	if _, _, err := r.feed([]byte("HTTP/1.0 200 OK\r\n\r\nhel"), &a); err != nil {
		t.Fatal(err)
	}
	if _, err := r.finish(&a); !errors.Is(err, errLength) {
		t.Fatal(err)
	}
}

func TestReaderAllocatesNothing(t *testing.T) {
	a := ask{Status: 200, Body: []byte("hello world")}
	in := []byte("HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: keep-alive\r\n\r\nhello world")
	var r reader
	if n := testing.AllocsPerRun(100, func() {
		if _, done, err := r.feed(in, &a); !done || err != nil {
			t.Fatal(done, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 20)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 50)
	f.Fuzz(func(t *testing.T, in []byte, split int) {
		a := ask{Status: 200, Body: []byte("hello")}
		var whole, parts reader
		rest, done, err := whole.feed(in, &a)
		split = min(max(split, 0), len(in))
		rest2, done2, err2 := parts.feed(in[:split], &a)
		if err2 == nil && !done2 {
			rest2, done2, err2 = parts.feed(in[split:], &a)
		} else {
			rest2 = append(bytes.Clone(rest2), in[split:]...)
		}
		if done != done2 || (err == nil) != (err2 == nil) || done && !bytes.Equal(rest, rest2) {
			t.Fatalf("whole: %v %v %q; in parts: %v %v %q", done, err, rest, done2, err2, rest2)
		}
	})
}

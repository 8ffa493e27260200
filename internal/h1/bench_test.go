package h1

import (
	"bufio"
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/covetpy/covet/internal/message"
)

const shortGet = "GET /users/42 HTTP/1.1\r\nHost: shop.example\r\n\r\n"

const browserGet = "GET /products/search?q=wool+socks&page=2&sort=price HTTP/1.1\r\n" +
	"Host: shop.example:8000\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://shop.example:8000/products/search?q=wool\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: session=6f1c2b0a9d8e47f5a3b2c1d0e9f8a7b6; theme=dark; _consent=analytics%3D0%26ads%3D0; cart=12-1.77-3\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"Sec-Fetch-Dest: document\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-User: ?1\r\n" +
	"Priority: u=0, i\r\n" +
	"\r\n"

func manyFields() string {
	var b strings.Builder
	b.WriteString("GET / HTTP/1.1\r\nHost: shop.example\r\n")
	for i := range 99 {
		b.WriteString("x-field-" + strconv.Itoa(i) + ": the value of field " + strconv.Itoa(i) + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

func BenchmarkParseHead(b *testing.B) {
	for _, c := range []struct{ name, head string }{
		{"short", shortGet},
		{"browser", browserGet},
		{"100fields", manyFields()},
		{"escaped", strings.Replace(shortGet, "/users/42", "/users/%C3%A9t%C3%A9/../a%2Fb", 1)},
	} {
		in := []byte(c.head)
		b.Run("covet/"+c.name, func(b *testing.B) {
			var p Parser
			var r message.Request
			var l Limits
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if n, _, err := p.ParseHead(&l, &r, in); n != len(in) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
		b.Run("net-http/"+c.name, func(b *testing.B) {
			src := bytes.NewReader(in)
			br := bufio.NewReaderSize(src, 16<<10)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				src.Reset(in)
				br.Reset(src)
				if _, err := http.ReadRequest(br); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkChunks(b *testing.B) {
	in := []byte(strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 16) + "0\r\n\r\n")
	var c Chunks
	var r message.Request
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		c.Reset(nil)
		for rest := in; ; {
			_, n, done, err := c.Next(&r, rest)
			if err != nil {
				b.Fatal(err)
			}
			if rest = rest[n:]; done {
				break
			}
		}
	}
}

func BenchmarkAppendHead(b *testing.B) {
	var r message.Response
	r.Reset()
	r.Type = message.ContentJSON
	r.AddField("x-request-id", "6f1c2b0a9d8e47f5a3b2c1d0e9f8a7b6")
	w := Wire{Version: message.HTTP11, KeepAlive: true, Date: []byte("Sun, 06 Nov 1994 08:49:37 GMT"), Length: 1234}
	dst := make([]byte, 0, HeadBound(&r))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendHead(dst[:0], &r, w)
	}
}

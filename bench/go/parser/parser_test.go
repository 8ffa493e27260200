package parser

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/message"
)

const short = "GET /users/42 HTTP/1.1\r\nHost: shop.example\r\n\r\n"

// browser is what a browser sends when it follows a link.
const browser = "GET /products/17?ref=home&sort=price HTTP/1.1\r\n" +
	"Host: shop.example\r\n" +
	"Connection: keep-alive\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-User: ?1\r\n" +
	"Sec-Fetch-Dest: document\r\n" +
	"Referer: http://shop.example/\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: session=6f1c2b0a9d8e47f5a3b2c1d0e9f8a7b6; theme=dark; consent=1\r\n\r\n"

// hundred is a request with a hundred fields, as many as CovetPy takes by default.
func hundred() string {
	var b strings.Builder
	b.WriteString("GET /many HTTP/1.1\r\nHost: shop.example\r\n")
	for i := range 99 {
		fmt.Fprintf(&b, "X-Field-%02d: the value of field number %d\r\n", i, i)
	}
	b.WriteString("\r\n")
	return b.String()
}

var requests = []struct{ name, head string }{{"short", short}, {"browser", browser}, {"100-fields", hundred()}}

// parsers read a head and say how many fields they found beside Host.
var parsers = []struct {
	name string
	make func(in []byte) func() (host string, err error)
}{
	{"covet", func(in []byte) func() (string, error) {
		var p h1.Parser
		var l h1.Limits
		r := new(message.Request)
		return func() (string, error) {
			n, _, err := p.ParseHead(&l, r, in)
			if err != nil {
				return "", err
			}
			if n != len(in) {
				return "", fmt.Errorf("%d of %d bytes", n, len(in))
			}
			if string(r.Bytes(r.Authority)) != "shop.example" {
				return "", fmt.Errorf("authority %q", r.Bytes(r.Authority))
			}
			return "shop.example", nil
		}
	}},
	{"fasthttp", func(in []byte) func() (string, error) {
		src := bytes.NewReader(in)
		br := bufio.NewReaderSize(src, 16<<10)
		h := new(fasthttp.RequestHeader)
		return func() (string, error) {
			src.Reset(in)
			br.Reset(src)
			if err := h.Read(br); err != nil {
				return "", err
			}
			if string(h.Host()) != "shop.example" {
				return "", fmt.Errorf("host %q", h.Host())
			}
			return "shop.example", nil
		}
	}},
	{"net/http", func(in []byte) func() (string, error) {
		src := bytes.NewReader(in)
		br := bufio.NewReaderSize(src, 16<<10)
		return func() (string, error) {
			src.Reset(in)
			br.Reset(src)
			r, err := http.ReadRequest(br)
			if err != nil {
				return "", err
			}
			return r.Host, nil
		}
	}},
}

// TestParsersAgree sees to it that the benchmark measures parsers that parse.
func TestParsersAgree(t *testing.T) {
	for _, r := range requests {
		for _, p := range parsers {
			parse := p.make([]byte(r.head))
			for range 2 {
				if host, err := parse(); err != nil || host != "shop.example" {
					t.Errorf("%s, %s: host %q, error %v", p.name, r.name, host, err)
				}
			}
		}
	}
}

func BenchmarkHead(b *testing.B) {
	for _, r := range requests {
		for _, p := range parsers {
			b.Run(r.name+"|"+strings.ReplaceAll(p.name, "/", "_"), func(b *testing.B) {
				parse := p.make([]byte(r.head))
				b.SetBytes(int64(len(r.head)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := parse(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

package decompress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet"
)

// TestToHTTP decodes bodies in a server of net/http.
func TestToHTTP(t *testing.T) {
	app := newApp("auto")
	app.Use(New(Config{}))
	echoes(app)
	h, err := covet.ToHTTP(app)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	for _, name := range names {
		for _, body := range [][]byte{[]byte("small"), noise(300 << 10)} {
			coded := encode(t, name, body)
			for _, path := range []string{"/body", "/reader"} {
				for _, chunked := range []bool{false, true} {
					status, answer, _ := post(t, s.URL+path, name, coded, chunked)
					if want := fmt.Sprintf("%d %x||", len(body), sum(body)); status != 200 || !strings.HasPrefix(answer, want) {
						t.Errorf("%s %s %d bytes chunked=%v: %d %.100s", name, path, len(body), chunked, status, answer)
					}
				}
			}
			if status, _, _ := post(t, s.URL+"/body", name, coded[:len(coded)-1], true); status != 400 {
				t.Errorf("%s, cut off: %d", name, status)
			}
		}
	}
}

// TestDrain stops the server in the middle of a body: the rest is read, decoded and answered.
func TestDrain(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			app := newApp("auto")
			app.Use(New(Config{}))
			begun := make(chan bool, 1)
			app.Post("/", func(c *covet.Ctx) error {
				r := c.BodyReader()
				if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
					return err
				}
				begun <- true
				n, err := io.Copy(io.Discard, r)
				if err != nil {
					return err
				}
				return c.Text(200, fmt.Sprint(n+1))
			})
			url, stop := serve(t, app)
			body := noise(1 << 20)
			coded := encode(t, name, body)
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n", name, len(coded))
			half := len(coded) / 2
			if _, err := conn.Write(coded[:half]); err != nil {
				t.Fatal(err)
			}
			<-begun
			stopped := make(chan bool)
			go func() { stop(); close(stopped) }()
			if _, err := conn.Write(coded[half:]); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || string(got) != fmt.Sprint(len(body)) {
				t.Errorf("%d %s, %v", resp.StatusCode, got, err)
			}
			conn.Close()
			<-stopped
		})
	}
}

// Command gnet answers fixed requests on gnet, in the way of its HTTP example: heads are found by their end, the request
// line is all that is read of them, and answers of one read are written at once.
package main

import (
	"bytes"
	"log"
	"os"
	"time"

	"github.com/panjf2000/gnet/v2"
)

type server struct {
	gnet.BuiltinEventEngine
	hello, ok, missing []byte
}

func main() {
	s := &server{
		hello:   []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!"),
		ok:      []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nok"),
		missing: []byte("\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nnot found"),
	}
	log.Fatal(gnet.Run(s, "tcp://"+os.Args[1], gnet.WithMulticore(true), gnet.WithTCPNoDelay(gnet.TCPNoDelay)))
}

func (s *server) OnTraffic(c gnet.Conn) gnet.Action {
	buf, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	var out []byte
	used := 0
	for {
		end := bytes.Index(buf[used:], []byte("\r\n\r\n"))
		if end < 0 {
			break
		}
		head := buf[used : used+end]
		used += end + 4
		status, body := "200 OK", s.missing
		switch {
		case bytes.HasPrefix(head, []byte("GET /plaintext ")):
			body = s.hello
		case bytes.HasPrefix(head, []byte("GET /pipeline ")):
			body = s.ok
		default:
			status = "404 Not Found"
		}
		out = append(out, "HTTP/1.1 "...)
		out = append(out, status...)
		out = append(out, "\r\nServer: gnet\r\nDate: "...)
		out = time.Now().UTC().AppendFormat(out, "Mon, 02 Jan 2006 15:04:05 GMT")
		out = append(out, body...)
	}
	if _, err := c.Discard(used); err != nil {
		return gnet.Close
	}
	if len(out) > 0 {
		if _, err := c.Write(out); err != nil {
			return gnet.Close
		}
	}
	return gnet.None
}

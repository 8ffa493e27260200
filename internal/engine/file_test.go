package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/message"
)

// fileOf returns a file with the content text, and a function that gives the test's reference back and expects that no
// other is left.
func fileOf(t *testing.T, text string) (f *file.File, free func()) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	under, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	f = file.New(under)
	return f, func() {
		t.Helper()
		f.Release()
		if _, err := under.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a reference to the file is left: %v", err)
		}
	}
}

// Files as pieces of bodies, in every framing, with every mistake in their lengths.
func TestFileBody(t *testing.T) {
	const head = " /other HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, c := range []struct {
		name, send string
		status     int
		length     int64 // declared; -1: none
		parts      []int64
		want       string // the end of what the client gets
		without    string
		ended      bool // the connection is over, all bytes or not
		bugs       uint64
	}{
		{"length", "GET" + head, 200, 10, []int64{4, 0, 6}, "\r\n\r\n0123012345", "chunked", false, 0},
		{"chunked", "GET" + head, 200, -1, []int64{4, 0, 6}, "\r\n4\r\n0123\r\n6\r\n012345\r\n0\r\n\r\n", "Content-Length", false, 0},
		{"until the end", "GET /other HTTP/1.0\r\n\r\n", 200, -1, []int64{4, 6}, "\r\n\r\n0123012345", "chunked", true, 0},
		{"HEAD", "HEAD" + head, 200, 10, []int64{4, 6}, "\r\n\r\n", "0123", false, 0},
		{"HEAD of an unknown length", "HEAD" + head, 200, -1, []int64{4, 6}, "\r\n\r\n", "0123", false, 0},
		{"no body by its status", "GET" + head, 304, 10, []int64{4, 6}, "\r\n\r\n", "0123", false, 0},
		{"more than declared", "GET" + head, 200, 7, []int64{4, 6}, "\r\n\r\n0123012", "chunked", true, 1},
		{"less than declared", "GET" + head, 200, 11, []int64{4, 6}, "\r\n\r\n0123012345", "chunked", true, 1},
		{"more than there is", "GET" + head, 200, 20, []int64{20}, "\r\n\r\n0123456789", "chunked", true, 0},
		{"more than there is, chunked", "GET" + head, 200, -1, []int64{20}, "\r\n14\r\n0123456789", "Content-Length", true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, free := fileOf(t, "0123456789")
			r := newRig(t, Config{})
			r.app.other = func(x *message.Exchange) {
				x.Response.Status, x.Response.Length = c.status, c.length
				x.Stream.Start(x)
				for _, n := range c.parts {
					x.Stream.SendFile(x, f, 0, n)
				}
				x.Stream.End(x)
			}
			conn := r.group.Dial()
			got := r.send(conn, c.send)
			if !strings.HasSuffix(got, c.want) || strings.Contains(got, c.without) {
				t.Errorf("received %q", got)
			}
			if over := conn.Finished() || conn.Ended(); over != c.ended {
				t.Errorf("the connection is over: %v", over)
			}
			if n := r.srv.Stats().Bugs; n != c.bugs {
				t.Errorf("%d bugs counted", n)
			}
			if !c.ended {
				if next := r.send(conn, get); !strings.HasSuffix(next, "hello") {
					t.Errorf("the next response: %q", next)
				}
				conn.Reset()
			}
			r.loop.Advance(DefaultLingerTimeout + time.Second)
			r.quiet()
			free()
		})
	}
}

// A client that takes a large file slowly is not given up while it takes some of it, and is when it takes nothing. That
// the exchange is over and the connection idle does not matter.
func TestFileSlowReader(t *testing.T) {
	f, free := fileOf(t, strings.Repeat("f", 1<<20))
	r := newRig(t, Config{IdleTimeout: time.Second, MinRate: 100})
	r.app.other = func(x *message.Exchange) {
		x.Response.Length = 1 << 20
		x.Stream.Start(x)
		if pending := x.Stream.SendFile(x, f, 0, 1<<20); pending < 1<<20 {
			t.Errorf("%d bytes are pending", pending)
		}
		x.Stream.End(x)
	}
	conn := r.group.Dial()
	conn.Window = 1000
	r.send(conn, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 20 {
		r.loop.Advance(DefaultWriteTimeout / 2)
		conn.Window = 100 * int(DefaultWriteTimeout/time.Second)
		r.loop.Settle()
	}
	if conn.Ended() {
		t.Fatal("given up although it reads")
	}
	r.loop.Advance(DefaultWriteTimeout/looks*(looks+1) + time.Second)
	if n := r.srv.Stats().WriteTimeouts; !conn.Aborted() || n != 1 {
		t.Errorf("aborted %v, %d write timeouts", conn.Aborted(), n)
	}
	r.quiet()
	free()
}

package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/covetpy/covet/internal/worker"
)

// A console is how covet reload and covet status reach a running server: a Unix socket in a directory that only the
// user can enter, named after the port. One JSON object a line each way; a connection carries one question.
type console struct {
	listener net.Listener
	path     string
	answer   func(ctx context.Context, q Question) Answer
}

// Question is what is asked of a running server.
type Question struct {
	// Verb is "reload" or "status".
	Verb string `json:"verb"`
}

// Answer is what it says.
type Answer struct {
	// Failure is set when the verb failed; Message alone when there is nothing more to say of it.
	Failure *worker.StartError `json:"failure,omitempty"`
	// Seconds the verb took.
	Seconds float64 `json:"seconds"`
	// Server is what a status answers.
	Server *ServerStatus `json:"server,omitempty"`
}

// ServerStatus is a running server at a glance.
type ServerStatus struct {
	PID       int             `json:"pid"`
	Target    string          `json:"target"`
	Addresses []string        `json:"addresses"`
	Transport string          `json:"transport"`
	Loops     int             `json:"loops"`
	Uptime    float64         `json:"uptime_seconds"`
	Restarts  int64           `json:"worker_restarts"`
	Workers   []worker.Status `json:"workers"`
}

const (
	// consoleQuestionTimeout bounds the arrival of a question.
	consoleQuestionTimeout = 5 * time.Second
	// maxQuestion bounds its size, in bytes.
	maxQuestion = 4 << 10
)

// consoleDir is where the sockets are: the user's runtime directory, else one of the user's own in the temporary
// directory.
func consoleDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "covet")
	}
	return filepath.Join(os.TempDir(), "covet-"+strconv.Itoa(os.Getuid()))
}

// consolePath names the socket of the server on address: by its port, which may stand alone, or for "unix:PATH" by the
// name and a hash of the path, since paths of sockets are short.
func consolePath(address string) string {
	name := address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		h := fnv.New32a()
		_, _ = h.Write([]byte(path)) // never fails
		name = fmt.Sprintf("%s-%08x", filepath.Base(path), h.Sum32())
	} else if _, port, err := net.SplitHostPort(address); err == nil {
		name = port
	}
	return filepath.Join(consoleDir(), filepath.Base(name)+".sock")
}

// openConsole starts answering. A socket that a dead server left behind is replaced, that of a living one is not: two
// servers may have one port on two addresses.
func openConsole(address string, answer func(context.Context, Question) Answer) (*console, error) {
	dir := consoleDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("console directory: %w", err)
	}
	// Someone else may have made the directory first in a shared /tmp: then it is not ours to trust.
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("console directory: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || info.Mode().Perm()&0o077 != 0 || ok && int(st.Uid) != os.Getuid() {
		return nil, fmt.Errorf("console directory %s is not private to this user", dir)
	}
	path := consolePath(address)
	if other, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = other.Close() // it was only asked whether it lives
		return nil, fmt.Errorf("console socket %s belongs to another running server", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("console socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("console socket: %w", err)
	}
	return &console{listener: l, path: path, answer: answer}, nil
}

// serve answers until close. Questions are rare, so each has its goroutine.
func (c *console) serve(ctx context.Context) {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return // closed
		}
		go c.converse(ctx, conn)
	}
}

func (c *console) converse(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(consoleQuestionTimeout)) // fails only on a closed connection: so will the read
	in := bufio.NewScanner(conn)
	in.Buffer(nil, maxQuestion)
	if !in.Scan() {
		return
	}
	var q Question
	if json.Unmarshal(in.Bytes(), &q) != nil {
		return
	}
	begin := time.Now()
	a := c.answer(ctx, q)
	a.Seconds = time.Since(begin).Seconds()
	_ = conn.SetWriteDeadline(time.Now().Add(consoleQuestionTimeout)) // see above
	_ = json.NewEncoder(conn).Encode(a)                               // the asker may have left
}

func (c *console) close() { _ = c.listener.Close() } // removes the socket, too

// Ask puts a question to the server that listens on address (or just its port) and waits for the answer.
func Ask(ctx context.Context, address string, q Question) (Answer, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", consolePath(address))
	if err != nil {
		return Answer{}, fmt.Errorf("no covet server of this user runs on %s", address)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return Answer{}, fmt.Errorf("the server on %s does not listen to questions: %w", address, err)
	}
	var a Answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		if ctx.Err() != nil {
			return Answer{}, fmt.Errorf("the server on %s has not answered in time: %w", address, ctx.Err())
		}
		return Answer{}, fmt.Errorf("the server on %s ended before it answered", address)
	}
	return a, nil
}

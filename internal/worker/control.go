package worker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// RouteTable is what an application serves: the worker's "routes" message.
type RouteTable struct {
	Title   string  `json:"title"`
	Version string  `json:"version"`
	Routes  []Route `json:"routes"`
	// Static are the directories whose files the engine serves by itself.
	Static []StaticDir `json:"static,omitempty"`
}

// StaticDir is a directory that the application has named with app.static.
type StaticDir struct {
	// Path is where its files are found, without a slash at the end unless it is the root; Dir is absolute.
	Path string `json:"path"`
	Dir  string `json:"dir"`
	// The options are those of static.Config.
	Index          string `json:"index"`
	Listing        bool   `json:"listing"`
	Fallback       string `json:"fallback"`
	Dotfiles       bool   `json:"dotfiles"`
	FollowSymlinks bool   `json:"follow_symlinks"`
	Precompressed  bool   `json:"precompressed"`
	CacheControl   string `json:"cache_control"`
	Immutable      bool   `json:"immutable"`
	// File and Line are where it was named.
	File string `json:"file"`
	Line int    `json:"line"`
}

// Route is one Python handler as the engine sees it. See docs/internals/worker-protocol.md.
type Route struct {
	ID      uint16   `json:"id"`
	Methods []string `json:"methods"`
	Path    string   `json:"path"`
	Name    string   `json:"name"`
	Handler string   `json:"handler"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Mode    string   `json:"mode"`
}

// StartError says why a worker could not start: the worker's "failed" message, or what the engine saw itself.
type StartError struct {
	// Stage is "import", "lookup", "routes", "bridge" or "lifespan" from the worker, "interpreter", "timeout",
	// "protocol" or "exit" from the engine.
	Stage string `json:"stage"`
	// Message is one sentence, Hint what to do about it (or empty), Traceback the Python traceback (or empty).
	Message   string `json:"message"`
	Hint      string `json:"hint"`
	Traceback string `json:"traceback"`
}

// Error returns the message.
func (e *StartError) Error() string { return e.Message }

// hello is the worker's first message.
type hello struct {
	PID    int    `json:"pid"`
	Python string `json:"python"`
	Covet  string `json:"covet"`
	Layout int    `json:"layout"`
	Loop   string `json:"loop"`
}

const (
	// maxMessage bounds a line of the control channel, in bytes: a few thousand routes fit.
	maxMessage = 4 << 20
	// controlWriteTimeout bounds the sending of a message to a worker that does not read.
	controlWriteTimeout = 5 * time.Second
)

// event is one message from a worker, decoded: exactly one of the pointers is set, or ready, or drained.
type event struct {
	hello   *hello
	routes  *RouteTable
	failed  *StartError
	ready   bool
	drained bool
}

// complaint is what a failed message says, after a colon; "" for others.
func (e *event) complaint() string {
	if e.failed == nil {
		return ""
	}
	return ": " + e.failed.Message
}

// control is the engine's end of a worker's control channel.
type control struct {
	conn net.Conn
	in   *bufio.Scanner
	mu   sync.Mutex // of writes
}

func newControl(conn net.Conn) *control {
	in := bufio.NewScanner(conn)
	in.Buffer(make([]byte, 0, 4096), maxMessage)
	return &control{conn: conn, in: in}
}

// next waits for the worker's next message. It returns io.EOF when the worker has closed its end.
func (c *control) next() (event, error) {
	if !c.in.Scan() {
		if err := c.in.Err(); err != nil && !errors.Is(err, net.ErrClosed) {
			return event{}, fmt.Errorf("worker control channel: %w", err)
		}
		return event{}, io.EOF
	}
	return decode(c.in.Bytes())
}

func decode(line []byte) (event, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return event{}, fmt.Errorf("worker control channel: message is not JSON: %w", err)
	}
	var e event
	var into any
	switch head.Type {
	case "hello":
		e.hello = new(hello)
		into = e.hello
	case "routes":
		e.routes = new(RouteTable)
		into = e.routes
	case "failed":
		e.failed = new(StartError)
		into = e.failed
	case "ready":
		e.ready = true
		return e, nil
	case "drained":
		e.drained = true
		return e, nil
	default:
		return event{}, fmt.Errorf("worker control channel: unknown message type %q", head.Type)
	}
	if err := json.Unmarshal(line, into); err != nil {
		return event{}, fmt.Errorf("worker control channel: message %q: %w", head.Type, err)
	}
	return e, nil
}

// drain asks the worker to finish what it has, within grace, and exit.
func (c *control) drain(grace time.Duration) error {
	return c.send(struct {
		Type  string  `json:"type"`
		Grace float64 `json:"grace"`
	}{"drain", grace.Seconds()})
}

// stop asks the worker to exit at once.
func (c *control) stop() error {
	return c.send(struct {
		Type string `json:"type"`
	}{"stop"})
}

func (c *control) send(message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("worker control channel: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(controlWriteTimeout)); err != nil {
		return fmt.Errorf("worker control channel: %w", err)
	}
	if _, err := c.conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("worker control channel: %w", err)
	}
	return nil
}

func (c *control) close() error { return c.conn.Close() }

// Package config provides the one typed configuration of the server. Every setting is a command-line flag, an
// environment variable COVET_NAME and a key of the configuration file, in this order of precedence; the struct tags
// here are the only place where its name, default and help stand.
package config

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Config is everything that can be set. Its zero value is not valid: defaults come with parsing.
type Config struct {
	Listen  `embed:"" group:"listen"`
	Workers `embed:"" group:"workers"`
	Limits  `embed:"" group:"limits"`
	Content `embed:"" group:"content"`
	Static  `embed:"" group:"static"`
	Bridge  `embed:"" group:"bridge"`
	Log     `embed:"" group:"log"`
}

// Listen says where and how connections are taken.
type Listen struct {
	Host      string   `help:"Address to listen on." default:"127.0.0.1" env:"COVET_HOST"`
	Port      int      `help:"Port to listen on; 0 takes a free one." default:"8000" env:"COVET_PORT"`
	Bind      []string `help:"Addresses to listen on instead of host and port: host:port or unix:/path; may be repeated." env:"COVET_BIND" placeholder:"ADDRESS"`
	Transport string   `help:"How sockets are driven: auto, uring, epoll or net." default:"auto" enum:"auto,uring,epoll,net" env:"COVET_TRANSPORT"`
	Loops     int      `help:"I/O loops; 0 chooses by the number of cores." default:"0" env:"COVET_LOOPS"`
}

// Workers says which processes run the handlers.
type Workers struct {
	Workers      int           `help:"Worker processes; 0 means one a core." default:"0" env:"COVET_WORKERS" short:"w"`
	Python       string        `help:"Python interpreter; default: $VIRTUAL_ENV, ./.venv, python3 on PATH." env:"COVET_PYTHON" placeholder:"PATH"`
	EventLoop    string        `help:"Event loop of async handlers: auto, asyncio or uvloop." default:"auto" enum:"auto,asyncio,uvloop" env:"COVET_EVENT_LOOP"`
	Threads      int           `help:"Threads a worker for plain def handlers." default:"40" env:"COVET_THREADS"`
	MaxRequests  uint64        `help:"Replace a worker after so many requests; 0 never." default:"0" env:"COVET_MAX_REQUESTS"`
	MaxAge       time.Duration `help:"Replace a worker after so long; 0 never." default:"0" env:"COVET_MAX_AGE"`
	MaxMemory    Size          `help:"Replace a worker over so much resident memory (such as 512M); 0 never." default:"0" env:"COVET_MAX_MEMORY"`
	Jitter       float64       `help:"Vary these three by up to this fraction, so that workers do not retire together." default:"0.1" env:"COVET_JITTER"`
	StartTimeout time.Duration `help:"Give up on an application that is not ready by then." default:"60s" env:"COVET_START_TIMEOUT"`
	DrainTimeout time.Duration `help:"Time that requests in flight get on reload and shutdown." default:"25s" env:"COVET_DRAIN_TIMEOUT"`
	BlockedAfter time.Duration `help:"A handler that holds the event loop for longer takes its worker out of service." default:"1s" env:"COVET_BLOCKED_AFTER"`
	BlockedLimit time.Duration `help:"A handler that holds the event loop for longer has its worker killed and replaced." default:"30s" env:"COVET_BLOCKED_LIMIT"`
}

// Limits bound what a client can ask for.
type Limits struct {
	MaxConnections   int           `help:"Open connections, at most." default:"120000" env:"COVET_MAX_CONNECTIONS"`
	MaxRequestLine   Size          `help:"Longest request line (414 over it)." default:"8K" env:"COVET_MAX_REQUEST_LINE"`
	MaxHead          Size          `help:"Largest request head (431 over it)." default:"32K" env:"COVET_MAX_HEAD"`
	MaxFields        int           `help:"Header fields a request (431 over it)." default:"100" env:"COVET_MAX_FIELDS"`
	MaxBody          Size          `help:"Largest request body (413 over it); 0 for no limit." default:"64M" env:"COVET_MAX_BODY"`
	HeadTimeout      time.Duration `help:"Time for a request head to arrive." default:"10s" env:"COVET_HEAD_TIMEOUT"`
	BodyTimeout      time.Duration `help:"Longest silence within a request body." default:"30s" env:"COVET_BODY_TIMEOUT"`
	MinRate          Size          `help:"Bytes a second that a client must send of a body, or take of a response, on average (408, or the end); 0 for no limit." default:"240" env:"COVET_MIN_RATE"`
	KeepAliveTimeout time.Duration `help:"Idle time of a connection between requests." default:"75s" env:"COVET_KEEP_ALIVE_TIMEOUT"`
	WriteTimeout     time.Duration `help:"Longest time without progress in sending." default:"30s" env:"COVET_WRITE_TIMEOUT"`
	HandlerTimeout   time.Duration `help:"Time for a handler to begin its response (504 over it); 0 for no limit." default:"60s" env:"COVET_HANDLER_TIMEOUT"`
}

// Bridge tunes the way between the engine and its workers: see docs/internals/crossing.md.
type Bridge struct {
	Dispatch  string        `help:"Choice of the worker: prefer-awake, least-loaded or round-robin." default:"prefer-awake" enum:"prefer-awake,least-loaded,round-robin" env:"COVET_DISPATCH"`
	Credit    int           `help:"Requests in flight a worker, at most." default:"1024" env:"COVET_CREDIT"`
	Queue     int           `help:"Requests that may wait for a worker, a loop (503 over it)." default:"1024" env:"COVET_QUEUE"`
	Spin      time.Duration `help:"How long an idle worker looks for work before it sleeps." default:"0" env:"COVET_SPIN"`
	Scheduler string        `help:"Scheduling policy on Linux: auto (batch while the engine is saturated), batch (always, workers too) or other." default:"auto" enum:"auto,batch,other" env:"COVET_SCHEDULER"`
}

// Log says what is written where.
type Log struct {
	LogLevel  string `help:"Least severe level to log: debug, info, warn or error." default:"info" enum:"debug,info,warn,error" env:"COVET_LOG_LEVEL"`
	LogFormat string `help:"Form of the log: text or json." default:"text" enum:"text,json" env:"COVET_LOG_FORMAT"`
}

// Check says in one sentence what is wrong with c, or returns nil.
func (c *Config) Check() error {
	switch {
	case c.Port < 0 || c.Port > 65535:
		return fmt.Errorf("--port must be between 0 and 65535, not %d", c.Port)
	case c.Workers.Workers < 0 || c.Workers.Workers > 1024:
		return fmt.Errorf("--workers must be between 0 and 1024, not %d", c.Workers.Workers)
	case c.Loops < 0 || c.Loops > 256:
		return fmt.Errorf("--loops must be between 0 and 256, not %d", c.Loops)
	case c.Threads < 1 || c.Threads > 10000:
		return fmt.Errorf("--threads must be between 1 and 10000, not %d", c.Threads)
	case c.Credit < 1 || c.Credit > 1<<20:
		return fmt.Errorf("--credit must be between 1 and %d, not %d", 1<<20, c.Credit)
	case c.Queue < 0 || c.Queue > 1<<20:
		return fmt.Errorf("--queue must be between 0 and %d, not %d", 1<<20, c.Queue)
	case c.MaxFields < 1 || c.MaxFields > 1024:
		return fmt.Errorf("--max-fields must be between 1 and 1024, not %d", c.MaxFields)
	case c.MaxHead < 1<<10 || c.MaxHead > 64<<10:
		return errors.New("--max-head must be between 1K and 64K")
	case c.MaxRequestLine < 256 || c.MaxRequestLine > c.MaxHead:
		return errors.New("--max-request-line must be at least 256 bytes and at most --max-head")
	case c.Jitter < 0 || c.Jitter >= 1:
		return fmt.Errorf("--jitter must be at least 0 and less than 1, not %v", c.Jitter)
	case c.Spin < 0 || c.Spin > time.Millisecond:
		return fmt.Errorf("--spin must be between 0 and 1ms, not %v", c.Spin)
	case c.BlockedLimit < c.BlockedAfter:
		return errors.New("--blocked-limit must not be less than --blocked-after")
	case c.MaxConnections < 1:
		return fmt.Errorf("--max-connections must be at least 1, not %d", c.MaxConnections)
	}
	for _, d := range []struct {
		flag string
		v    time.Duration
	}{
		{"head-timeout", c.HeadTimeout}, {"body-timeout", c.BodyTimeout}, {"keep-alive-timeout", c.KeepAliveTimeout},
		{"write-timeout", c.WriteTimeout}, {"start-timeout", c.StartTimeout}, {"drain-timeout", c.DrainTimeout},
		{"blocked-after", c.BlockedAfter},
	} {
		if d.v <= 0 {
			return fmt.Errorf("--%s must be more than 0, not %v", d.flag, d.v)
		}
	}
	for _, address := range c.Bind {
		if err := checkAddress(address); err != nil {
			return fmt.Errorf("--bind: %w", err)
		}
	}
	if c.HandlerTimeout < 0 || c.MaxAge < 0 {
		return errors.New("--handler-timeout and --max-age must not be negative")
	}
	return nil
}

// maxSocketPath is the length that the system allows for the path of a Unix socket (sun_path of unix(7), with the NUL
// at its end).
const maxSocketPath = 107

// checkAddress reports what is wrong with the form of an address. Whether it exists is found by listening on it.
func checkAddress(address string) error {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		switch {
		case path == "":
			return fmt.Errorf("%q lacks the path of the socket: write unix:/path", address)
		case len(path) > maxSocketPath:
			return fmt.Errorf("the path of a Unix socket has at most %d bytes, not %d", maxSocketPath, len(path))
		case strings.Contains(path, "\x00"):
			return fmt.Errorf("%q has a NUL", address)
		}
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is neither host:port nor unix:/path", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("the port of %q is not a number between 0 and 65535", address)
	}
	return nil
}

// Addresses are what to listen on, in the form of transport.Open.
func (l *Listen) Addresses() []string {
	if len(l.Bind) > 0 {
		return l.Bind
	}
	return []string{joinHostPort(l.Host, l.Port)}
}

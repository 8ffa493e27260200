package engine

import (
	"log/slog"
	"time"

	"github.com/covetpy/covet/internal/ascii"
	"github.com/covetpy/covet/internal/h1"
	"github.com/covetpy/covet/internal/transport"
)

// Config tunes a Server. The zero value works. A duration or number of 0 stands for its default, a negative
// duration takes the bound away.
type Config struct {
	// Transport is the kind of loops: "auto" (or empty), "uring", "epoll" or "net".
	Transport string
	// Loops is the number of I/O loops; 0 means 1.
	Loops int
	// Limits bound what a request may be.
	Limits h1.Limits
	// MaxConns bounds the open connections; 0 leaves it to the transport.
	MaxConns int
	// MaxInline is the largest body, in bytes, that is handed to the handler whole; larger ones stream.
	MaxInline int
	// MaxRequestsPerConn closes a connection after so many requests; 0 means no bound.
	MaxRequestsPerConn int

	// HeadTimeout bounds the time from the first byte of a request to the end of its head, and from the accept of a
	// connection to its first byte.
	HeadTimeout time.Duration
	// BodyTimeout bounds the time without a byte while a body is wanted.
	BodyTimeout time.Duration
	// MinRate is the rate, in bytes a second and averaged over some seconds, below which a client is given up that sends
	// a wanted body or takes output. 0 stands for the default, a negative rate takes the bound away.
	MinRate int64
	// IdleTimeout bounds the time between two requests of a connection.
	IdleTimeout time.Duration
	// WriteTimeout bounds the time in which a client takes no output although there is some.
	WriteTimeout time.Duration
	// HandlerTimeout bounds the time from the end of a request's head to the start of its response, unless the
	// handler sets its own deadline.
	HandlerTimeout time.Duration
	// LingerTimeout bounds the time in which input is still read and thrown away after the last response of a
	// connection, or after a response that did not wait for the request's body.
	LingerTimeout time.Duration
	// HalfCloseTimeout bounds the time until the response starts after the client has closed its sending side, and from
	// then on the time in which a streamed response sends nothing. A client that has left looks just like one that still
	// wants the response: when the time has passed it counts as gone, and the handler is cancelled.
	HalfCloseTimeout time.Duration
	// DrainGrace is how long Drain leaves idle connections open: a request that is already under way to us is
	// answered, with Connection: close, instead of lost.
	DrainGrace time.Duration

	// ServerName is the value of the Server field of every final response; empty for none. One that is no field
	// value, because it holds a line end or the like, is ignored.
	ServerName string
	// Logger gets what only the operator can mend; nil means slog.Default.
	Logger *slog.Logger
	// Wall is the source of calendar time for Date and error bodies; nil means time.Now.
	Wall func() time.Time
}

// The defaults of Config.
const (
	DefaultMaxInline      = 64 << 10 // frame.MaxInline: what one frame to a worker carries
	DefaultHeadTimeout    = 10 * time.Second
	DefaultBodyTimeout    = 30 * time.Second
	DefaultMinRate        = 240              // the slowest modem; and a body of MaxInline is there within five minutes
	DefaultIdleTimeout    = 75 * time.Second // longer than the 60 s of usual proxies: they close first, so no request is lost
	DefaultWriteTimeout   = 30 * time.Second
	DefaultHandlerTimeout = 60 * time.Second
	DefaultLingerTimeout  = 2 * time.Second
	// What sends a request, closes its side and waits is a script with a quick question.
	DefaultHalfCloseTimeout = time.Second
	DefaultDrainGrace       = 250 * time.Millisecond
)

const (
	// maxDiscard is how much of an unwanted request body is read and thrown away so that the connection can be used
	// again: cheaper than a new connection up to about here.
	maxDiscard = 256 << 10
	// maxLinger is how much input is thrown away after the last response; beyond it reading stops until the time
	// for lingering is over.
	maxLinger = 8 << 20
	// highWater is the output, in bytes, over which further requests of a connection wait: a client that asks but
	// does not read must not fill the memory.
	highWater = 256 << 10
	// maxPiece is the most of a request body that is delivered at once: PauseBody takes effect between pieces.
	maxPiece = 32 << 10
	// maxBatch is the most requests of one connection that are answered in one turn, so that others get theirs.
	maxBatch = 128
	// headSlack is room for the line end that may precede a request (RFC 9112 section 2.2), and for the bytes that
	// show a head to be too long.
	headSlack = 4 << 10
	// defaultHead is the default of h1.Limits.Head.
	defaultHead = 32 << 10
)

func orDefault(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	} else if *d < 0 {
		*d = 0
	}
}

// withDefaults returns c with every default filled in; from then on a duration of 0 means no bound.
func (c Config) withDefaults() Config {
	if c.Transport == "" {
		c.Transport = "auto"
	}
	if c.Loops <= 0 {
		c.Loops = 1
	}
	if c.MaxInline <= 0 {
		c.MaxInline = DefaultMaxInline
	}
	orDefault(&c.HeadTimeout, DefaultHeadTimeout)
	orDefault(&c.BodyTimeout, DefaultBodyTimeout)
	if c.MinRate == 0 {
		c.MinRate = DefaultMinRate
	}
	orDefault(&c.IdleTimeout, DefaultIdleTimeout)
	orDefault(&c.WriteTimeout, DefaultWriteTimeout)
	orDefault(&c.HandlerTimeout, DefaultHandlerTimeout)
	orDefault(&c.LingerTimeout, DefaultLingerTimeout)
	orDefault(&c.HalfCloseTimeout, DefaultHalfCloseTimeout)
	orDefault(&c.DrainGrace, DefaultDrainGrace)
	if !ascii.IsValue(c.ServerName) {
		c.ServerName = ""
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	return c
}

// transportConfig derives the loops' limits. A session waits for a whole head and a whole small body, so the unread
// input must have room for both.
func (c *Config) transportConfig() transport.Config {
	head := c.Limits.Head
	if head <= 0 {
		head = defaultHead
	}
	return transport.Config{
		Loops:    c.Loops,
		MaxInput: head + c.MaxInline + headSlack,
		MaxConns: c.MaxConns,
	}
}

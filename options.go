package covet

import (
	"log/slog"
	"time"
)

// Option changes an App.
type Option func(*settings)

// settings are what the options set, with their defaults.
type settings struct {
	log         *slog.Logger
	health      bool
	concurrency int
	queue       int
	drain       time.Duration
	transport   string
	loops       int
}

const (
	// A pooled handler that blocks on a database or another service holds one goroutine: 512 is what those
	// bear, and 4 MiB of stacks.
	defaultConcurrency = 512
	// The queue in front of the pool takes a burst of twice that; what is beyond would only wait to time out.
	defaultQueue = 1024
	// Orchestrators commonly kill after 30 s; the stop hooks need a part of that.
	defaultDrain = 25 * time.Second
)

func defaults() settings {
	return settings{
		log: slog.Default(), health: true, concurrency: defaultConcurrency, queue: defaultQueue,
		drain: defaultDrain, transport: "auto",
	}
}

// WithLogger sets where the app logs; the default is slog.Default() at the time of New.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.log = l } }

// WithoutHealth leaves /healthz and /readyz to the app's own routes. A route of one of these exact patterns also
// replaces the built-in one by itself.
func WithoutHealth() Option { return func(s *settings) { s.health = false } }

// WithConcurrency bounds the pooled handlers that run at once (default 512) and those that wait for a goroutine
// (default 1024). A request that finds the queue full is answered 503 with Retry-After.
func WithConcurrency(running, waiting int) Option {
	return func(s *settings) { s.concurrency, s.queue = max(running, 1), max(waiting, 1) }
}

// WithDrainTimeout bounds how long Run and Serve wait for open requests when they end; default 25 s.
func WithDrainTimeout(d time.Duration) Option { return func(s *settings) { s.drain = d } }

// WithTransport chooses the I/O of Run and Serve: "auto" (the default), "uring", "epoll" or "net".
func WithTransport(kind string) Option { return func(s *settings) { s.transport = kind } }

// WithLoops sets how many I/O loops Run and Serve use; 0 lets the engine choose.
func WithLoops(n int) Option { return func(s *settings) { s.loops = n } }

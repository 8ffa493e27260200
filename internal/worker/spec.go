package worker

import (
	"time"

	"github.com/covetpy/covet/internal/lossy"
)

// Spec says what worker processes run and how many of them. Zero values stand for the defaults named.
type Spec struct {
	// Python is the interpreter to start: an absolute path, see FindPython.
	Python string
	// Target is the application, "module:attribute" or "path/to/file.py:attribute".
	Target string
	// Dir goes first on sys.path and is where workers run; empty is the engine's working directory.
	Dir string
	// Workers is the number of processes; 0 means 1.
	Workers int
	// Threads is the size of a worker's pool for plain functions; 0 means 40.
	Threads int
	// EventLoop is "auto", "asyncio" or "uvloop"; empty means "auto".
	EventLoop string
	// Spin is how long a worker looks for work before it sleeps; 0 never.
	Spin time.Duration
	// SchedBatch asks for SCHED_BATCH in workers.
	SchedBatch bool
	// Dev is development mode.
	Dev bool
	// Stdout and Stderr carry what workers write there; nil means that they inherit this process's, and then wait for
	// whoever reads it.
	Stdout, Stderr *lossy.Writer
	// RingBytes is the size of each ring, a power of two; 0 means 512 KiB: three of the largest frames.
	RingBytes int
}

// Policy says when workers are started, watched, replaced and given up. Zero values stand for the defaults named.
type Policy struct {
	// StartTimeout bounds the time from the start of a process to its ready message; 0 means 60 s.
	StartTimeout time.Duration
	// DrainTimeout is how long a worker may take for the requests it has; 0 means 30 s.
	DrainTimeout time.Duration
	// ExitTimeout is how long a worker that has nothing in flight any more may take to shut down its lifespan and
	// exit; 0 means 15 s.
	ExitTimeout time.Duration
	// BlockedAfter is how long one handler step may hold the event loop before the worker counts as Busy; 0 means 1 s.
	BlockedAfter time.Duration
	// BlockedLimit is how long it may do so before the worker is killed and replaced; 0 means 30 s.
	BlockedLimit time.Duration
	// MaxRequests, MaxAge and MaxMemory (bytes of resident memory) retire a worker after a replacement is ready;
	// 0 never. Each is varied by up to Jitter of itself (0 means 0.1), so that workers do not retire together.
	MaxRequests uint64
	MaxAge      time.Duration
	MaxMemory   int64
	Jitter      float64
	// BackoffMin and BackoffMax bound the pause before a worker that died is started again; it doubles with each
	// death and starts afresh after a worker has lived for BackoffReset. 0 means 100 ms, 30 s and 60 s.
	BackoffMin, BackoffMax, BackoffReset time.Duration
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (s *Spec) fill() {
	orDefault(&s.Workers, 1)
	orDefault(&s.Threads, 40)
	orDefault(&s.EventLoop, "auto")
	orDefault(&s.RingBytes, 512<<10)
}

func (p *Policy) fill() {
	orDefault(&p.StartTimeout, 60*time.Second)
	orDefault(&p.DrainTimeout, 30*time.Second)
	orDefault(&p.ExitTimeout, 15*time.Second)
	orDefault(&p.BlockedAfter, time.Second)
	orDefault(&p.BlockedLimit, 30*time.Second)
	orDefault(&p.Jitter, 0.1)
	orDefault(&p.BackoffMin, 100*time.Millisecond)
	orDefault(&p.BackoffMax, 30*time.Second)
	orDefault(&p.BackoffReset, time.Minute)
}

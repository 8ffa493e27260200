// Package transport is the contract between the loops that own sockets and the engine above them.
//
// Three packages keep it: ringloop (io_uring), epollloop (epoll) and netloop (package net). One contract test
// runs over all of them.
//
// # Ownership
//
// A [Loop] is one goroutine. Everything that concerns one of its connections happens on it: every call of a
// [Session], every method of a [Conn], every [Source] and every timer. The only things that other goroutines may
// do are [Loop.Post] and what is documented as safe. Nothing that runs on a loop may block.
package transport

import (
	"errors"
	"net/netip"
	"time"

	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mailbox"
)

// Loop owns a set of connections and runs everything that concerns them.
//
// A turn of a loop is: take socket events and deliver them, run posted tasks, fire due timers, Poll every Source,
// then Flush every Source, then hand all output to the kernel. Only when a turn found nothing does the loop ask its
// Sources to PrepareSleep and then block, at most until the next timer.
type Loop interface {
	mailbox.Executor // Post: from any goroutine

	// Index is the loop's place among the loops of its server, from 0.
	Index() int

	// Now is the loop's cached instant. It is refreshed every turn, and within long batches.
	Now() clock.Instant

	// Schedule arms t to fire at (not before) the instant at; an armed timer is moved. Unschedule disarms it.
	// A timer fires on the loop, once, and may schedule itself again.
	Schedule(t *clock.Timer, at clock.Instant)
	Unschedule(t *clock.Timer)

	// Attach adds a source of work beside the sockets, woken by a readable descriptor (an eventfd, or a pipe):
	// the loop consumes the doorbell's count or bytes as its mechanism needs it. The descriptor stays the caller's,
	// who must Detach before closing it. Attach may be called in Source callbacks of other sources.
	Attach(s Source, doorbell int) error
	Detach(s Source)
}

// Source is work that reaches a loop by shared memory instead of a socket: the bridge. It is called on the loop.
type Source interface {
	// Poll does the work that has arrived and reports whether there was any. It does a bounded amount a call;
	// a loop whose source returned true takes another turn before it sleeps.
	Poll() (worked bool)
	// Flush ends a turn: whatever was written during it is published once, and the other side's doorbell is rung
	// if it sleeps. It is called every turn and must be cheap when there is nothing to do.
	Flush()
	// PrepareSleep announces to the other side that this loop is about to block, and looks once more.
	// False means that work came meanwhile: the loop does not block and takes another turn (and calls Awake first).
	PrepareSleep() (mayBlock bool)
	// Awake withdraws the announcement, after the loop has blocked or was told not to.
	Awake()
}

// Acceptor makes the session of a new connection, on the connection's loop.
type Acceptor interface {
	// Accept returns the session that gets the connection's events. It may use the Conn at once.
	// A nil Session refuses the connection: the transport closes it without a word.
	Accept(c Conn) Session
}

// Session is the upper side of one connection. All calls come on the connection's loop.
type Session interface {
	// Data offers the unread input: what the session did not consume before, followed by what has arrived since,
	// in one contiguous slice that is valid (and may be modified in place) until Data returns.
	// It returns how many bytes were consumed. The transport keeps the rest in a pooled buffer that grows up to
	// Config.MaxInput; at that size it stops reading, so a session that waits for a message larger than that would
	// wait for ever: it must fail the message instead. Data is called again when more arrives, and after Resume.
	// While reading is paused Data is not called.
	Data(in []byte) (consumed int)

	// EOF tells that the peer closed its sending side; unread input has been offered before. Output still works.
	// A session that has nothing more to send closes the connection here.
	EOF()

	// Drained tells that all output has been taken by the kernel, after it was not: see Conn.Pending.
	Drained()

	// Closed is the last call: the connection is gone and the Conn must not be used again. Err is nil after
	// Conn.Close, else why: an error of the socket, such as a reset by the peer, or ErrAborted.
	Closed(err error)
}

// Conn is the lower side of one connection. All methods are called on its loop. Output is a bounded-by-the-caller
// queue of pooled buffers: a Conn never blocks and never refuses bytes, so a session watches Pending.
//
// No method of a Conn calls its session: what follows from a method reaches the session later in the turn, or in the
// next one. After Close or Abort a Conn ignores output.
type Conn interface {
	Loop() Loop
	// ID is unique in the process for as long as it lives.
	ID() uint64
	// Remote and Local are the addresses of the socket; the zero AddrPort for a Unix socket.
	Remote() netip.AddrPort
	Local() netip.AddrPort

	// Reserve returns an empty slice of capacity ≥ n at the end of the output, to append to within the capacity.
	// It is valid until the next method of this Conn. Commit takes the first n bytes appended to it.
	// Reserve(n) works for any n ≤ MaxReserve.
	Reserve(n int) []byte
	Commit(n int)
	// Write copies p to the end of the output.
	Write(p []byte)
	// SendFile puts n bytes of f, from the offset off, at the end of the output. The Conn takes a reference of its own
	// and gives it back when the bytes are sent or the connection is gone; a small part that is in memory may be copied
	// at once. A file that turns out to be shorter ends the connection with ErrShortFile: what follows would be read as
	// the missing bytes. One that cannot be read ends it with that error. So does Pending when it would grow beyond what
	// an int counts, by an Abort.
	SendFile(f *file.File, off, n int64)
	// Pending is the number of output bytes that the kernel has not taken, those of files included.
	Pending() int
	// Unacknowledged is the number of output bytes that the kernel has taken and the peer has not acknowledged: what a
	// slow client has not got yet lies here, and it may be megabytes. 0 where the system does not tell, and on Unix
	// sockets. It costs a system call.
	Unacknowledged() int
	// Output leaves at the end of the turn, all of it in as few submissions as possible; nothing needs to be called.

	// Pause stops calls of Data and EOF, and soon stops reading from the socket. Resume allows them again, and offers
	// unread input to Data before the turn ends, but never from inside Resume.
	Pause()
	Resume()

	// CloseWrite sends FIN after the pending output. Input is still delivered.
	CloseWrite()
	// Close closes the connection after the pending output has been taken by the kernel. No more Data, EOF or Drained.
	Close()
	// Abort closes the connection now, dropping pending output, with a reset where the system offers it.
	Abort()
}

// ErrAborted is what Session.Closed gets after Conn.Abort and after Group.Close.
var ErrAborted = errors.New("transport: the connection was aborted")

// ErrShortFile is what Session.Closed gets when a file had fewer bytes than SendFile was told.
var ErrShortFile = errors.New("transport: a file is shorter than what was to be sent of it")

// Buffered is what a Loop may offer beside the contract for tests and metrics. Call it on the loop.
type Buffered interface {
	// Buffers is the number of pooled buffers that connections of the loop hold: 0 when all of them are idle.
	Buffers() int
}

// MaxReserve is the largest n for Conn.Reserve, in bytes: a response head of the greatest size allowed fits.
const MaxReserve = 256 << 10

// LastAccepts bounds the connections that a listener still accepts when it is closed: the length of the kernel's queue
// of a Linux system that nobody has tuned (net.core.somaxconn).
const LastAccepts = 4096

// Config tunes a group of loops. The zero value works: see the defaults.
type Config struct {
	// Loops is the number of loops; 0 means 1.
	Loops int
	// MaxInput bounds the unread input of a connection, in bytes; 0 means 64 KiB + 16 KiB: the largest small body
	// and a head.
	MaxInput int
	// MaxConns bounds the open connections of the group; 0 means 120,000. A connection over it is closed at once.
	MaxConns int
	// AcceptBackoff is how long accepting pauses after the process ran out of descriptors; 0 means 100 ms.
	AcceptBackoff time.Duration
	// ZeroCopy is the least output, in bytes, that is sent from where it lies instead of being copied to the kernel;
	// 0 means that all is copied. It needs io_uring and TCP, and is ignored elsewhere. Until the peer has acknowledged
	// such output nothing behind it is sent, and a Close waits: for ever, if nobody bounds that by an Abort.
	ZeroCopy int
}

// Group is a set of loops of one kind that share listeners.
type Group interface {
	// Kind is "uring", "epoll" or "net".
	Kind() string
	// Loops returns the loops, by index. They run from the group's construction to Close.
	Loops() []Loop
	// Listen starts accepting on a listening socket that the caller opened. The group takes its ownership.
	// Connections are spread over the loops. It may be called several times, from any goroutine.
	Listen(l Listener, a Acceptor) error
	// StopListening closes all listeners; connections live on. What the kernel has accepted for them by then, up to
	// LastAccepts a listener, becomes connections first: closing would reset it. Safe from any goroutine, not on a loop;
	// it returns when done, and a task posted to a loop after that runs after those connections' Accept.
	StopListening()
	// Close aborts every connection, stops every loop and frees what they held. It returns when done.
	Close() error
}

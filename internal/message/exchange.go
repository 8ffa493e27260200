package message

import (
	"time"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/mailbox"
)

// Exchange is one request and its response, from the end of the request head to the last byte of the response.
//
// # Lifetime
//
// The engine takes an Exchange from its loop's pool, calls Handler.Serve on the loop, and takes it back when the
// response is complete or the client is gone. The handler side may use it until it has called Respond, End or Abort,
// or until Receiver.Gone has returned, and never afterwards. Whoever keeps a reference beyond that (a worker's answer
// may come late) must check Generation, which grows every time the Exchange is reused.
//
// # Goroutine
//
// Every method and field belongs to the loop, unless the handler side has taken the exchange off the loop
// (after Detach): then Request and Response may be used by one other goroutine, until it posts Task.
type Exchange struct {
	Request  Request
	Response Response

	// Stream is the protocol's side. Receiver is the handler's side: set by a handler whose Serve returns before
	// the response is complete.
	Stream   Stream
	Receiver Receiver

	// Loop is the index of the loop that owns the exchange, Executor the loop itself.
	Loop     int
	Executor mailbox.Executor
	// Task is for the one goroutine that holds a detached exchange, to come back to the loop.
	Task mailbox.Task

	// RequestID names the exchange in logs and error bodies: 16 bytes, shown as 32 hex digits.
	RequestID [16]byte
	// Generation grows each time the Exchange is taken from the pool.
	Generation uint32

	// App is for the layer above: it points to the Ctx that belongs to this Exchange and is kept across reuse.
	App any
	// Link is for the handler side that answers asynchronously (a slot of the bridge). Zeroed on reuse.
	Link Link

	detached []byte
}

// Link is the place of an exchange at whoever answers it.
type Link struct {
	// Owner is the link that holds the exchange, nil if none.
	Owner any
	// Slot is the place there.
	Slot uint32
}

// Handler answers exchanges.
type Handler interface {
	// Serve is called on the exchange's loop when its head is there (and its body, if it is small or complete).
	// It must not block. Before it returns it either completes the response (Stream.Respond), or starts it, or sets
	// Receiver and sees to it that the response is completed later.
	Serve(x *Exchange)
}

// Stream is the protocol's side of an exchange: an HTTP/1.1 connection or one HTTP/2 stream.
// All methods are called on the loop.
//
// Middleware may stand in its place: it sets Exchange.Stream to a Stream that embeds the one before and changes what
// passes through it, in a Before function or, for the response, in an After function.
type Stream interface {
	// Respond sends x.Response whole and ends the exchange: x is back in its pool when it returns.
	Respond(x *Exchange)
	// Start sends the head of a response whose body follows by Write and End.
	Start(x *Exchange)
	// Write sends a piece of the body; p is copied. It returns how many bytes of output the kernel has not taken:
	// over its own bound the caller stops and waits for Receiver.Drained.
	Write(x *Exchange, p []byte) (pending int)
	// SendFile sends n bytes of f from the offset off as a piece of the body, as Write does for bytes. The stream takes
	// a reference of its own.
	SendFile(x *Exchange, f *file.File, off, n int64) (pending int)
	// End completes the response; x is back in its pool when it returns.
	End(x *Exchange)
	// Abort ends the exchange without a (complete) response: HTTP/1.1 closes the connection so that the client sees
	// a truncated body, HTTP/2 resets the stream. x is back in its pool when it returns.
	Abort(x *Exchange)
	// Inform sends an interim response (RFC 9110 section 15.2), 100 or 103, with the fields of x.Response, which
	// stay. It does nothing on HTTP/1.0, nor when the exchange has had enough of them.
	Inform(x *Exchange, status int)

	// Upgradable reports whether Upgrade would succeed: the request asks for that protocol (RFC 9110 section 7.8) over
	// HTTP/1.1, its body has been read, the response has not begun, and the server is not draining. With an empty
	// protocol it need not ask for any. It reads the request: inside of Serve, or detached.
	Upgradable(x *Exchange, protocol string) bool
	// Upgrade answers 101 (Switching Protocols) with the fields of x.Response and hands the connection, with its
	// unread input, to what open makes. With an empty protocol nothing is answered: that is the new Session's. False:
	// nothing has happened, the request is to be answered as if it had not asked. True: x is back in its pool.
	Upgrade(x *Exchange, protocol string, open Takeover) bool
	// ReadBody starts delivering a body that is not BodyComplete to x.Receiver, and sends 100 (Continue) first where
	// the client waits for it. Until then no body is read. At most once an exchange.
	ReadBody(x *Exchange)
	// PauseBody stops the delivery at the next opportunity; ResumeBody goes on, never from inside ResumeBody.
	// A handler that responds without having read the body need not read it: the codec sees to the rest.
	PauseBody(x *Exchange)
	ResumeBody(x *Exchange)

	// SetDeadline bounds the time until the response starts, from now; 0 takes the bound away. When it passes,
	// Receiver.Expired is called once.
	SetDeadline(x *Exchange, d time.Duration)
}

// Receiver is the handler's side of an exchange that outlives Serve. All methods are called on the loop.
type Receiver interface {
	// BodyChunk brings the next piece of the body; p is valid during the call only.
	BodyChunk(x *Exchange, p []byte)
	// BodyEnd tells that the body is complete (nil) or never will be: an error of the fault registry. The handler
	// still responds in both cases, unless Gone follows.
	BodyEnd(x *Exchange, err error)
	// Drained tells that the kernel has taken all output, after Write returned more than 0.
	Drained(x *Exchange)
	// Expired tells that the deadline has passed before the response was started. The receiver responds now.
	Expired(x *Exchange)
	// Gone tells that the client has left, or broke the protocol, before the response was complete. Nothing may be
	// sent; the exchange is back in its pool when Gone has returned.
	Gone(x *Exchange)
}

// Detach copies what the request's views point to into memory of the exchange, so that they stay valid after
// Serve has returned, until the exchange ends. A second call does nothing.
func (x *Exchange) Detach() {
	r := &x.Request
	if len(x.detached) > 0 || len(r.Head) == 0 {
		return
	}
	need := len(r.Head) + len(r.Body)
	if cap(x.detached) < need {
		x.detached = make([]byte, 0, need)
	}
	x.detached = append(append(x.detached[:0], r.Head...), r.Body...)
	n := len(r.Head)
	r.Head = x.detached[:n:n]
	r.Body = x.detached[n:need:need]
}

// maxKeptHead bounds the memory that an idle Exchange in a pool keeps for detached requests.
const maxKeptHead = 16 << 10

// Reset makes x ready for the next request of the pool that owns it.
func (x *Exchange) Reset() {
	x.Request.Reset()
	x.Response.Reset()
	x.Stream, x.Receiver, x.Executor = nil, nil, nil
	x.Link = Link{}
	x.RequestID = [16]byte{}
	x.Generation++
	if cap(x.detached) > maxKeptHead {
		x.detached = nil
	}
	x.detached = x.detached[:0]
}

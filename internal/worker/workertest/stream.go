package workertest

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/covetpy/covet/internal/file"
	"github.com/covetpy/covet/internal/message"
)

// Stream is a client's side of exchanges that records what happens to it. A method that must not be called any more
// counts as a violation.
type Stream struct {
	// Body is what Write and Respond have brought.
	Body []byte
	// Responded, Started, Ended and Aborted count the calls.
	Responded, Started, Ended, Aborted int
	// Reading and Paused show the state of the body.
	Reading, Paused bool
	// Pending is what Write returns.
	Pending int
	// Violations are calls against the contract.
	Violations []string
	// Informed are the interim responses: the status, a space, the fields.
	Informed []string
	// Deadline is the last one set.
	Deadline time.Duration
	// OnWrite is called by Write, when set.
	OnWrite func(x *message.Exchange)
}

var _ message.Stream = (*Stream)(nil)

// Over reports whether the exchange has ended.
func (s *Stream) Over() bool { return s.Responded+s.Ended+s.Aborted > 0 }

func (s *Stream) check(call string, started bool) {
	if s.Over() {
		s.Violations = append(s.Violations, call+" after the end")
	}
	if started != (s.Started > 0) {
		s.Violations = append(s.Violations, call+" in the wrong order")
	}
}

// Respond implements message.Stream.
func (s *Stream) Respond(x *message.Exchange) {
	s.check("Respond", false)
	s.Body = append(s.Body, x.Response.Body...)
	s.Responded++
}

// Start implements message.Stream.
func (s *Stream) Start(*message.Exchange) { s.check("Start", false); s.Started++ }

// Write implements message.Stream.
func (s *Stream) Write(x *message.Exchange, p []byte) int {
	s.check("Write", true)
	s.Body = append(s.Body, p...)
	if s.OnWrite != nil {
		s.OnWrite(x)
	}
	return s.Pending
}

// SendFile implements message.Stream.
func (s *Stream) SendFile(x *message.Exchange, f *file.File, off, n int64) int {
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil {
		s.Violations = append(s.Violations, "SendFile: "+err.Error())
	}
	return s.Write(x, b)
}

// End implements message.Stream.
func (s *Stream) End(*message.Exchange) { s.check("End", true); s.Ended++ }

// Abort implements message.Stream.
func (s *Stream) Abort(*message.Exchange) {
	if s.Over() {
		s.Violations = append(s.Violations, "Abort after the end")
	}
	s.Aborted++
}

// Inform implements message.Stream.
func (s *Stream) Inform(x *message.Exchange, status int) {
	s.check("Inform", false)
	s.Informed = append(s.Informed, strconv.Itoa(status)+" "+string(x.Response.Fields()))
}

// ReadBody implements message.Stream.
func (s *Stream) ReadBody(*message.Exchange) {
	if s.Reading || s.Over() {
		s.Violations = append(s.Violations, "ReadBody twice or after the end")
	}
	s.Reading = true
}

// Upgradable implements message.Stream.
func (s *Stream) Upgradable(*message.Exchange, string) bool { return false }

// Upgrade implements message.Stream.
func (s *Stream) Upgrade(*message.Exchange, string, message.Takeover) bool { return false }

// PauseBody implements message.Stream.
func (s *Stream) PauseBody(*message.Exchange) { s.Paused = true }

// ResumeBody implements message.Stream.
func (s *Stream) ResumeBody(*message.Exchange) { s.Paused = false }

// SetDeadline implements message.Stream.
func (s *Stream) SetDeadline(_ *message.Exchange, d time.Duration) { s.Deadline = d }

// NewExchange returns an exchange of loop 0 with a request without a body, and its stream.
func NewExchange(method message.Method, path string) (*message.Exchange, *Stream) {
	x, s := new(message.Exchange), new(Stream)
	x.Reset()
	Fill(x, method, path)
	x.Stream = s
	return x, s
}

// Fill gives x a request without a body.
func Fill(x *message.Exchange, method message.Method, path string) {
	r := &x.Request
	r.Method, r.Version, r.BodyComplete, r.KeepAlive = method, message.HTTP11, true, true
	r.Head = append(r.Head[:0], path...)
	r.Path = message.Span{Len: uint32(len(path))}
	r.RawPath, r.Target = r.Path, r.Path
	if at := strings.LastIndexByte(path, '?'); at >= 0 {
		r.Path.Len = uint32(at)
		r.Query = message.Span{Off: uint32(at) + 1, Len: uint32(len(path) - at - 1)}
	}
	name, value := uint32(len(r.Head)), uint32(len(r.Head)+4)
	r.Head = append(r.Head, "hostshop.example"...)
	r.Fields = append(r.Fields[:0], message.Field{Name: message.Span{Off: name, Len: 4}, Value: message.Span{Off: value, Len: 12}})
	r.HotFields[message.HotHost] = 0
	r.Authority = r.Fields[0].Value
	r.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 7}), 40000)
	r.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 8000)
}

// Completion records what a Dispatcher tells, and answers as the bridge would.
type Completion struct {
	// Finals counts Answered, Ended, Gone, and Started when it refuses: exactly 1 in the end.
	Finals int
	// Err is the error of Answered or Ended; Status and Fields are those of the response.
	Err    error
	Status int
	Fields string
	// WasGone tells that Gone was called.
	WasGone bool
	// Refuse makes Started end the exchange with another response.
	Refuse bool
	// OnAnswered is called by Answered, when set, after the response was sent.
	OnAnswered func()
}

// Answered implements worker.Completion.
func (c *Completion) Answered(x *message.Exchange, err error) {
	c.Finals++
	c.Err, c.Status, c.Fields = err, x.Response.Status, string(x.Response.Fields())
	x.Stream.Respond(x)
	if c.OnAnswered != nil {
		c.OnAnswered()
	}
}

// Started implements worker.Completion.
func (c *Completion) Started(x *message.Exchange) bool {
	if c.Refuse {
		c.Finals++
		x.Stream.Respond(x)
		return false
	}
	c.Status, c.Fields = x.Response.Status, string(x.Response.Fields())
	x.Stream.Start(x)
	return true
}

// Ended implements worker.Completion.
func (c *Completion) Ended(_ *message.Exchange, err error) { c.Finals++; c.Err = err }

// Gone implements worker.Completion.
func (c *Completion) Gone(*message.Exchange) { c.Finals++; c.WasGone = true }

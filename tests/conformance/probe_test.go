package conformance

import (
	"strings"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/message"
)

// call is what the handler saw of one request.
type call struct {
	method, path, target, query, authority, version, body, trailer string

	fields   map[string]string // first values, names in lower case
	complete bool              // with the whole body
	streamed bool              // the body came in pieces
}

// probe is the handler of the conformance tests: it notes what it sees. What it answers depends on the path:
//
//	/early          401 without a look at the body
//	/close          200, and asks for the end of the connection
//	/stream         200, a body of unknown length in two pieces
//	/status/204 …   that status with the body "ignored?", as far as it may have one
//	/inform         103, then 200
//	/declared       the answer to HEAD declares a length of 42
//	/fields         200 with fields that the codec owns
//	else            200 with the body "seen"
type probe struct{ links *links }

func newProbe(ls *links) message.Handler { return &probe{ls} }

func (p *probe) Serve(x *message.Exchange) {
	q := &x.Request
	l := p.links.at(q.Remote)
	w := &watcher{link: l, call: describe(q)}
	l.note(func() {
		w.index = len(l.calls)
		l.calls = append(l.calls, w.call)
	})
	if w.call.path == "/early" {
		x.Response.Status = 401
		x.Stream.Respond(x)
		return
	}
	if q.BodyComplete {
		w.call.body = string(q.Body)
		w.finish(x)
		return
	}
	w.call.streamed = true
	x.Receiver = w
	x.Detach()
	x.Stream.ReadBody(x)
}

func describe(q *message.Request) call {
	c := call{
		method: string(q.Bytes(q.MethodName)), path: string(q.Bytes(q.Path)), target: string(q.Bytes(q.Target)),
		query: string(q.Bytes(q.Query)), authority: string(q.Bytes(q.Authority)), fields: map[string]string{},
	}
	switch q.Version {
	case message.HTTP10:
		c.version = "1.0"
	case message.HTTP11:
		c.version = "1.1"
	}
	for _, f := range q.Fields {
		name := strings.ToLower(string(q.Bytes(f.Name)))
		if _, ok := c.fields[name]; !ok {
			c.fields[name] = string(q.Bytes(f.Value))
		}
	}
	return c
}

// watcher receives the body of one exchange.
type watcher struct {
	link  *link
	index int
	call  call
	body  strings.Builder
}

func (w *watcher) BodyChunk(_ *message.Exchange, p []byte) { w.body.Write(p) }

func (w *watcher) BodyEnd(x *message.Exchange, err error) {
	w.call.body = w.body.String()
	if err != nil {
		r := &x.Response
		r.Status, r.Type = fault.From(err).HTTPStatus(), message.ContentText
		r.Body = []byte(err.Error())
		x.Stream.Respond(x)
		return
	}
	w.finish(x)
}

func (w *watcher) Drained(*message.Exchange) {}
func (w *watcher) Gone(*message.Exchange)    {}

func (w *watcher) Expired(x *message.Exchange) {
	x.Response.Status = 504
	x.Stream.Respond(x)
}

// finish notes the complete request and answers it.
func (w *watcher) finish(x *message.Exchange) {
	q, r := &x.Request, &x.Response
	for _, f := range q.Trailer {
		w.call.trailer += strings.ToLower(string(f.Name.In(q.TrailerHead))) + ": " + string(f.Value.In(q.TrailerHead)) + "; "
	}
	w.call.complete = true
	w.link.note(func() { w.link.calls[w.index] = w.call })

	r.Type, r.Body = message.ContentText, []byte("seen")
	switch path := w.call.path; path {
	case "/close":
		r.Close = true
	case "/stream":
		r.Body = nil
		x.Stream.Start(x)
		x.Stream.Write(x, []byte("one "))
		x.Stream.Write(x, []byte("two"))
		x.Stream.End(x)
		return
	case "/inform":
		r.AddField("link", "</a.css>; rel=preload")
		x.Stream.Inform(x, 103)
	case "/declared":
		r.Body, r.Length = nil, 42
	case "/fields":
		for _, name := range []string{"Content-Length", "Transfer-Encoding", "Connection", "Date", "Keep-Alive"} {
			r.AddField(name, "9")
		}
	default:
		if text, ok := strings.CutPrefix(path, "/status/"); ok && len(text) == 3 {
			r.Status = int(text[0]-'0')*100 + int(text[1]-'0')*10 + int(text[2]-'0')
			r.Body = []byte("ignored?")
		}
	}
	x.Stream.Respond(x)
}

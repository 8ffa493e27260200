package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/covetpy/covet/internal/engine"
	"github.com/covetpy/covet/internal/h1"
)

const (
	// good is the request that stands before a case in the runs named "behind".
	good = "GET /good HTTP/1.1\r\nHost: good\r\n\r\n"
	// next is the request after a case. It asks for the end of the connection: so every conversation has one.
	next = "GET /next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n"
)

// limits are those of the servers here; the cases in limits.txt know them.
var limits = h1.Limits{Line: 1024, Head: 4096, Fields: 32, Body: 100_000}

// TestConformance runs every case of testdata/cases on every transport: see the package's documentation. With
// COVET_CONFORMANCE_VERBOSE set it prints each case with its source and result.
func TestConformance(t *testing.T) {
	cases := readCases(t)
	known := readKnownFailures(t)
	kinds := transports(t)
	results := map[*testCase]map[string]error{}
	for _, c := range cases {
		results[c] = map[string]error{}
	}
	var mu sync.Mutex
	for i, kind := range kinds {
		for _, variant := range []struct {
			name   string
			inline int
		}{
			{kind, 0},
			// Every body of more than one byte reaches the handler in pieces.
			{kind + ", streaming", 1},
		} {
			if variant.inline != 0 && i < len(kinds)-1 && !everything() {
				continue // how bodies are streamed does not depend on the transport
			}
			s := serve(t, kind, engine.Config{Limits: limits, MaxInline: variant.inline}, newProbe)
			each(cases, 4, func(c *testCase) {
				if variant.inline != 0 && !c.hasBody() {
					return
				}
				err := c.run(s)
				mu.Lock()
				defer mu.Unlock()
				results[c][variant.name] = err
			})
		}
	}
	verbose := os.Getenv("COVET_CONFORMANCE_VERBOSE") != ""
	failed, unknown := 0, 0
	for _, c := range cases {
		var bad []string
		for name, err := range results[c] {
			if err != nil {
				bad = append(bad, name+": "+err.Error())
			}
		}
		slices.Sort(bad)
		verdict := "ok   "
		reason, isKnown := known[c.id()]
		delete(known, c.id())
		switch {
		case len(bad) > 0 && isKnown:
			verdict = "known"
			failed++
			t.Logf("still fails: %s (%s)", c.id(), reason)
		case len(bad) > 0:
			verdict = "FAIL "
			unknown++
			t.Errorf("%s\n  from %s, line %d\n  %s", c.id(), c.from, c.line, strings.Join(bad, "\n  "))
		case isKnown:
			t.Errorf("%s passes now: take it from testdata/known-failures.txt", c.id())
		}
		if verbose {
			fmt.Printf("%s  %-70s  [%s]\n", verdict, c.id(), c.from)
		}
	}
	for id := range known {
		t.Errorf("testdata/known-failures.txt names %q, which is no case", id)
	}
	fmt.Printf("conformance: %d cases on %s: %d passed, %d known failures, %d failures\n",
		len(cases), strings.Join(kinds, ", "), len(cases)-failed-unknown, failed, unknown)
}

// each calls f for every case, n at a time.
func each(cases []*testCase, n int, f func(*testCase)) {
	var done sync.WaitGroup
	queue := make(chan *testCase)
	for range n {
		done.Go(func() {
			for c := range queue {
				f(c)
			}
		})
	}
	for _, c := range cases {
		queue <- c
	}
	close(queue)
	done.Wait()
}

// readKnownFailures reads "file: name # reason" lines.
func readKnownFailures(t testing.TB) map[string]string {
	t.Helper()
	file, err := os.Open("testdata/known-failures.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	known := map[string]string{}
	for in := bufio.NewScanner(file); in.Scan(); {
		if line := in.Text(); line != "" && line[0] != '#' {
			id, reason, ok := strings.Cut(line, " # ")
			if !ok {
				t.Fatalf("known-failures.txt: %q has no reason", line)
			}
			known[strings.TrimSpace(id)] = reason
		}
	}
	return known
}

// delivery is a way to send a case.
type delivery struct {
	name   string
	pieces [][]byte
	before bool // good stands before it
	after  bool // next stands after it
}

// everything reports whether cases are cut also where another case of their group, which begins with the same bytes,
// has been cut: that is most of the time and finds nothing that the first of the group does not.
func everything() bool { return os.Getenv("COVET_CONFORMANCE") == "full" }

// deliveries returns the ways to send c.
func (c *testCase) deliveries() (all []delivery) {
	after := !c.alone
	tail := func(p []byte) []byte {
		if !after {
			return p
		}
		return append(slices.Clip(p), next...)
	}
	all = append(all, delivery{"whole", [][]byte{tail(c.in)}, false, after})
	all = append(all, delivery{"behind another request", [][]byte{append([]byte(good), tail(c.in)...)}, true, after})
	if c.whole {
		return all
	}
	from := 1
	if !everything() {
		from = max(1, c.shared-1)
	}
	for at := from; at <= len(c.in); at++ {
		if len(c.in) > 600 && at > 300 && at < len(c.in)-300 && at%97 != 0 {
			continue // the middle of long values
		}
		// A client that has said "close" sends no more (RFC 9112 §9.6): a separate segment behind it would meet a
		// closed socket, and the reset could destroy the response.
		if at == len(c.in) && (!after || c.closed) {
			continue
		}
		all = append(all, delivery{fmt.Sprintf("cut at %d", at), [][]byte{c.in[:at], tail(c.in[at:])}, false, after})
	}
	if len(c.in) <= 600 {
		d := delivery{"byte by byte", nil, false, after && !c.closed}
		for i := range c.in {
			d.pieces = append(d.pieces, c.in[i:i+1])
		}
		if d.after {
			d.pieces = append(d.pieces, []byte(next))
		}
		all = append(all, d)
	}
	return all
}

// maxOpen is how many connections of one case are open at the same time.
const maxOpen = 64

// run sends c to s in every way, and returns the first thing that is wrong.
func (c *testCase) run(s *server) error {
	for batch := range slices.Chunk(c.deliveries(), maxOpen) {
		clients := make([]*client, len(batch))
		for i := range batch {
			var err error
			if clients[i], err = s.dial(); err != nil {
				return err
			}
			defer clients[i].end()
		}
		// The first pieces of all of them, then the second ones, and so on; each only when the server has looked at
		// the one before.
		for round, open := 0, true; open; round++ {
			open = false
			for i, d := range batch {
				if round < len(d.pieces) {
					open = true
					k := clients[i]
					if round > 0 && !k.link.await(k.sent) {
						return fmt.Errorf("%s: the server does not read piece %d", d.name, round)
					}
					k.send(d.pieces[round])
				}
			}
		}
		for i, d := range batch {
			if err := c.check(clients[i], d); err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
		}
		for _, k := range clients {
			k.end()
		}
	}
	return nil
}

// check reads everything that the server sends on k and judges it.
func (c *testCase) check(k *client, d delivery) error {
	if c.waits || c.alone && c.refuse == nil && !c.closed {
		if !k.link.await(k.sent) {
			return errors.New("the server does not read")
		}
		// Nothing was sent for what is not complete; what would have been is in the answer that is read below.
		if err := k.CloseWrite(); err != nil {
			return err
		}
	}
	got, err := io.ReadAll(k)
	if err != nil {
		return fmt.Errorf("the connection does not end in order: %w; received %q", err, got)
	}
	calls := k.link.all()
	rest := got
	take := func(what, method string) (r *response, err error) {
		if r, rest, err = readResponse(rest, method); err != nil {
			err = fmt.Errorf("%s: %w; received %q", what, err, got)
		}
		return r, err
	}
	if d.before {
		r, err := take("the request before", "GET")
		if err != nil {
			return err
		}
		if r.status != 200 || len(calls) == 0 || calls[0].path != "/good" {
			return fmt.Errorf("the request before is answered %d", r.status)
		}
		calls = calls[1:]
	}
	switch {
	case c.waits:
		err = c.checkWait(&rest, calls, take)
	case c.refuse != nil:
		err = c.checkRefusal(calls, take)
	default:
		err = c.checkAnswers(calls, d.after, take)
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("then came %q", rest)
	}
	return err
}

// taker reads the next response.
type taker func(what, method string) (*response, error)

func (c *testCase) checkRefusal(calls []call, take taker) error {
	method := ""
	if strings.HasPrefix(string(c.in), "HEAD ") {
		method = "HEAD" // RFC 9110 §9.3.2: errors, too, have no content
	}
	r, err := take("the refusal", method)
	if err != nil {
		return err
	}
	if !slices.Contains(c.refuse, r.status) {
		return fmt.Errorf("status %d, want %d: %s", r.status, c.refuse, r.body)
	}
	if !r.connectionHas("close") {
		return errors.New("the refusal does not announce the end of the connection")
	}
	if len(calls) > 1 || len(calls) == 1 && (!c.body || calls[0].complete) {
		return fmt.Errorf("the handler was called: %+v", calls)
	}
	return nil
}

func (c *testCase) checkWait(rest *[]byte, calls []call, take taker) error {
	for _, l := range calls {
		if l.complete {
			return fmt.Errorf("the handler saw a complete request: %+v", l)
		}
	}
	if len(*rest) == 0 {
		if !slices.Contains(c.waitStatus, 0) {
			return fmt.Errorf("no response, want %d", c.waitStatus)
		}
		return nil
	}
	r, err := take("the response to what is incomplete", "")
	if err != nil {
		return err
	}
	if !slices.Contains(c.waitStatus, r.status) || !r.connectionHas("close") {
		return fmt.Errorf("status %d, connection %q, want %d and close", r.status, r.fields["connection"], c.waitStatus)
	}
	return nil
}

func (c *testCase) checkAnswers(calls []call, after bool, take taker) error {
	for i := range c.answers {
		e := &c.answers[i]
		r, err := take(fmt.Sprintf("response %d", i+1), e.method())
		if err != nil {
			return err
		}
		if err := e.matchResponse(r); err != nil {
			return fmt.Errorf("response %d: %w", i+1, err)
		}
		last := c.closed && i == len(c.answers)-1
		if r.connectionHas("close") != last && !(c.alone && i == len(c.answers)-1) {
			return fmt.Errorf("response %d has connection %q, the end is expected: %v", i+1, r.fields["connection"], last)
		}
		if !e.called() {
			continue
		}
		if len(calls) == 0 {
			return fmt.Errorf("response %d does not come from the handler", i+1)
		}
		if err := e.matchCall(&calls[0]); err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
		calls = calls[1:]
	}
	if after && !c.closed {
		r, err := take("the request after", "GET")
		if err != nil {
			return err
		}
		if r.status != 200 || len(calls) == 0 || calls[0].path != "/next" || !r.connectionHas("close") {
			return fmt.Errorf("the request after is answered %d, calls %+v", r.status, calls)
		}
		calls = calls[1:]
	}
	if len(calls) > 0 {
		return fmt.Errorf("the handler was called for more: %+v", calls)
	}
	return nil
}

package engine

import "sync/atomic"

// cacheLine is the distance that keeps the counters of two loops out of each other's way.
const cacheLine = 128 // two lines of 64: the prefetcher takes them in pairs

// counters of one loop: written by the loop, read by anyone.
type counters struct {
	_ [cacheLine]byte

	accepted, requests                        atomic.Uint64
	responses                                 [6]atomic.Uint64 // by the first digit of the status; 0 for others
	refused, discarded                        atomic.Uint64
	idleTimeouts, readTimeouts, writeTimeouts atomic.Uint64
	handlerTimeouts, gone, aborted, bugs      atomic.Uint64
	open, exchanges, upgraded                 atomic.Int64

	_ [cacheLine]byte
}

// Stats are counts since the server was made, and three numbers of now, summed over all loops.
type Stats struct {
	// Accepted connections, and Requests whose head was complete and valid.
	Accepted, Requests uint64
	// Responses are final responses begun, by the first digit of their status: Responses[2] are the 2xx.
	Responses [6]uint64
	// Refused are requests that the engine itself answered with an error, because they were malformed or late.
	Refused uint64
	// Discarded are bytes of request bodies that nobody wanted.
	Discarded uint64
	// IdleTimeouts are idle connections closed; ReadTimeouts, requests that did not arrive in time; WriteTimeouts,
	// clients that took no output; HandlerTimeouts, handlers that were late.
	IdleTimeouts, ReadTimeouts, WriteTimeouts, HandlerTimeouts uint64
	// Gone are exchanges whose client left before the response was complete; Aborted, those that the handler or the
	// end of a drain cut.
	Gone, Aborted uint64
	// Bugs are handlers that panicked, did not answer or broke the contract of message.Stream. Each is logged.
	Bugs uint64
	// Open connections and Exchanges in progress, now; Upgraded are those of the connections that another protocol has
	// taken over.
	Open, Exchanges, Upgraded int64
}

func (c *counters) addTo(t *Stats) {
	t.Accepted += c.accepted.Load()
	t.Requests += c.requests.Load()
	for i := range c.responses {
		t.Responses[i] += c.responses[i].Load()
	}
	t.Refused += c.refused.Load()
	t.Discarded += c.discarded.Load()
	t.IdleTimeouts += c.idleTimeouts.Load()
	t.ReadTimeouts += c.readTimeouts.Load()
	t.WriteTimeouts += c.writeTimeouts.Load()
	t.HandlerTimeouts += c.handlerTimeouts.Load()
	t.Gone += c.gone.Load()
	t.Aborted += c.aborted.Load()
	t.Bugs += c.bugs.Load()
	t.Open += c.open.Load()
	t.Exchanges += c.exchanges.Load()
	t.Upgraded += c.upgraded.Load()
}

// Stats returns the counts. It is safe from any goroutine; numbers that change meanwhile may not agree with each
// other.
func (s *Server) Stats() Stats {
	var t Stats
	for _, sh := range s.shards {
		sh.count.addTo(&t)
	}
	return t
}

package covet

import "sync"

// pool is a bounded set of goroutines that run handlers which may block, behind a bounded queue. Goroutines are
// made when all others are busy, and kept.
type pool struct {
	mu    sync.Mutex
	ready sync.Cond
	queue []*Ctx // a ring of n entries from head
	head  int
	n     int
	// idle goroutines wait for a signal; size counts them all, up to limit.
	idle, size, limit int
	closed            bool
}

func newPool(limit, queue int) *pool {
	p := &pool{limit: limit, queue: make([]*Ctx, queue)}
	p.ready.L = &p.mu
	return p
}

// submit queues the requests in order and returns how many there was room for.
func (p *pool) submit(list []*Ctx) (taken int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0
	}
	for _, c := range list {
		// A request that an idle or new goroutine takes at once does not need a place among the waiting.
		if p.n == len(p.queue) {
			break
		}
		p.queue[(p.head+p.n)%len(p.queue)] = c
		p.n++
		taken++
		switch {
		case p.idle > 0:
			p.idle-- // the signalled one is not idle any more, though it has yet to wake
			p.ready.Signal()
		case p.size < p.limit:
			p.size++
			go p.work()
		}
	}
	return taken
}

func (p *pool) work() {
	p.mu.Lock()
	for {
		for p.n == 0 && !p.closed {
			p.idle++
			p.ready.Wait()
		}
		if p.n == 0 {
			p.size--
			p.mu.Unlock()
			return
		}
		c := p.queue[p.head]
		p.queue[p.head] = nil
		p.head = (p.head + 1) % len(p.queue)
		p.n--
		p.mu.Unlock()
		if !c.away.run() {
			return
		}
		p.mu.Lock()
	}
}

// part takes the goroutine that calls it out of the count: its handler has taken a connection over and may hold it for
// days. Connections have a bound of their own.
func (p *pool) part() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size--
	if p.n > 0 && p.idle == 0 && p.size < p.limit {
		p.size++
		go p.work()
	}
}

// close refuses new requests and ends the goroutines when they have run what is queued.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.ready.Broadcast()
}

package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// drainState is a shard's part of a drain. It belongs to the loop, except what is said otherwise.
type drainState struct {
	sh *shard
	// active: every response is the last of its connection.
	active bool
	// done is closed, once, when the drain is active and no connection is open.
	done   chan struct{}
	closed bool
}

func (d *drainState) init(sh *shard) {
	d.sh = sh
	d.done = make(chan struct{})
}

// begin is called on the loop. Idle connections stay for DrainGrace: a client that is just sending a request gets
// its answer instead of a closed connection.
func (d *drainState) begin() {
	if d.active {
		return
	}
	d.active = true
	d.sh.each(func(s *session) {
		switch s.phase {
		case phaseFirst, phaseIdle:
			d.hurry(s)
		case phaseUpgraded:
			s.leaveTunnel()
		default:
		}
	})
	d.check()
}

// hurry shortens the time that s may stay idle.
func (d *drainState) hurry(s *session) {
	grace := d.sh.cfg.DrainGrace
	if grace == 0 {
		s.close()
		return
	}
	if at := s.by[byInput]; at == 0 || at > s.loop.Now().Add(grace) {
		s.arm(byInput, grace)
	}
}

// closedOne is called when a connection of the shard has closed.
func (d *drainState) closedOne() {
	if d.active {
		d.check()
	}
}

func (d *drainState) check() {
	if l := &d.sh.open; l.next == l && !d.closed {
		d.closed = true
		close(d.done)
	}
}

// cutAll aborts what is left and returns how many exchanges were in progress, connections of other protocols included.
func (d *drainState) cutAll() (exchanges int) {
	d.sh.each(func(s *session) {
		if s.x != nil || s.phase == phaseUpgraded {
			exchanges++
		}
		s.kill()
	})
	d.sh.count.aborted.Add(uint64(exchanges))
	return exchanges
}

// Drain stops accepting connections, closes the idle ones after DrainGrace, lets every exchange that is in progress
// finish with Connection: close, and returns when no connection is left. When ctx ends first, the rest is aborted and
// the error tells how many exchanges that cut; it wraps the error of ctx. The loops go on until Close.
//
// It must not be called on a loop. A second call waits with the first.
func (s *Server) Drain(ctx context.Context) error {
	s.group.StopListening()
	s.draining.Store(true)
	for _, sh := range s.shards {
		s.on(sh, sh.drain.begin)
	}
	for i, sh := range s.shards {
		select {
		case <-sh.drain.done:
		case <-s.closed:
			return ErrClosed
		case <-ctx.Done():
			return s.cutRest(s.shards[i:], ctx.Err())
		}
	}
	return nil
}

// cutRest aborts the connections of the shards.
func (s *Server) cutRest(shards []*shard, why error) error {
	var total atomic.Int64
	var all sync.WaitGroup
	all.Add(len(shards))
	for _, sh := range shards {
		s.on(sh, func() {
			total.Add(int64(sh.drain.cutAll()))
			all.Done()
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-s.closed:
		return ErrClosed
	}
	if n := total.Load(); n > 0 {
		return fmt.Errorf("engine: drain: %d exchanges aborted: %w", n, why)
	}
	return nil
}

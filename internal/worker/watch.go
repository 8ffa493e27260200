package worker

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

type outcome int

const (
	retired  outcome = iota // told to by its generation
	recycle                 // has reached a limit of the policy
	replaced                // its replacement is there, or could not be started
	died                    // the process has ended, or had to be killed
)

type ending struct {
	outcome outcome
	reason  string
	next    arrival // of replaced
}

// watch looks after a worker until something has to be done about it. With a replacement coming its limits matter no
// more.
func (w *worker) watch(ctx context.Context, coming <-chan arrival) ending {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	nextMemory := time.Now().Add(memoryEvery)
	for {
		select {
		case <-ctx.Done():
			return ending{outcome: retired}
		case a := <-coming:
			return ending{outcome: replaced, next: a}
		case <-w.process.exited:
			return ending{outcome: died, reason: w.fate()}
		case <-w.remote.Broken():
			w.condemn("it broke the rules of the shared memory: " + w.remote.Err().Error())
			<-w.process.exited
			return ending{outcome: died, reason: w.fate()}
		case e, open := <-w.events:
			if open {
				// A worker that is ready has nothing to say until it is told to leave.
				w.condemn("it broke the protocol: it sent a message that nobody waits for" + e.complaint())
			}
			w.process.end(min(exitPatience, w.s.policy.ExitTimeout))
			return ending{outcome: died, reason: w.fate()}
		case now := <-tick.C:
			if reason := w.look(); reason != "" {
				w.condemn(reason)
				<-w.process.exited
				return ending{outcome: died, reason: w.fate()}
			}
			if coming != nil {
				continue
			}
			if reason := w.due(now, &nextMemory); reason != "" {
				return ending{outcome: recycle, reason: reason}
			}
		}
	}
}

// blockage remembers the step that holds a worker's event loop.
type blockage struct {
	since    int64 // RegionBusySince of the step; 0 while the loop comes round
	reported bool
}

// look finds out whether one handler step holds the event loop, and acts on it. A reason means: replace it.
func (w *worker) look() (reason string) {
	p, b := &w.s.policy, &w.blocked
	live := w.remote.Region.Liveness()
	held := time.Duration(0)
	if live.BusySince != 0 {
		held = time.Duration(monotonic() - live.BusySince)
	}
	if b.reported && (live.BusySince != b.since || held < p.BlockedAfter) {
		*b = blockage{}
		if w.state.move(Ready) {
			w.s.log.Info("event loop runs again", "worker", w.id)
			w.dispatcher.Resume(w.remote)
		}
	}
	if held < p.BlockedAfter {
		return ""
	}
	if !b.reported {
		*b = blockage{since: live.BusySince, reported: true}
		if w.state.move(Busy) {
			w.dispatcher.Suspend(w.remote)
		}
		w.s.log.Warn("a handler blocks the event loop; its worker gets no new requests, the stacks follow",
			"worker", w.id, "pid", w.process.pid(), "for", held.Round(time.Millisecond), "limit", p.BlockedLimit,
			"hint", "make it a plain def, or await what it waits for")
		_ = w.process.cmd.Process.Signal(syscall.SIGUSR1) // stacks; fails only when it has just ended
	}
	if held >= p.BlockedLimit {
		return fmt.Sprintf("one handler step held its event loop for %v", held.Round(time.Millisecond))
	}
	return ""
}

// due says whether the worker has reached one of its limits, and which.
func (w *worker) due(now time.Time, nextMemory *time.Time) (reason string) {
	if w.maxRequests > 0 && w.remote.Region.Liveness().Handled >= w.maxRequests {
		return fmt.Sprintf("it has handled %d requests", w.maxRequests)
	}
	if !w.expires.IsZero() && now.After(w.expires) {
		return fmt.Sprintf("it is %v old", now.Sub(w.started).Round(time.Second))
	}
	if w.maxMemory > 0 && now.After(*nextMemory) {
		*nextMemory = now.Add(memoryEvery)
		if m := w.process.memory(); m >= w.maxMemory {
			return fmt.Sprintf("it uses %d MiB of memory", m>>20)
		}
	}
	return ""
}

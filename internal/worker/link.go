package worker

import (
	"time"

	"github.com/covetpy/covet/fault"
	"github.com/covetpy/covet/internal/clock"
	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/ring"
)

// pollFrames bounds the answers taken in one Poll, so that sockets and other workers get their turn.
const pollFrames = 256

// link joins one loop to one worker. It is a source of work for the loop and the receiver of the exchanges that the
// worker has. Everything in it belongs to the loop.
type link struct {
	lane     *lane
	remote   *Remote
	requests *ring.Producer
	answers  *ring.Consumer

	workerAsleep, loopAsleep, starved ring.Flag

	slots slots
	// blocked are the indices of slots that have something to write which did not fit into the ring.
	blocked, retrying []uint32
	attached          bool
	dead              bool // the worker broke the rules: nothing is read or written any more

	// mark is a counter of the request ring and markAt when it was published: see lag.
	mark   uint64
	markAt clock.Instant
}

func newLink(l *lane, r *Remote) *link {
	i := l.loop.Index()
	k := &link{
		lane: l, remote: r, workerAsleep: r.Region.WorkerAsleep(),
		loopAsleep: r.Region.LoopAsleep(i), starved: r.Region.Starved(i),
	}
	k.requests, _ = r.Region.Requests(i)
	_, k.answers = r.Region.Answers(i)
	return k
}

func (k *link) head(s *slot, kind byte) frame.Head {
	return frame.Head{Type: kind, Slot: s.index, Generation: s.generation}
}

// send writes the request of j and reports whether there was credit and room for it.
func (k *link) send(j job) bool {
	r := k.remote
	if r.inFlight.Add(1) > r.credit {
		r.inFlight.Add(-1)
		return false
	}
	q := &j.x.Request
	inline := frame.Inline(q, len(j.params))
	size := frame.SizeRequest(q, len(j.params), inline)
	f := k.requests.Reserve(size)
	if f == nil {
		r.inFlight.Add(-1)
		if err := k.requests.Err(); err != nil {
			k.fail(err)
		}
		return false
	}
	s := k.slots.take()
	s.x, s.done, s.route, s.retried, s.repeatable = j.x, j.done, j.route, j.retried, !j.retried && repeatable(q)
	if s.repeatable {
		s.params = append(s.params[:0], j.params...)
	}
	if !inline {
		s.upload.follows = true
		if q.BodyComplete {
			s.upload.over, s.upload.unsent = true, q.Body // detached by the lane
		}
	}
	h := k.head(s, frame.TypeRequest)
	h.Route = j.route
	frame.PutRequest(f, h, j.x.RequestID, q, j.params, inline)
	k.requests.Commit(size)
	j.x.Receiver = k
	j.x.Link = message.Link{Owner: k, Slot: s.index}
	return true
}

// signal writes a frame that carries one number; without room the slot is blocked.
func (k *link) signal(s *slot, kind byte, value uint32) bool {
	f := k.requests.Reserve(frame.SignalSize)
	if f == nil {
		k.block(s)
		return false
	}
	frame.PutSignal(f, k.head(s, kind), value)
	k.requests.Commit(frame.SignalSize)
	return true
}

// block remembers that s has something to write.
func (k *link) block(s *slot) {
	if !s.blocked {
		s.blocked = true
		k.blocked = append(k.blocked, s.index)
	}
}

// unblock tries again what did not fit.
func (k *link) unblock() {
	k.blocked, k.retrying = k.retrying[:0], k.blocked
	for _, i := range k.retrying {
		s := k.slots.all[i]
		s.blocked = false
		if s.cancel > 0 {
			if k.signal(s, frame.TypeCancel, s.cancel-1) {
				s.cancel = 0
			}
			continue
		}
		if s.stream.credit > 0 && k.signal(s, frame.TypeCredit, s.stream.credit) {
			s.stream.credit = 0
		}
		if s.phase != slotFree {
			k.pump(s)
		}
	}
}

// Poll takes answers.
func (k *link) Poll() bool {
	if k.dead {
		return false
	}
	n := 0
	for ; n < pollFrames && !k.dead; n++ {
		f, err := k.answers.Next()
		if f == nil && err == nil {
			break
		}
		if err == nil {
			err = k.take(f)
		}
		if err != nil {
			k.fail(err)
			break
		}
		// The worker must not run out of space in the middle of a batch.
		if k.answers.Unreleased() > k.answers.Size()/4 {
			k.release()
		}
	}
	if n == 0 {
		return false
	}
	k.release()
	if k.lane.queue.count > 0 {
		k.lane.drain()
	}
	return true
}

// release gives the answers' memory back, and wakes the worker if it waits for that.
func (k *link) release() {
	k.answers.Release()
	if k.starved.Take() {
		k.remote.Wake.Ring()
	}
}

// Flush publishes the turn's requests and wakes the worker, once, if it sleeps.
func (k *link) Flush() {
	if k.dead {
		return
	}
	if len(k.blocked) > 0 {
		k.unblock()
		if err := k.requests.Err(); err != nil {
			k.fail(err)
			return
		}
		if len(k.blocked) > 0 {
			k.lane.tryLater()
		}
	}
	if !k.requests.Dirty() {
		return
	}
	if k.requests.Consumed() >= k.mark {
		k.mark, k.markAt = k.requests.Written(), k.lane.loop.Now()
	}
	k.requests.Publish()
	if k.workerAsleep.Take() {
		k.remote.Wake.Ring()
	}
}

// lag is how long a frame that was published has been waiting for the worker to read it.
func (k *link) lag(now clock.Instant) time.Duration {
	if k.requests.Consumed() < k.mark {
		k.requests.Free() // looks
	}
	if k.requests.Consumed() >= k.mark {
		return 0
	}
	return now.Sub(k.markAt)
}

// PrepareSleep tells the worker to ring, and looks once more.
func (k *link) PrepareSleep() bool {
	if k.dead {
		return true
	}
	k.loopAsleep.Raise()
	return k.answers.Empty()
}

// Awake tells the worker that it need not ring.
func (k *link) Awake() { k.loopAsleep.Lower() }

// fail gives the worker up: whoever watches Remote.Broken kills it and calls Remove, which settles its exchanges.
func (k *link) fail(err error) {
	k.dead = true
	k.remote.fail(err)
}

// free takes the slot back after its final answer.
func (k *link) free(s *slot) {
	k.slots.put(s)
	k.remote.inFlight.Add(-1)
	k.lane.d.pokeHungry(k.lane)
}

// disown parts x from its slot, which is free afterwards, and returns both sides.
func (k *link) disown(s *slot) (*message.Exchange, Completion) {
	x, done := s.x, s.done
	k.free(s)
	if x != nil {
		x.Receiver, x.Link = nil, message.Link{}
	}
	return x, done
}

// abandon tells the worker that nobody waits any more. The slot stays taken until the final answer.
func (k *link) abandon(s *slot, reason uint32) {
	s.x, s.done = nil, nil
	s.upload.reset()
	s.stream.credit = 0
	k.lane.cancelled.Add(1)
	if !k.dead && !k.signal(s, frame.TypeCancel, reason) {
		s.cancel = reason + 1
	}
}

// settle ends everything that the worker, which is gone, has not answered.
func (k *link) settle(lost *fault.Error) {
	k.dead = true
	l := k.lane
	for _, s := range k.slots.all {
		if s.phase == slotFree {
			continue
		}
		started, again, j := s.phase == slotStarted, s.repeatable, job{params: s.params, route: s.route, retried: true}
		j.x, j.done = k.disown(s)
		switch {
		case j.x == nil:
		case started:
			l.lost.Add(1)
			l.finish()
			j.done.Ended(j.x, lost)
			j.x.Stream.Abort(j.x)
		case again:
			l.retried.Add(1)
			if l.queue.count > 0 || !l.place(j) {
				l.wait(j)
			}
		default:
			l.lost.Add(1)
			l.finish()
			j.done.Answered(j.x, lost)
		}
	}
}

// Drained lets a stream go on whose client did not keep up.
func (k *link) Drained(x *message.Exchange) {
	if s := k.slots.of(x); s != nil {
		s.stream.stalled = false
		k.refill(s)
	}
}

// Expired answers 504 and cancels the handler.
func (k *link) Expired(x *message.Exchange) {
	s := k.slots.of(x)
	if s == nil || s.phase == slotStarted {
		return
	}
	done := s.done
	x.Receiver, x.Link = nil, message.Link{}
	k.abandon(s, frame.ReasonTimeout)
	k.lane.finish()
	done.Answered(x, k.lane.d.late)
}

// Gone cancels the handler.
func (k *link) Gone(x *message.Exchange) {
	s := k.slots.of(x)
	if s == nil {
		return
	}
	done := s.done
	x.Receiver, x.Link = nil, message.Link{}
	k.abandon(s, frame.ReasonGone)
	k.lane.finish()
	done.Gone(x)
}

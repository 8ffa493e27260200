package main

// dueAt is when arrival n is due: evenly spaced.
func (l *loop) dueAt(n int64) int64 { return l.start + int64(float64(n)*1e9/l.rate) }

// arrivals is how many are due until t.
func (l *loop) arrivals(t int64) int64 {
	if t < l.start {
		return 0
	}
	return int64(float64(t-l.start)*l.rate/1e9) + 1
}

// arrive sends what is due, on connections that are free. What finds none waits, and its time runs.
func (l *loop) arrive() error {
	if l.now < l.end {
		l.due = max(l.due, l.arrivals(l.now))
	}
	for l.sent < l.due && l.freeLen > 0 {
		c := &l.conns[l.free[l.freeAt]]
		l.freeAt = (l.freeAt + 1) % len(l.free)
		l.freeLen--
		since := l.dueAt(l.sent)
		l.sent++
		if err := l.send(c, since); err != nil {
			return err
		}
	}
	return nil
}

// rest puts c behind all that are free.
func (l *loop) rest(c *conn) {
	l.free[(l.freeAt+l.freeLen)%len(l.free)] = c.index
	l.freeLen++
}

func (l *loop) resting(index int) bool {
	for i := range l.freeLen {
		if l.free[(l.freeAt+i)%len(l.free)] == index {
			return true
		}
	}
	return false
}

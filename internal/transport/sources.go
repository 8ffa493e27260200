package transport

// Sources is the part of a loop that calls its [Source]s: the order of calls around sleeping is written once, here.
// It belongs to its loop and is used on the loop's goroutine only. The zero value is empty and ready for use.
//
// A Source may be added or removed from inside any callback. One that was removed is not called again, and one that
// was added is polled before the loop sleeps.
type Sources struct {
	list []*source
	// dead is the number of entries in list that were removed and wait for a moment when nobody walks the list.
	dead int
	// fresh says that a source was added since the last Poll.
	fresh bool
}

type source struct {
	s        Source // nil once removed
	polled   bool   // Poll was called in this turn
	prepared bool   // PrepareSleep was called and Awake was not
}

// Len is the number of attached sources.
func (l *Sources) Len() int { return len(l.list) - l.dead }

// Add attaches s. Adding one twice is harmless.
func (l *Sources) Add(s Source) {
	if l.has(s) {
		return
	}
	l.list = append(l.list, &source{s: s})
	l.fresh = true
}

// Remove detaches s; it is not called again. Removing one that is not attached is harmless.
func (l *Sources) Remove(s Source) {
	for _, e := range l.list {
		if e.s == s && s != nil {
			e.s = nil
			l.dead++
		}
	}
}

func (l *Sources) has(s Source) bool {
	for _, e := range l.list {
		if e.s == s {
			return true
		}
	}
	return false
}

// Poll polls every source and reports whether one of them worked.
func (l *Sources) Poll() (worked bool) {
	l.fresh = false
	// By index: a callback may append to the list.
	for i := 0; i < len(l.list); i++ {
		e := l.list[i]
		if e.s == nil {
			continue
		}
		e.polled = true
		if e.s.Poll() {
			worked = true
		}
	}
	return worked
}

// Flush ends the turn of every source that was polled in it.
func (l *Sources) Flush() {
	for i := 0; i < len(l.list); i++ {
		if e := l.list[i]; e.s != nil && e.polled {
			e.polled = false
			e.s.Flush()
		}
	}
	if l.dead > 0 {
		l.compact()
	}
}

func (l *Sources) compact() {
	keep := l.list[:0]
	for _, e := range l.list {
		if e.s != nil {
			keep = append(keep, e)
		}
	}
	clear(l.list[len(keep):])
	l.list, l.dead = keep, 0
}

// PrepareSleep announces the sleep to every source, until one of them refuses. When it returns false the loop must
// not block; either way Awake comes next.
func (l *Sources) PrepareSleep() (mayBlock bool) {
	if l.fresh {
		return false
	}
	for i := 0; i < len(l.list); i++ {
		e := l.list[i]
		if e.s == nil {
			continue
		}
		e.prepared = true
		if !e.s.PrepareSleep() {
			return false
		}
	}
	return !l.fresh
}

// Awake withdraws what PrepareSleep announced.
func (l *Sources) Awake() {
	for i := 0; i < len(l.list); i++ {
		if e := l.list[i]; e.prepared {
			e.prepared = false
			if e.s != nil {
				e.s.Awake()
			}
		}
	}
}

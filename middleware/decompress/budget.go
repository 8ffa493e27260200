package decompress

import "sync"

// budget is the memory that decoders may have together.
type budget struct {
	mu   sync.Mutex
	room int64
	more sync.Cond
}

func (b *budget) init(room int64) {
	b.room = room
	b.more.L = &b.mu
}

// take waits for n bytes; false when the request of f is over before that. A waiting body reads nothing, so the handler's
// deadline bounds the wait.
func (b *budget) take(n int64, f *feed) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.room < n {
		if f.over() {
			return false
		}
		b.more.Wait()
	}
	b.room -= n
	return true
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	b.room += n
	b.mu.Unlock()
	b.more.Broadcast()
}

// rouse lets the waiting look whether their requests are over.
func (b *budget) rouse() {
	b.mu.Lock()
	b.mu.Unlock() //nolint:staticcheck // whoever has looked waits by now
	b.more.Broadcast()
}

//go:build linux && (amd64 || arm64)

package ringloop

// userData names the receiver of a completion:
//
//	63      56 55             32 31              0
//	┌─────────┬─────────────────┬─────────────────┐
//	│ kind    │ generation      │ index           │
//	└─────────┴─────────────────┴─────────────────┘
//
// The index is a place in one of the loop's tables. The generation changes each time that a place is given to
// another thing, so a late completion never reaches the wrong one.
type userData uint64

type kind uint8

const (
	// kindNone is for operations whose completion nobody waits for: cancellations and closes that failed.
	kindNone kind = iota
	kindRecv
	kindSend
	kindAccept
	kindBell
	kindRoom
)

// generations is the number of generations of a place before they repeat: with completions awaited before a place is
// given away, a single one would do.
const generations = 1 << 24

func pack(k kind, gen, index uint32) uint64 {
	return uint64(k)<<56 | uint64(gen%generations)<<32 | uint64(index)
}

func (u userData) kind() kind    { return kind(u >> 56) }
func (u userData) gen() uint32   { return uint32(u>>32) % generations }
func (u userData) index() uint32 { return uint32(u) }

// table holds the things that completions are for. The zero table is empty.
type table[T any] struct {
	slots []slot[T]
	free  []uint32
	used  int
}

type slot[T any] struct {
	gen  uint32
	item *T
}

func (t *table[T]) add(item *T) (index, gen uint32) {
	t.used++
	if n := len(t.free); n > 0 {
		index = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		index = uint32(len(t.slots))
		t.slots = append(t.slots, slot[T]{})
	}
	s := &t.slots[index]
	s.item = item
	return index, s.gen
}

// get returns what u names, or nil when it is gone.
func (t *table[T]) get(u userData) *T {
	if i := u.index(); int(i) < len(t.slots) && t.slots[i].gen == u.gen() {
		return t.slots[i].item
	}
	return nil
}

func (t *table[T]) remove(index uint32) {
	s := &t.slots[index]
	s.item, s.gen = nil, (s.gen+1)%generations
	t.free = append(t.free, index)
	t.used--
}

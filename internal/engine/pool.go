package engine

// maxPooled bounds what the pool of one loop keeps; beyond it the garbage collector takes over.
const maxPooled = 8192

// pool keeps the unused values of one loop. It is used on that loop only, so that taking and giving are two
// instructions and no lock. The zero pool is empty.
type pool[T any] struct{ free []*T }

// take returns an unused value, nil when there is none.
func (p *pool[T]) take() *T {
	n := len(p.free)
	if n == 0 {
		return nil
	}
	v := p.free[n-1]
	p.free[n-1] = nil
	p.free = p.free[:n-1]
	return v
}

// give takes v back. Giving a value twice is a bug that the caller must exclude.
func (p *pool[T]) give(v *T) {
	if len(p.free) < maxPooled {
		p.free = append(p.free, v)
	}
}

package radix

import (
	"bytes"
	"math/bits"
	"strings"
)

// Span is a piece of a path: bytes [Off, Off+Len).
type Span struct{ Off, Len uint32 }

// Params receives the parameters of a match, in the order of their places in the pattern.
type Params struct {
	N    int
	Span [MaxParams]Span
}

// Miss says why a lookup found nothing.
type Miss struct {
	// Methods is 0 when no pattern matches the path (404), else the methods that the path's routes have, for
	// [Tree.Allow] (405, or the answer to OPTIONS).
	Methods uint64
}

// search is the state of one lookup, on the stack of its goroutine.
type search struct {
	path   []byte
	method int
	params *Params
	// missed is what leaves without the method have instead, near the first of them.
	missed uint64
	near   *leaf
	found  int
}

// Lookup finds the route of a method (see [Tree.Method]; -1 for one that no route names) and a path. On success ok is
// true and params holds the spans of the path. On failure miss says what there is, and payload is that of some
// route of the path's best pattern, the zero P when there is none. Nothing is kept and nothing allocated.
func (t *Tree[P]) Lookup(method int, path []byte, params *Params) (payload P, miss Miss, ok bool) {
	s := search{path: path, method: method, params: params}
	params.N = 0
	if s.walk(&t.root, 0) {
		return t.payloads[s.found], miss, true
	}
	miss.Methods = s.missed
	if s.near != nil {
		payload = t.payloads[s.near.base]
	}
	return payload, miss, false
}

// take ends the search at l if it has the method.
func (s *search) take(l *leaf) bool {
	if s.method > 0 && l.mask>>s.method&1 != 0 {
		s.found = l.base + bits.OnesCount64(l.mask&(1<<s.method-1))
		return true
	}
	if l.mask&1 != 0 { // Any is bit 0, so the leaf's first payload
		s.found = l.base
		return true
	}
	s.missed |= l.allow
	if s.near == nil {
		s.near = l
	}
	return false
}

// walk matches the path from pos below n. It visits each node of the tree at most once, because a node's depth fixes
// how many segments of the path are above it; where no parameters compete it is a loop over the path.
func (s *search) walk(n *node, pos int) bool {
	for {
		if pos == len(s.path) {
			return n.leaf != nil && s.take(n.leaf) || n.rest != nil && s.tail(n.rest, pos)
		}
		var next *node
		if i := strings.IndexByte(n.first, s.path[pos]); i >= 0 {
			child := n.static[i]
			if end := pos + len(child.prefix); end <= len(s.path) && string(s.path[pos:end]) == child.prefix {
				next = child
			}
		}
		if len(n.params) == 0 && n.rest == nil {
			if next == nil {
				return false
			}
			n, pos = next, pos+len(next.prefix)
			continue
		}
		if next != nil && s.walk(next, pos+len(next.prefix)) {
			return true
		}
		if len(n.params) > 0 && s.segment(n, pos) {
			return true
		}
		return n.rest != nil && s.tail(n.rest, pos)
	}
}

// segment tries the parameters at n for the segment that starts at pos.
func (s *search) segment(n *node, pos int) bool {
	end := len(s.path)
	if i := bytes.IndexByte(s.path[pos:], '/'); i >= 0 {
		end = pos + i
	}
	if end == pos {
		return false // a parameter is never empty
	}
	for i := range n.params {
		e := &n.params[i]
		if !e.kind.accepts(s.path[pos:end]) {
			continue
		}
		at := s.params.N
		s.params.Span[at] = Span{uint32(pos), uint32(end - pos)}
		s.params.N = at + 1
		if s.walk(e.to, end) {
			return true
		}
		s.params.N = at
	}
	return false
}

// tail gives the rest of the path to a rest parameter.
func (s *search) tail(l *leaf, pos int) bool {
	if !s.take(l) {
		return false
	}
	s.params.Span[s.params.N] = Span{uint32(pos), uint32(len(s.path) - pos)}
	s.params.N++
	return true
}

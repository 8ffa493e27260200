package radix

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Any is the method of a route that takes every method its path has no other route for.
const Any = "*"

// maxMethods bounds the distinct methods of a tree: a leaf holds them as bits.
const maxMethods = 64

// Route is one entry of a tree.
type Route[P any] struct {
	// Method is a method token, or Any.
	Method string
	// Pattern is the path's pattern: see the package's documentation.
	Pattern string
	// Origin says where the route was written, "file:line", for errors.
	Origin string
	// Payload is what a lookup returns.
	Payload P
}

// Tree finds routes. It is immutable.
type Tree[P any] struct {
	root     node
	methods  []string // by bit, sorted, but bit 0 is Any
	payloads []P
	all      uint64
	allow    map[uint64]string
}

// node is a place in the tree. Its own prefix has been matched when a lookup arrives at it.
//
//	"/users/" ──┬─ static "me"          leaf
//	            ├─ params  int          leaf, static "/posts" …
//	            ├─         str          leaf …
//	            └─ rest                 leaf
type node struct {
	prefix string
	first  string // the first byte of each static child, in the order of static
	static []*node
	params []edge // sorted by kind
	rest   *leaf
	leaf   *leaf
}

type edge struct {
	kind Kind
	to   *node
}

// leaf is the end of one or more routes that match the same paths.
type leaf struct {
	// mask has a bit for each method that has a payload; payload i of the mask's set bits is payloads[base+i].
	mask uint64
	// allow is what the Allow field names: mask, and HEAD where GET is, and OPTIONS.
	allow uint64
	base  int
	// entries exist while the tree is built: the index of the route by bit.
	entries map[int]int
}

// Build makes the tree of routes. Its error joins one error for every route that cannot be: a bad pattern, or a
// pattern and method that another route has, up to the names of parameters. Both routes are named with their origin.
func Build[P any](routes []Route[P]) (*Tree[P], error) {
	t := &Tree[P]{methods: methodNames(routes), allow: map[uint64]string{}}
	if len(t.methods) > maxMethods {
		return nil, fmt.Errorf("routes use more than %d different methods", maxMethods-1)
	}
	var errs []error
	var leaves []*leaf
	for i, r := range routes {
		p, err := Parse(r.Pattern)
		if err != nil {
			errs = append(errs, fmt.Errorf("route %s %s at %s: %w", r.Method, r.Pattern, r.Origin, err))
			continue
		}
		l := t.root.insert(p)
		if l.entries == nil {
			l.entries = map[int]int{}
			leaves = append(leaves, l)
		}
		bit := t.Method(r.Method)
		if j, taken := l.entries[bit]; taken {
			first := routes[j]
			errs = append(errs, fmt.Errorf("route %s %s at %s conflicts with %s %s at %s: both match the same requests",
				r.Method, r.Pattern, r.Origin, first.Method, first.Pattern, first.Origin))
			continue
		}
		l.entries[bit] = i
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, l := range leaves {
		t.seal(l, routes)
	}
	return t, nil
}

// methodNames returns the methods by bit.
func methodNames[P any](routes []Route[P]) []string {
	// GET, HEAD and OPTIONS are always there, because Allow names the last two without a route of theirs.
	names := []string{"GET", "HEAD", "OPTIONS"}
	for _, r := range routes {
		if r.Method != Any {
			names = append(names, r.Method)
		}
	}
	slices.Sort(names)
	return append([]string{Any}, slices.Compact(names)...)
}

// seal turns what was collected at l into its final form.
func (t *Tree[P]) seal(l *leaf, routes []Route[P]) {
	// RFC 9110 section 9.3.2: HEAD is GET without the content, so GET's route serves it.
	get, head := t.Method("GET"), t.Method("HEAD")
	if i, ok := l.entries[get]; ok {
		if _, own := l.entries[head]; !own {
			l.entries[head] = i
		}
	}
	l.base = len(t.payloads)
	for bit := range t.methods {
		if i, ok := l.entries[bit]; ok {
			l.mask |= 1 << bit
			t.payloads = append(t.payloads, routes[i].Payload)
		}
	}
	l.entries = nil
	l.allow = l.mask&^1 | 1<<t.Method("OPTIONS")
	t.all |= l.allow
	if _, ok := t.allow[l.allow]; !ok {
		t.allow[l.allow] = t.join(l.allow)
	}
}

func (t *Tree[P]) join(mask uint64) string {
	var names []string
	for ; mask != 0; mask &= mask - 1 {
		names = append(names, t.methods[bits.TrailingZeros64(mask)])
	}
	return strings.Join(names, ", ")
}

// Method returns the number of a method for Lookup, or -1 when no route of the tree names it.
func (t *Tree[P]) Method(name string) int {
	for i, m := range t.methods {
		if m == name {
			return i
		}
	}
	return -1
}

// Allow returns the value of the Allow field (RFC 9110 section 10.2.1) for the methods of a [Miss]: sorted, with
// OPTIONS, and with HEAD where GET is.
func (t *Tree[P]) Allow(methods uint64) string {
	if s, ok := t.allow[methods]; ok {
		return s
	}
	return t.join(methods) // several patterns match the path: the union has no ready text
}

// All returns the Allow value for "OPTIONS *": every method of the tree.
func (t *Tree[P]) All() string { return t.Allow(t.all | 1<<t.Method("OPTIONS")) }

// insert returns the leaf of p, making the way to it.
func (n *node) insert(p Pattern) *leaf {
	for _, t := range p.parts {
		switch {
		case t.name == "":
			n = n.text(t.text)
		case t.kind == Rest:
			if n.rest == nil {
				n.rest = &leaf{}
			}
			return n.rest
		default:
			n = n.param(t.kind)
		}
	}
	if n.leaf == nil {
		n.leaf = &leaf{}
	}
	return n.leaf
}

func (n *node) param(k Kind) *node {
	at, found := slices.BinarySearchFunc(n.params, k, func(e edge, k Kind) int { return int(e.kind) - int(k) })
	if !found {
		n.params = slices.Insert(n.params, at, edge{kind: k, to: &node{}})
	}
	return n.params[at].to
}

// text returns the node at the end of static text s below n, splitting a node where s leaves its prefix.
func (n *node) text(s string) *node {
	for s != "" {
		i := strings.IndexByte(n.first, s[0])
		if i < 0 {
			child := &node{prefix: s}
			n.first += s[:1]
			n.static = append(n.static, child)
			return child
		}
		child := n.static[i]
		same := 0
		for same < len(s) && same < len(child.prefix) && s[same] == child.prefix[same] {
			same++
		}
		if same < len(child.prefix) {
			upper := &node{prefix: s[:same], first: child.prefix[same : same+1], static: []*node{child}}
			child.prefix = child.prefix[same:]
			n.static[i] = upper
			child = upper
		}
		n, s = child, s[same:]
	}
	return n
}

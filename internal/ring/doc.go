// Package ring provides the byte rings in the shared memory of the engine and one worker: for each I/O loop a ring of
// requests down and a ring of answers up, each with one producer and one consumer. layout.go is the one truth about
// the bytes; layout.md draws it.
//
// Neither side trusts the other: every counter and length that the peer wrote is read once and checked, and what does
// not fit is a [BrokenError], after which that link is of no use any more. A peer can therefore spoil the content of
// its own messages, but never make this side read or write outside of the ring.
//
// # Lifetimes
//
// A [Region] owns its memory. Producers, Consumers and Flags made of it, and all slices that they return, are views
// that end with [Region.Close]. A Producer and a Consumer are each used by one goroutine at a time.
package ring

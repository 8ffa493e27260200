// Package frame writes and reads the messages in the rings between the engine and a worker. layout.go is the one
// truth about the bytes; frame.md draws them.
//
// Put functions write into memory that the caller has reserved in a ring, of exactly the length that the matching
// Size function gave. Parse functions check everything that a worker wrote against the length of the slice, on values
// that they read once, and return views into it: the worker may still change the bytes behind a view, so what must
// stay checked is copied first.
package frame

//go:generate go run ../tools/layoutgen -root ../..

// Package shm provides what two processes need to share memory and to wake each other: a sealed [MemoryFile], a
// [Mapping] of a piece of it (for rings: twice in a row), and a [Doorbell].
//
// Everything is closed by the one who made it, exactly once; a second Close does nothing. A Mapping outlives the
// MemoryFile that it was made of. Memory of a Mapping is not Go memory: using it after Close is a fault that the
// process does not survive, so the last user closes.
package shm

// Package uring provides io_uring, Linux's ring of submissions and completions, without cgo: setting a [Ring] up,
// preparing the operations that a server needs, provided buffers, and a [Probe] that says which features this
// kernel really grants.
//
// A Ring belongs to one thread: the goroutine that makes it calls runtime.LockOSThread first, and is the only one
// that uses it. All memory that the kernel sees is mapped, never on the Go heap, except the bytes that a caller
// gives to Send: those stay the caller's, and must stay where they are until the completion arrives.
//
//	runtime.LockOSThread()
//	ring, err := uring.New(uring.Options{})
//	defer ring.Close()
//	ring.Send(fd, []byte("hello"), false, 1)
//	err = ring.Wait(time.Second)
//	for _, c := range done[:ring.Completions(done[:])] { … }
package uring

// Package ringloop provides the transport on io_uring: one ring a loop, in which its sockets, the doorbells of its
// sources and its own wake-ups are awaited together.
//
// # One turn
//
//	completions ─▶ Data, EOF, Drained ─▶ posted tasks ─▶ timers ─▶ Poll ─▶ resumed connections ─▶ Flush
//	     ▲                                                                                          │
//	     └───────────── one system call: submit the output, look for completions ◀── settle ◀──────┘
//
// Callbacks only change the state of a connection and put it on the loop's list of dirty ones. Settling that list at
// the end of the turn compares what each connection wants with what is armed in the kernel, and prepares the
// difference. So a full submission queue loses nothing: the connection stays on the list until the next turn.
//
// # Lifetime of a connection
//
// The kernel may read a connection's output and write to the loop's receive buffers until the last completion of its
// operations. Closing therefore cancels what is armed, waits for those completions, and only then closes the
// descriptor, gives the buffers back and tells the session.
package ringloop

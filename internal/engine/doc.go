// Package engine joins transport loops, the HTTP/1.1 codec and a message.Handler: it owns connections, their limits,
// deadlines and end. It does not know who answers.
//
// # Goroutines
//
// A connection, its exchanges and its timer belong to the loop that accepted it. Nothing here locks: the methods of
// Server may be called from any goroutine and post to the loops.
//
// # A connection
//
//	            first byte            end of head            whole, or too large to wait for
//	first ─┬───────────────▶ head ──────────────────▶ body ──────────────────▶ exchange
//	idle  ─┘                                                                    │  │  │
//	  ▲                                     body all read, keep-alive           │  │  │
//	  ├─────────────────────────────────────────────────────────────────────────┘  │  │
//	  │                                                                            │  │
//	  └──────────────────────────── discard ◀──── body not read, but small ────────┘  │
//	                                   │ too large                                    │
//	                                   ▼                                              │
//	closed ◀── closing ◀───────── linger ◀──────── last response ─────────────────────┘
//
// A phase says what the connection waits for and so how long it may wait: see the table in phase.go. There is one
// exchange at a time; the bytes of the next request stay in the transport until it has ended, so that pipelined
// requests are answered in their order (RFC 9112 section 9.3.2).
//
// # Memory
//
// Sessions and exchanges come from pools of their loop. An idle connection holds a session and nothing else.
package engine

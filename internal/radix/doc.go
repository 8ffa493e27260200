// Package radix provides the route tree: it finds the route of a canonical path in time proportional to the path's
// length, without allocating, and refuses ambiguous routes when it is built.
//
// # Patterns
//
//	/users/me               static text
//	/users/{name}           one segment, not empty        also {name:str}
//	/users/{id:int}         digits with an optional '-'
//	/jobs/{id:uuid}         8-4-4-4-12 hex digits
//	/prices/{p:float}       digits with an optional '-' and fraction
//	/files/{path...}        the rest, slashes included, possibly empty; last only       also {path:path}
//
// A parameter is a whole segment. Where several patterns match, each segment decides from left to right: static text
// before int, uuid, float, then a plain parameter, then the rest; a choice that leads nowhere, or to a route without
// the request's method, is taken back. A trailing slash is significant and nothing is redirected: "/a" and "/a/"
// are two paths.
//
// # Paths
//
// Paths are those of message.Request.Path: decoded once, with %2F and %25 left escaped, so that a '/' always
// separates segments. Static text of a pattern is compared byte by byte with that form.
//
// # Lifetimes
//
// A Tree is immutable after Build and may be used by any number of goroutines at once.
package radix

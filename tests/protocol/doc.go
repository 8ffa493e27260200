// Package protocol tests what HTTP carries beside whole requests and responses, with clients and servers of others:
// protocols that take a connection over, trailers, interim responses. Its dependencies never reach users.
package protocol

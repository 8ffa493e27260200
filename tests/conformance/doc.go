// Package conformance holds the engine to RFC 9110, RFC 9112 and the attacks that other servers have fallen to.
//
// It is written from the specifications, not from the code: testdata/cases says in text what a client sends and what
// must come back, each case with its source; testdata/index.txt lists every requirement and attack with the place
// where it is tested, or says that it is not in this version. Each case runs on every transport, whole, cut at every
// byte boundary, byte by byte and behind another request.
//
// Package conformance has no API: see the tests.
package conformance

// Package parser holds the micro-benchmarks of request heads: CovetPy's parser beside those of fasthttp and net/http. It
// has only tests.
package parser

// Package message is the vocabulary that the protocols, the engine, the bridge and the public API share: a Request
// and a Response, the Exchange that holds both, the Handler that answers it.
//
// It knows no protocol, no socket and no goroutine. HTTP/1.1 and HTTP/2 fill the same Request, so everything above
// sees no difference between them.
package message

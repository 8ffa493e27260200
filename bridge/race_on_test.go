//go:build race

package bridge

// raceDetector tells that the calls which ring a doorbell allocate, as they do under the race detector only.
const raceDetector = true

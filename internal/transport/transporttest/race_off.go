//go:build !race

package transporttest

// raceEnabled says that the race detector is on: everything takes ten times as long.
const raceEnabled = false

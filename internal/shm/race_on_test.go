//go:build race

package shm

// raceEnabled says that the race detector is on, under which system calls allocate.
const raceEnabled = true

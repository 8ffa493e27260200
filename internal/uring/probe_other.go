//go:build !(linux && (amd64 || arm64))

package uring

// Probe reports that there is no io_uring on this system.
func Probe() Report {
	return Report{Why: "io_uring exists only on Linux, and is used on amd64 and arm64; the other transports serve here"}
}

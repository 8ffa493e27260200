//go:build !linux

package worker

import "syscall"

// sysProcAttr puts a worker into a process group of its own, so that a terminal's signals reach the engine only.
// Workers see the end of the engine as the end of the control channel.
func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func (s *spawner) run() {
	for job := range s.jobs {
		job()
	}
}

func residentMemory(int) int64 { return 0 }

package worker

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// sysProcAttr puts a worker into a process group of its own, so that a terminal's signals reach the engine only, and
// asks the kernel to end it with the engine, even when the engine is killed while the worker's event loop is blocked.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// run serves the spawner's jobs on one thread. The goroutine never unlocks it, so the thread ends with the spawner.
func (s *spawner) run() {
	runtime.LockOSThread()
	for job := range s.jobs {
		job()
	}
}

func residentMemory(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

package worker

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is one running interpreter. The operating system's view of it only: see worker for its life.
type process struct {
	cmd     *exec.Cmd
	control *control
	// exited is closed when the process has ended and been reaped; err then says how.
	exited chan struct{}
	err    error
}

// workerEnv is the JSON of COVET_WORKER: see docs/internals/worker-protocol.md.
type workerEnv struct {
	Target     string `json:"target"`
	Dir        string `json:"dir"`
	Worker     int    `json:"worker"`
	Loops      int    `json:"loops"`
	Credit     int    `json:"credit"`
	Threads    int    `json:"threads"`
	Loop       string `json:"loop"`
	SpinUS     int64  `json:"spin_us"`
	SchedBatch bool   `json:"sched_batch"`
	Dev        bool   `json:"dev"`
	Describe   bool   `json:"describe"`
}

// spawner starts processes from one operating-system thread that lives as long as the spawner: on Linux the signal
// that ends workers when the engine is killed (Pdeathsig) is tied to the thread that started them.
type spawner struct{ jobs chan func() }

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go s.run()
	return s
}

func (s *spawner) close() { close(s.jobs) }

// start runs cmd.Start on the spawner's thread.
func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	s.jobs <- func() { result <- cmd.Start() }
	return <-result
}

// startProcess starts an interpreter with the given descriptors after the control channel. The files stay the
// caller's.
func startProcess(s *spawner, spec *Spec, env workerEnv, files []*os.File) (*process, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("worker control channel: %w", err)
	}
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, fmt.Errorf("worker control channel: %w", err)
	}
	text, err := json.Marshal(env)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("worker environment: %w", err)
	}
	cmd := exec.Command(spec.Python, "-m", "covet._worker")
	cmd.Dir = spec.Dir
	cmd.Env = append(os.Environ(), "COVET_WORKER="+string(text))
	out, err := newRelay(spec.Stdout, os.Stdout)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("worker output: %w", err)
	}
	defer out.started()
	errs, err := newRelay(spec.Stderr, os.Stderr)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("worker output: %w", err)
	}
	defer errs.started()
	if spec.Stdout != nil {
		// What a handler prints would stay in Python's buffer: only on a terminal it has one for each line.
		cmd.Env = append(cmd.Env, "PYTHONUNBUFFERED=1")
	}
	cmd.Stdout, cmd.Stderr = out.write, errs.write
	cmd.ExtraFiles = append([]*os.File{theirs}, files...)
	cmd.SysProcAttr = sysProcAttr()
	if err := s.start(cmd); err != nil {
		conn.Close()
		return nil, &StartError{
			Stage:   "interpreter",
			Message: fmt.Sprintf("the Python interpreter %s cannot be started: %s", spec.Python, reason(err)),
			Hint:    "give --python the path of a CPython 3.11 or newer",
		}
	}
	p := &process{cmd: cmd, control: newControl(conn), exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		patience := time.After(tailPatience)
		out.await(patience)
		errs.await(patience)
		close(p.exited)
	}()
	return p, nil
}

func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control"), nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the process without asking. It is harmless on one that has ended.
func (p *process) kill() { _ = p.cmd.Process.Kill() } // the only error is "already finished"

// end waits for the process to exit by itself, then kills it; it returns when it has been reaped.
func (p *process) end(patience time.Duration) {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-p.exited:
	case <-t.C:
		p.kill()
		<-p.exited
	}
}

// how says in words how the process ended. Only after exited.
func (p *process) how() string {
	if p.err == nil {
		return "it exited with code 0"
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "it was ended by signal " + strconv.Itoa(int(status.Signal())) + " (" + status.Signal().String() + ")"
	}
	return "it exited with code " + strconv.Itoa(p.cmd.ProcessState.ExitCode())
}

// memory is the resident memory of the process in bytes, 0 where the system does not tell.
func (p *process) memory() int64 { return residentMemory(p.pid()) }

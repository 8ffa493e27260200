package workertest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/covetpy/covet/internal/frame"
	"github.com/covetpy/covet/internal/message"
	"github.com/covetpy/covet/internal/ring"
	"github.com/covetpy/covet/internal/shm"
)

// Main makes a test binary stand in for a Python interpreter: when it was started as "PYTHON -m covet._worker", or with
// the question of worker.CheckPython, it does what is asked and exits. A TestMain calls it first. The module of the
// target chooses the behaviour, see behaviours.
func Main() {
	switch {
	case len(os.Args) > 2 && os.Args[1] == "-c":
		fmt.Printf("3.11.7 cpython\ncovet 0.1.0 %d\n", ring.Version)
		syscall.Exit(0)
	case len(os.Args) != 3 || os.Args[1] != "-m" || os.Args[2] != "covet._worker":
		return
	}
	p := &Process{control: os.NewFile(3, "control")}
	if err := json.Unmarshal([]byte(os.Getenv("COVET_WORKER")), &p.Settings); err != nil {
		p.exit(2)
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	module, _, _ := strings.Cut(p.Settings.Target, ":")
	behave, ok := behaviours()[module]
	if !ok {
		p.Say("failed", "stage", "import", "message", "no module named "+module, "hint", "", "traceback", "")
		p.exit(1)
	}
	behave(p)
	p.exit(0)
}

// Settings are those of docs/internals/worker-protocol.md that a fake makes use of.
type Settings struct {
	Target   string `json:"target"`
	Worker   int    `json:"worker"`
	Loops    int    `json:"loops"`
	Credit   int    `json:"credit"`
	Describe bool   `json:"describe"`
}

// Process is a worker process in Go.
type Process struct {
	Settings Settings

	control *os.File
	in      *bufio.Scanner
	mu      sync.Mutex // of writes
	region  *ring.Region
	worker  *Worker
}

// exit is without the second that os.Exit takes under the race detector.
func (p *Process) exit(code int) { syscall.Exit(code) }

// Write puts raw text on the control channel. When the engine is gone the process ends.
func (p *Process) Write(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.control, text); err != nil {
		p.exit(3)
	}
}

// Say sends a message with keys and values.
func (p *Process) Say(kind string, pairs ...any) {
	m := map[string]any{"type": kind}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // what the behaviours say can be written
	}
	p.Write(string(text) + "\n")
}

// Hello sends hello.
func (p *Process) Hello() {
	p.Say("hello", "pid", os.Getpid(), "python", "3.11.7", "covet", "0.1.0", "layout", ring.Version, "loop", "fake")
}

// route is one entry of "routes".
type route struct {
	ID      int      `json:"id"`
	Methods []string `json:"methods"`
	Path    string   `json:"path"`
	Name    string   `json:"name"`
	Handler string   `json:"handler"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Mode    string   `json:"mode"`
}

// Routes sends routes: those that Serve answers, and more.
func (p *Process) Routes(more ...string) {
	var list []route
	for i, path := range append([]string{"/echo/{x}", "/hold", "/stream", "/forever", "/error", "/exit"}, more...) {
		list = append(list, route{i, []string{"GET", "POST"}, path, path[1:], "fake." + path[1:], "fake.py", 10 + i, "async"})
	}
	p.Say("routes", "title", "Fake", "version", "1", "routes", list)
	if p.Settings.Describe {
		p.exit(0)
	}
}

// Open takes the memory and the doorbells.
func (p *Process) Open() {
	region, err := ring.OpenRegion(os.NewFile(4, "region"), frame.MaxFrame)
	if err != nil {
		panic(err)
	}
	bells := make([]*shm.Doorbell, 1+p.Settings.Loops)
	for i := range bells {
		if bells[i], err = shm.OpenDoorbell(os.NewFile(uintptr(5+i), "doorbell")); err != nil {
			panic(err)
		}
	}
	p.region = region
	region.SetCredit(uint32(p.Settings.Credit))
	p.worker = NewWorker(region, bells[0], bells[1:])
	p.worker.Handle = p.handle
}

// Start does everything until ready, and serves the rings from then on.
func (p *Process) Start(more ...string) {
	p.Hello()
	p.Routes(more...)
	p.Open()
	go p.worker.Run()
	p.Say("ready")
}

// Next waits for a message of the engine and returns its type; "stop" at the end of the channel.
func (p *Process) Next() string {
	if p.in == nil {
		p.in = bufio.NewScanner(p.control)
	}
	var m struct {
		Type string `json:"type"`
	}
	if !p.in.Scan() || json.Unmarshal(p.in.Bytes(), &m) != nil {
		return "stop"
	}
	return m.Type
}

// Obey waits until the engine wants the process to end, and does.
func (p *Process) Obey() {
	if p.Next() == "drain" {
		p.Say("drained")
	}
	p.exit(0)
}

// Deaf ignores what the engine says.
func (p *Process) Deaf() {
	for {
		time.Sleep(time.Hour) // only SIGKILL ends it
	}
}

// Handled tells the engine so many handled requests.
func (p *Process) Handled(n uint64) { p.region.SetLiveness(ring.Liveness{Handled: n}) }

// Block tells the engine that a handler step holds the event loop from now on, until unblocked.
func (p *Process) Block() {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	p.region.SetLiveness(ring.Liveness{BusySince: ts.Nano()})
}

// Unblock ends a Block.
func (p *Process) Unblock() { p.region.SetLiveness(ring.Liveness{}) }

// handle answers by the path: see Routes.
func (p *Process) handle(w *Worker, loop int, f []byte) {
	if f[frame.Type] == frame.TypeCancel {
		w.End(loop, Reply(f, frame.TypeCancelled)) // only /hold and /forever are ever running
		return
	}
	if f[frame.Type] != frame.TypeRequest {
		return
	}
	r, err := frame.ParseRequest(f)
	if err != nil {
		panic(err) // the engine's frames are never malformed
	}
	path := string(r.Path)
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "hold":
	case "forever":
		w.Send(loop, frame.AppendResponse(nil, Reply(f, frame.TypeStart), 200, message.ContentText, -1, nil))
		w.Piece(loop, Reply(f, frame.TypeChunk), []byte("begun"))
	case "stream":
		w.Send(loop, frame.AppendResponse(nil, Reply(f, frame.TypeStart), 200, message.ContentText, -1, nil))
		for _, text := range []string{"one ", "two ", "three"} {
			w.Piece(loop, Reply(f, frame.TypeChunk), []byte(text))
		}
		w.End(loop, Reply(f, frame.TypeEnd))
	case "error":
		w.Send(loop, frame.AppendError(nil, Reply(f, frame.TypeError), 409, "conflict", "it was there before", ""))
	case "exit":
		p.exit(9)
	default:
		var body []byte
		for i := range r.ParamCount() {
			body = append(body, r.Param(i)...)
		}
		w.Send(loop, frame.AppendResponse(nil, Reply(f, frame.TypeResponse), 200, message.ContentText, -1, body, "x-route", path))
	}
}

package workertest

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/covetpy/covet/internal/ring"
)

// behaviours are what a worker process can do, by the module of its target. Those that misbehave only once do so in
// the worker with number 1.
func behaviours() map[string]func(p *Process) {
	return map[string]func(p *Process){
		"good":  func(p *Process) { p.Start(); p.Obey() },
		"other": func(p *Process) { p.Start("/other"); p.Obey() },
		// It takes the place of a Go route.
		"conflict": func(p *Process) { p.Start("/go"); p.Obey() },

		"conflicts-later": func(p *Process) { p.only(1, func() { p.Start(); p.Obey() }); p.Start("/go"); p.Obey() },

		// Starts that fail.
		"exits":         func(p *Process) { p.exit(4) },
		"silent":        func(p *Process) { p.Deaf() },
		"never-ready":   func(p *Process) { p.Hello(); p.Routes(); p.Deaf() },
		"fails-import":  func(p *Process) { p.Hello(); p.fail() },
		"exits-late":    func(p *Process) { p.Hello(); p.Routes(); p.exit(5) },
		"no-routes":     func(p *Process) { p.Hello(); p.Say("ready"); p.Obey() },
		"no-hello":      func(p *Process) { p.Routes(); p.Obey() },
		"two-hellos":    func(p *Process) { p.Hello(); p.Hello(); p.Obey() },
		"unknown":       func(p *Process) { p.Hello(); p.Say("nonsense"); p.Obey() },
		"no-json":       func(p *Process) { p.Write("hello\n"); p.Deaf() },
		"endless-line":  func(p *Process) { p.Write(strings.Repeat("x", 5<<20) + "\n"); p.Deaf() },
		"floods-start":  func(p *Process) { p.flood() },
		"other-layout":  func(p *Process) { p.Say("hello", "pid", 1, "covet", "9.9.9", "layout", ring.Version+1); p.Obey() },
		"every-other":   func(p *Process) { p.Start(fmt.Sprintf("/worker/%d", p.Settings.Worker)); p.Obey() },
		"second-fails":  func(p *Process) { p.only(2, p.Deaf); p.Hello(); p.fail() },
		"changes-later": func(p *Process) { p.only(1, func() { p.Start(); p.Handled(100); p.Obey() }); p.Start("/new"); p.Obey() },

		// Lives that end badly.
		"exits-ready":   func(p *Process) { p.once(func() { p.exit(0) }) },
		"always-exits":  func(p *Process) { p.Start(); p.exit(6) },
		"floods":        func(p *Process) { p.once(p.flood) },
		"closes":        func(p *Process) { p.once(func() { _ = p.control.Close(); p.Deaf() }) },
		"blocks":        func(p *Process) { p.once(p.blockUntilAsked) },
		"blocks-on":     func(p *Process) { p.once(func() { signal.Ignore(syscall.SIGUSR1); p.Block(); p.Deaf() }) },
		"breaks-rings":  func(p *Process) { p.only(1, p.breakRing); p.Start(); p.Obey() },
		"deaf":          func(p *Process) { p.Start(); p.Deaf() },
		"floods-drain":  func(p *Process) { p.Start(); p.Next(); p.flood() },
		"floods-stop":   func(p *Process) { p.every(); p.Next(); p.flood() },
		"fails-leaving": func(p *Process) { p.Start(); p.Next(); p.fail() },

		// Lives that come to their limit.
		"worn": func(p *Process) { p.once(func() { p.Handled(100); p.Obey() }) },
		"worn-stuck": func(p *Process) {
			p.only(1, func() { p.Start(); p.Handled(100); p.Obey() })
			p.Hello()
			p.Routes()
			p.Deaf()
		},
		"worn-unlucky": func(p *Process) {
			p.only(2, func() { p.Hello(); p.fail() })
			p.once(func() { p.Handled(100); p.Obey() })
		},
		// Its second start fails.
		"flaky": func(p *Process) { p.only(2, func() { p.Hello(); p.fail() }); p.Start(); p.Obey() },
	}
}

// once starts well, and then does f in the first worker only.
func (p *Process) once(f func()) {
	p.Start()
	p.only(1, f)
	p.Obey()
}

// only does f in one worker and does not return there.
func (p *Process) only(number int, f func()) {
	if p.Settings.Worker == number {
		f()
		p.exit(0)
	}
}

// every starts with routes that no other worker has.
func (p *Process) every() { p.Start(fmt.Sprintf("/worker/%d", p.Settings.Worker)) }

func (p *Process) fail() {
	p.Say("failed", "stage", "import", "message", "no module named shop", "hint", "look at the name", "traceback", "Traceback (fake)")
	p.exit(1)
}

// flood writes messages for as long as the engine has an end of the channel.
func (p *Process) flood() {
	for {
		p.Say("drained")
	}
}

// blockUntilAsked blocks, and comes round when the engine has asked for the stacks.
func (p *Process) blockUntilAsked() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	p.Block()
	<-asked
	p.Unblock()
	p.Obey()
}

// breakRing writes a frame that cannot be into the first ring.
func (p *Process) breakRing() {
	p.Hello()
	p.Routes()
	p.Open()
	p.Say("ready")
	out := p.worker.Producer(0)
	f := out.Reserve(16)
	clear(f)
	f[0], f[4] = 16, 200 // a type that does not exist
	out.Commit(16)
	out.Publish()
	for _, bell := range p.worker.answers {
		bell.Ring()
	}
	p.Obey()
}

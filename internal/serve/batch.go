package serve

import (
	"log/slog"

	"github.com/covetpy/covet/internal/host"
	"github.com/covetpy/covet/internal/mailbox"
	"github.com/covetpy/covet/internal/transport"
)

// batchTask sets the scheduling policy of the thread it runs on: a loop's.
type batchTask struct {
	task mailbox.Task
	log  *slog.Logger
}

// Run implements mailbox.Runner.
func (b *batchTask) Run() {
	if err := host.Batch(); err != nil {
		b.log.Debug("an I/O loop keeps the ordinary scheduling policy", "error", err)
	}
}

// batch gives the threads of the loops the policy SCHED_BATCH: see docs/internals/crossing.md for what it brings.
func batch(loops []transport.Loop, log *slog.Logger) {
	for _, l := range loops {
		b := &batchTask{log: log}
		b.task.Do = b
		l.Post(&b.task)
	}
}

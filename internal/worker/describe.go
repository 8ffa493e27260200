package worker

import (
	"context"
	"log/slog"
	"time"
)

// Describe imports the application in a worker process that serves nothing, and returns its routes. An error is
// usually a *StartError.
func Describe(ctx context.Context, spec Spec) (*RouteTable, error) {
	spec.fill()
	s := &Supervisor{spec: spec, log: slog.New(slog.DiscardHandler), spawner: newSpawner()}
	s.policy.fill()
	defer s.spawner.close()
	p, err := startProcess(s.spawner, &s.spec, workerEnv{
		Target: spec.Target, Dir: spec.Dir, Worker: 1, Loop: spec.EventLoop, Threads: spec.Threads, Loops: 1, Credit: 1, Describe: true,
	}, nil)
	if err != nil {
		return nil, err
	}
	w := &worker{s: s, id: 1, process: p, started: time.Now(), events: make(chan event, 4)}
	go w.listen()
	err = w.awaitReady(ctx)
	p.kill()
	<-p.exited
	_ = p.control.close() // listen ends, whatever it says
	for range w.events {
	}
	if w.table != nil {
		return w.table, nil
	}
	return nil, err
}

package covet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/covetpy/covet/internal/engine"
	"github.com/covetpy/covet/internal/transport"
)

// Run listens on address ("host:port", ":port" or "unix:/path") and serves until the process gets SIGINT or
// SIGTERM; then it drains and returns nil. A second signal ends the process at once.
func (a *App) Run(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From the first signal on, the next one has its usual effect again.
	context.AfterFunc(ctx, stop)
	// The routes first: an error in them should not depend on a free port.
	if err := a.Build(); err != nil {
		return err
	}
	l, err := transport.Open(ctx, address)
	if err != nil {
		return err
	}
	return a.Serve(ctx, l)
}

// Serve runs the app on listeners that are open until ctx ends, then drains: it stops accepting, answers what is open,
// runs the stop hooks and returns. The listeners become the app's. An app is served once.
func (a *App) Serve(ctx context.Context, listeners ...transport.Listener) (err error) {
	h, err := a.Handler()
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	srv, err := engine.New(engine.Config{Transport: a.set.transport, Loops: a.set.loops, Logger: a.set.log}, h)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	if err := a.Started(ctx, srv); err != nil {
		return errors.Join(fmt.Errorf("start: %w", err), closeAll(listeners), a.Stopped(context.WithoutCancel(ctx)))
	}
	for i, l := range listeners {
		if err := srv.Listen(l); err != nil {
			return errors.Join(err, closeAll(listeners[i+1:]), a.Stopped(context.WithoutCancel(ctx)))
		}
		a.set.log.Info("listening", "address", l.Addr().String(), "transport", srv.Kind(), "loops", len(srv.Loops()),
			"routes", len(a.Routes()))
	}
	a.Ready()
	<-ctx.Done()

	a.Draining()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.set.drain)
	defer cancel()
	a.set.log.Info("draining", "timeout", a.set.drain)
	return errors.Join(srv.Drain(drain), a.Stopped(drain))
}

func closeAll(listeners []transport.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.L.Close())
	}
	return errors.Join(errs...)
}

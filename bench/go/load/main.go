// Command load is the load generator of the benchmarks: one thread, one epoll, every response checked byte by byte.
//
// It asks the requests of a plan in turn over a fixed number of connections: as fast as answers come, or at a fixed
// arrival rate, in which case a latency runs from the moment at which the request was due, so that a slow server cannot
// hide by holding the next request back ("coordinated omission").
//
// It prints BEGIN when the measured time starts, END when it ends, and then one line of JSON (see report).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

func main() {
	var s settings
	var plan string
	flag.StringVar(&s.addr, "addr", "", "IPv4 address and port of the server")
	flag.StringVar(&plan, "plan", "", "file with the requests and what they must be answered (JSON)")
	flag.IntVar(&s.connections, "connections", 64, "open connections")
	flag.DurationVar(&s.warmup, "warmup", time.Second, "load that is not measured, before")
	flag.DurationVar(&s.length, "for", 5*time.Second, "measured time")
	flag.Float64Var(&s.rate, "rate", 0, "arrivals a second; 0: the next request when an answer is there")
	flag.IntVar(&s.depth, "depth", 1, "requests sent at once on a connection")
	flag.IntVar(&s.perConn, "per-connection", 0, "requests after which a connection is closed and opened anew; 0: never")
	flag.DurationVar(&s.timeout, "timeout", 10*time.Second, "longest wait for an answer")
	flag.BoolVar(&s.idle, "idle", false, "open the connections, ask once on each, and hold them until a line comes in")
	flag.Parse()
	if err := run(s, plan); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(s settings, plan string) error {
	asks, err := readPlan(plan)
	if err != nil {
		return err
	}
	// One thread works; the memory is all there before it starts.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(1 << 30)
	l, err := newLoop(s, asks)
	if err != nil {
		return err
	}
	defer l.close()
	var r *report
	if s.idle {
		r, err = l.hold(os.Stdin, os.Stdout)
	} else {
		r, err = l.measure(os.Stdout)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

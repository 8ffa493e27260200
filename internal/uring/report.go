package uring

// Report is what Probe found.
type Report struct {
	// Usable says whether a server can run on io_uring here.
	Usable bool
	// Why explains in one sentence why it is not usable, and what to do; empty when it is.
	Why string
	// Mode is the task-run mode in use, such as "SINGLE_ISSUER|DEFER_TASKRUN".
	Mode string
	// ZeroCopy says that TCP sockets can send without copying.
	ZeroCopy bool
	// Features are the things tried, in the order in which they were tried.
	Features []Feature
}

// Feature is one thing that was tried.
type Feature struct {
	// Name is a short name, such as "multishot accept".
	Name string
	// On says that it works here.
	On bool
	// Needed says that a server cannot run on io_uring without it.
	Needed bool
	// Why explains in one sentence why it is off, and what to do; empty when it is on.
	Why string
}

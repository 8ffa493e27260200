package serve

import (
	"context"
	"fmt"
	"runtime"
	"syscall"

	"github.com/covetpy/covet/internal/host"
	"github.com/covetpy/covet/internal/shm"
	"github.com/covetpy/covet/internal/uring"
	"github.com/covetpy/covet/internal/worker"
)

// Finding is one thing that covet doctor has looked at.
type Finding struct {
	// Name is what was looked at.
	Name string `json:"name"`
	// OK tells that it is there and works.
	OK bool `json:"ok"`
	// Needed tells that nothing runs without it.
	Needed bool `json:"needed"`
	// Detail says what was found, or why it is off and what to do.
	Detail string `json:"detail"`
}

// Examine looks at everything that the server can make use of on this machine.
func Examine(ctx context.Context, python, dir string) []Finding {
	var list []Finding
	list = append(list, Finding{"system", runtime.GOOS == "linux", false,
		fmt.Sprintf("%s/%s, engine built with %s", runtime.GOOS, runtime.GOARCH, runtime.Version())})
	list = append(list, examineSockets()...)
	list = append(list, examineMachine()...)
	list = append(list, examineBridge())
	list = append(list, examinePython(ctx, python, dir))
	return list
}

func examineSockets() []Finding {
	report := uring.Probe()
	list := []Finding{{"transport uring", report.Usable, false, report.Why}}
	if report.Usable {
		list[0].Detail = "mode " + report.Mode
	}
	for _, f := range report.Features {
		list = append(list, Finding{"  " + f.Name, f.On, false, f.Why})
	}
	linux := runtime.GOOS == "linux"
	epoll := Finding{"transport epoll", linux, false, "used where io_uring is refused"}
	if !linux {
		epoll.Detail = "Linux only"
	}
	return append(list, epoll, Finding{"transport net", true, false, "used on every other system"})
}

func examineMachine() []Finding {
	cpus := Finding{"processors", true, false, fmt.Sprintf("%d usable: so many workers by default", host.CPUs())}
	files := Finding{Name: "open files"}
	soft, hard, err := host.FileLimit()
	if err != nil {
		files.Detail = err.Error()
	} else {
		files.OK = hard >= 100_000
		files.Detail = fmt.Sprintf("limit %d, may be raised to %d (the server does so)", soft, hard)
		if !files.OK {
			files.Detail += "; for 100,000 connections raise the hard limit: ulimit -Hn, LimitNOFILE= in systemd"
		}
	}
	return []Finding{cpus, files}
}

func examineBridge() Finding {
	f := Finding{Name: "shared memory", Needed: true}
	m, err := shm.NewMemoryFile("covet-doctor", int64(syscall.Getpagesize()))
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	defer m.Close()
	twice, err := m.MapTwice(0, m.Size())
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	defer twice.Close()
	f.OK, f.Detail = true, "rings can be mapped"
	return f
}

func examinePython(ctx context.Context, python, dir string) Finding {
	f := Finding{Name: "Python", Needed: true}
	path, err := worker.FindPython(python, dir)
	if err == nil {
		f.Detail, err = worker.CheckPython(ctx, path)
		f.Detail = path + ": " + f.Detail
	}
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	f.OK = true
	return f
}

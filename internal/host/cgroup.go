package host

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// machine reads what Linux tells in files, below a root that tests replace.
type machine struct{ root fs.FS }

// maxFile bounds what is read of one file, in bytes.
const maxFile = 1 << 20

func (m machine) read(name string) (string, bool) {
	f, err := m.root.Open(strings.TrimPrefix(path.Clean(name), "/"))
	if err != nil {
		return "", false
	}
	defer f.Close()
	// Files of /proc tell no size: read until the end, within reason.
	b := make([]byte, 0, 4096)
	for len(b) < maxFile {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := f.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil || n == 0 {
			break
		}
	}
	return string(b), true
}

// group is one cgroup as a directory: dir below top, the mount point, where the walk to the root of what is visible
// ends.
type group struct {
	top, dir string
	v2       bool
}

// mount is one line of /proc/self/mountinfo (proc(5)), as far as it is needed.
type mount struct {
	root, point string
	fstype      string
	options     string // of the file system: the controllers of a v1 hierarchy
}

// parseMount reads a line such as
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//	           root  point            optional    type        options
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	if !ok {
		return mount{}, false
	}
	b, a := strings.Fields(before), strings.Fields(after)
	if len(b) < 5 || len(a) < 3 {
		return mount{}, false
	}
	return mount{root: unescape(b[3]), point: unescape(b[4]), fstype: a[0], options: a[2]}, true
}

// unescape undoes \ooo, in which the kernel writes space, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// group finds the cgroup of the process for a controller: that of v1 if the controller is there, else that of v2.
func (m machine) group(controller string) (group, bool) {
	own, ok := m.read("/proc/self/cgroup")
	if !ok {
		return group{}, false
	}
	mounts, ok := m.read("/proc/self/mountinfo")
	if !ok {
		return group{}, false
	}
	v1, v2 := parseOwn(own, controller)
	var two mount
	for line := range strings.Lines(mounts) {
		mt, ok := parseMount(strings.TrimSuffix(line, "\n"))
		switch {
		case !ok:
		case mt.fstype == "cgroup" && v1 != "" && has(mt.options, controller):
			return mt.group(v1, false), true
		case mt.fstype == "cgroup2" && two.point == "":
			two = mt
		}
	}
	if v2 == "" || two.point == "" {
		return group{}, false
	}
	return two.group(v2, true), true
}

// parseOwn takes from /proc/self/cgroup (cgroups(7)) the path of the v1 hierarchy of a controller, and that of v2:
//
//	4:memory:/docker/abc
//	0::/user.slice
func parseOwn(text, controller string) (v1, v2 string) {
	for line := range strings.Lines(text) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(part) != 3:
		case part[0] == "0" && part[1] == "":
			v2 = part[2]
		case has(part[1], controller):
			v1 = part[2]
		}
	}
	return v1, v2
}

// has reports whether a list with commas holds word.
func has(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// group places a cgroup's path in a mount, which may show a part of the hierarchy only: a container sees its own
// cgroup as the root, under a path that is the host's.
func (mt mount) group(own string, v2 bool) group {
	rel, ok := strings.CutPrefix(own, strings.TrimSuffix(mt.root, "/"))
	if !ok || rel != "" && rel[0] != '/' {
		rel = "/"
	}
	// Clean from the root, so that "/../x", the path of a cgroup outside of the namespace, stays below the mount.
	return group{top: path.Clean(mt.point), dir: path.Join(mt.point, path.Clean("/"+rel)), v2: v2}
}

// smallest walks from the cgroup up to the mount point, because a limit of any of them holds, and returns the least.
func (m machine) smallest(g group, limit func(dir string) (float64, bool)) (float64, bool) {
	least := math.Inf(1)
	for dir := g.dir; ; dir = path.Dir(dir) {
		if v, ok := limit(dir); ok && v < least {
			least = v
		}
		if dir == g.top || dir == "/" || dir == "." {
			return least, !math.IsInf(least, 1)
		}
	}
}

// cpuQuota is how many processors' time the cgroups of the process allow.
func (m machine) cpuQuota() (float64, bool) {
	g, ok := m.group("cpu")
	if !ok {
		return 0, false
	}
	return m.smallest(g, func(dir string) (float64, bool) {
		var quota, period string
		if g.v2 {
			// "max 100000" or "150000 100000", in microseconds (cpu.max).
			s, _ := m.read(path.Join(dir, "cpu.max"))
			f := strings.Fields(s)
			if len(f) != 2 {
				return 0, false
			}
			quota, period = f[0], f[1]
		} else {
			quota, _ = m.read(path.Join(dir, "cpu.cfs_quota_us")) // -1: no limit
			period, _ = m.read(path.Join(dir, "cpu.cfs_period_us"))
		}
		q, err1 := strconv.ParseInt(strings.TrimSpace(quota), 10, 64)
		p, err2 := strconv.ParseInt(strings.TrimSpace(period), 10, 64)
		if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
			return 0, false
		}
		return float64(q) / float64(p), true
	})
}

// noLimit is where v1 begins to mean "no limit": it says the largest multiple of the page size.
const noLimit = 1 << 62

// memoryLimit is how many bytes the cgroups of the process allow.
func (m machine) memoryLimit() (uint64, bool) {
	g, ok := m.group("memory")
	if !ok {
		return 0, false
	}
	name := "memory.limit_in_bytes"
	if g.v2 {
		name = "memory.max" // "max": no limit
	}
	v, ok := m.smallest(g, func(dir string) (float64, bool) {
		s, _ := m.read(path.Join(dir, name))
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
		if err != nil || n == 0 || n >= noLimit {
			return 0, false
		}
		return float64(n), true
	})
	return uint64(v), ok
}

// memoryTotal is the memory of the machine, from /proc/meminfo.
func (m machine) memoryTotal() (uint64, bool) {
	s, ok := m.read("/proc/meminfo")
	if !ok {
		return 0, false
	}
	for line := range strings.Lines(s) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			f := strings.Fields(rest)
			if len(f) != 2 || f[1] != "kB" {
				return 0, false
			}
			n, err := strconv.ParseUint(f[0], 10, 64)
			if err != nil || n > math.MaxUint64>>10 {
				return 0, false
			}
			return n << 10, true
		}
	}
	return 0, false
}

// memory is what the process may use: the limit of its cgroups, or all that the machine has.
func (m machine) memory() (uint64, bool) {
	total, ok := m.memoryTotal()
	if limit, limited := m.memoryLimit(); limited && (!ok || limit < total) {
		return limit, true
	}
	return total, ok
}

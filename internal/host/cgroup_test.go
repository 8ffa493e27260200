package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	mountV2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	mountV1 = "22 27 0:21 / /proc rw,relatime - proc proc rw\n" +
		"32 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"34 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)

// fixtures are the files of a machine and what they mean. A quota or a limit of 0 means that there is none.
var fixtures = []struct {
	name   string
	files  map[string]string
	quota  float64
	memory uint64 // of Memory, with 8 GB in the machine
}{
	{"no cgroups", map[string]string{}, 0, 8 << 30},
	{"v2 without limits", map[string]string{
		"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2,
		"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n",
	}, 0, 8 << 30},
	{"v2 in a container", map[string]string{
		"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2,
		"sys/fs/cgroup/cpu.max": "150000 100000\n", "sys/fs/cgroup/memory.max": "536870912\n",
	}, 1.5, 512 << 20},
	{"v2, a limit above the own cgroup", map[string]string{
		"proc/self/cgroup": "0::/system.slice/covet.service\n", "proc/self/mountinfo": mountV2,
		"sys/fs/cgroup/system.slice/cpu.max":                  "200000 100000\n",
		"sys/fs/cgroup/system.slice/covet.service/cpu.max":    "400000 100000\n",
		"sys/fs/cgroup/system.slice/memory.max":               "max\n",
		"sys/fs/cgroup/system.slice/covet.service/memory.max": "1073741824\n",
	}, 2, 1 << 30},
	{"v2, a limit above the machine's memory", map[string]string{
		"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mountV2,
		"sys/fs/cgroup/a/memory.max": "99999999999999\n",
	}, 0, 8 << 30},
	{"v2, a cgroup outside of the namespace", map[string]string{
		"proc/self/cgroup": "0::/../../other\n", "proc/self/mountinfo": mountV2,
		"sys/fs/cgroup/cpu.max": "50000 100000\n",
	}, 0.5, 8 << 30},
	{"v1 without limits", map[string]string{
		"proc/self/cgroup": "4:memory:/\n3:cpuset:/\n2:cpu,cpuacct:/\n0::/\n", "proc/self/mountinfo": mountV1,
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
	}, 0, 8 << 30},
	{"v1 in a container that sees the host's path", map[string]string{
		"proc/self/cgroup": "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n",
		"proc/self/mountinfo": "32 31 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
			"34 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
	}, 2.5, 256 << 20},
	{"v1 for memory, v2 for the processors", map[string]string{
		"proc/self/cgroup":        "4:memory:/a/b\n0::/a\n",
		"proc/self/mountinfo":     mountV2 + "34 31 0:32 / /sys/fs/memory rw - cgroup cgroup rw,memory\n",
		"sys/fs/cgroup/a/cpu.max": "300000 100000\n",
		// The cgroup itself has no limit, the one above has.
		"sys/fs/memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
		"sys/fs/memory/a/memory.limit_in_bytes":   "134217728\n",
	}, 3, 128 << 20},
	{"a mount point with a space", map[string]string{
		"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": strings.Replace(mountV2, "/sys/fs/cgroup", `/my\040groups`, 1),
		"my groups/cpu.max": "100000 100000\n",
	}, 1, 8 << 30},
	{"nonsense", map[string]string{
		"proc/self/cgroup": "0::\nx\n:::::\n", "proc/self/mountinfo": " - \n1 2 3\n" + mountV2,
		"sys/fs/cgroup/cpu.max": "a lot\n", "sys/fs/cgroup/memory.max": "-5\n",
	}, 0, 8 << 30},
	{"a quota of nothing", map[string]string{
		"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2,
		"sys/fs/cgroup/cpu.max": "0 0\n",
	}, 0, 8 << 30},
}

func TestFixtures(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			root := t.TempDir()
			files := map[string]string{"proc/meminfo": "MemTotal:        8388608 kB\nMemFree: 1 kB\n"}
			for name, text := range f.files {
				files[name] = text
			}
			for name, text := range files {
				full := filepath.Join(root, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m := machine{root: os.DirFS(root)}
			if q, ok := m.cpuQuota(); q != f.quota && ok || ok != (f.quota != 0) {
				t.Errorf("cpuQuota() = %v, %v; want %v", q, ok, f.quota)
			}
			if b, ok := m.memory(); b != f.memory || !ok {
				t.Errorf("memory() = %d, %v; want %d", b, ok, f.memory)
			}
		})
	}
}

func TestMemoryUnknown(t *testing.T) {
	for _, info := range []string{"", "MemTotal: many kB\n", "MemTotal: 5 MB\n", "MemTotal: 99999999999999999999 kB\n"} {
		m := machine{root: fstest.MapFS{"proc/meminfo": {Data: []byte(info)}}}
		if b, ok := m.memory(); ok {
			t.Errorf("memory() with %q = %d, want unknown", info, b)
		}
	}
}

func TestCPUs(t *testing.T) {
	for _, c := range []struct {
		allowed int
		quota   float64 // 0: none
		want    int
	}{{8, 0, 8}, {8, 1.5, 2}, {8, 2, 2}, {8, 0.1, 1}, {2, 7.5, 2}, {4, 1e30, 4}, {4, 3.2, 4}, {0, 0, 1}} {
		got := cpus(c.allowed, func() (float64, bool) { return c.quota, c.quota != 0 })
		if got != c.want {
			t.Errorf("cpus(%d) with a quota of %v = %d, want %d", c.allowed, c.quota, got, c.want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for _, c := range []struct {
		release             string
		major, minor, patch int
	}{
		{"6.8.0-45-generic", 6, 8, 0},
		{"5.15.153.1-microsoft-standard-WSL2", 5, 15, 153},
		{"6.18.44-fc", 6, 18, 44},
		{"4.4", 4, 4, 0},
		{"7", 7, 0, 0},
		{"", 0, 0, 0},
		{"next", 0, 0, 0},
		{"6.x", 6, 0, 0},
		{"99999999999999999999.1", 0, 0, 0},
	} {
		v := parseVersion(c.release)
		if v != (Version{c.major, c.minor, c.patch, c.release}) {
			t.Errorf("parseVersion(%q) = %+v", c.release, v)
		}
	}
	v := Version{Major: 5, Minor: 19}
	if !v.AtLeast(5, 19) || !v.AtLeast(4, 30) || v.AtLeast(5, 20) || v.AtLeast(6, 0) {
		t.Error("AtLeast compares wrongly")
	}
}

func FuzzCgroupFiles(f *testing.F) {
	for _, fx := range fixtures {
		f.Add(fx.files["proc/self/cgroup"], fx.files["proc/self/mountinfo"], fx.files["sys/fs/cgroup/cpu.max"])
	}
	f.Fuzz(func(t *testing.T, own, mounts, value string) {
		root := fstest.MapFS{
			"proc/self/cgroup":         {Data: []byte(own)},
			"proc/self/mountinfo":      {Data: []byte(mounts)},
			"proc/meminfo":             {Data: []byte(value)},
			"sys/fs/cgroup/cpu.max":    {Data: []byte(value)},
			"sys/fs/cgroup/memory.max": {Data: []byte(value)},
		}
		m := machine{root: root}
		if q, ok := m.cpuQuota(); ok && !(q > 0) {
			t.Errorf("a quota of %v", q)
		}
		if b, ok := m.memoryLimit(); ok && b == 0 {
			t.Error("a limit of nothing")
		}
		m.memory()
		if g, ok := m.group("cpu"); ok && !strings.HasPrefix(g.dir+"/", strings.TrimSuffix(g.top, "/")+"/") {
			t.Errorf("the cgroup %q is not below its mount %q", g.dir, g.top)
		}
	})
}

package cgroup_test

import (
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/flagside/flagside/internal/cgroup"
)

func TestMemoryLimit(t *testing.T) {
	const none = 0
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing":                      {nil, none},
		"version 2 in a container":     {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "67108864\n"}, 67108864},
		"version 2 without a limit":    {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, none},
		"version 2 around the process": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "1000\n"}, 1000},
		"version 2, the smallest":      {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "500\n", "sys/fs/cgroup/a/memory.max": "1000\n"}, 500},
		"version 1": {map[string]string{
			"proc/self/cgroup": "9:cpu:/\n4:memory:/docker/1\n", "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "4096\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 4096},
		"version 1 in a container":  {map[string]string{"proc/self/cgroup": "4:memory:/docker/1\n0::/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "8192\n"}, 8192},
		"version 1 without a limit": {map[string]string{"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, none},
		"something else":            {map[string]string{"proc/self/cgroup": "memory\n\n0::\n", "sys/fs/cgroup/memory.max": "-1\n"}, none},
		"a path that leads out":     {map[string]string{"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/x/memory.max": "77\n"}, 77},
	} {
		root := fstest.MapFS{}
		for file, text := range c.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		got, ok := cgroup.MemoryLimit(root)
		if ok != (c.want != none) || ok && got != c.want {
			t.Errorf("%s: %d, %v, want %d", name, got, ok, c.want)
		}
	}
}

// LimitMemory is called in a process of its own, because the limit is one of the whole process.
func TestLimitMemory(t *testing.T) {
	const variable = "CGROUP_TEST"
	if os.Getenv(variable) != "" {
		cgroup.LimitMemory(80)
		want := int64(math.MaxInt64)
		if limit, ok := cgroup.MemoryLimit(os.DirFS("/")); ok {
			want = limit / 100 * 80
		}
		if os.Getenv("GOMEMLIMIT") != "" {
			want = 77 << 20
		}
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("the limit is %d, want %d", got, want)
		}
		return
	}
	for _, limit := range []string{"", "77MiB"} {
		c := exec.Command(os.Args[0], "-test.run=^TestLimitMemory$", "-test.v") // #nosec G204 -- this test
		c.Env = append(os.Environ(), variable+"=1", "GOMEMLIMIT="+limit)
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("GOMEMLIMIT=%q: %v\n%s", limit, err, out)
		}
	}
}

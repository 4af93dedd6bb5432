// Package cgroup tells how much memory the system lets a process have, so that the garbage collector works harder before the process is killed.
package cgroup

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// unlimited is from where on a number of bytes means that there is no limit: version 1 has no other word for it.
const unlimited = 1 << 60

// LimitMemory sets the memory limit of the Go runtime to some percent of what the control groups of the process allow. It does nothing where they
// have no limit, or where GOMEMLIMIT is set. Call it before anything large is made.
func LimitMemory(percent int64) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, ok := MemoryLimit(os.DirFS("/")); ok {
		debug.SetMemoryLimit(limit / 100 * percent)
	}
}

// MemoryLimit returns the smallest limit, in bytes, of the control groups that the process is in, as far as the files below root show them, of either
// version. It returns false if there is none.
func MemoryLimit(root fs.FS) (limit int64, ok bool) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	limit = math.MaxInt64
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) < 3:
		case parts[0] == "0" && parts[1] == "":
			limit = min(limit, smallest(root, "sys/fs/cgroup", parts[2], "memory.max"))
		case parts[1] == "memory":
			limit = min(limit, smallest(root, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes"))
		}
	}
	return limit, limit < unlimited
}

// smallest returns the smallest limit of a group and of those around it. In a container the group itself may be where the others are mounted, and
// its path one that only the host knows.
func smallest(root fs.FS, mount, group, file string) int64 {
	limit := int64(math.MaxInt64)
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		if n, ok := read(root, path.Join(mount, at, file)); ok {
			limit = min(limit, n)
		}
		if at == "/" {
			return limit
		}
	}
}

func read(root fs.FS, name string) (limit int64, ok bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	limit, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is none
	return limit, err == nil && limit > 0
}

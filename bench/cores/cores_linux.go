package cores

import (
	"errors"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Split returns two cores that this process may use: one for this process, which stays there with what it starts, and one for a server. It fails with
// [ErrOne] if there are no two.
func Split() (here, server Core, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return Any, Any, err
	}
	if all.Count() < 2 {
		return Any, Any, ErrOne
	}
	here, server = first(all), last(all)
	return here, server, keep(here)
}

func first(all unix.CPUSet) Core {
	for i := 0; ; i++ {
		if all.IsSet(i) {
			return Core(i)
		}
	}
}

func last(all unix.CPUSet) Core {
	for i := len(all)*64 - 1; ; i-- {
		if all.IsSet(i) {
			return Core(i)
		}
	}
}

// keep moves all threads of this process to a core. Those that come later inherit it; the second pass has those that came meanwhile.
func keep(c Core) error {
	for range 2 {
		if err := c.moveThreads(); err != nil {
			return err
		}
	}
	return nil
}

func (c Core) moveThreads() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	set := c.set()
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

func (c Core) set() unix.CPUSet {
	var set unix.CPUSet
	set.Set(int(c))
	return set
}

// start lets this thread have the core while it starts the process, which inherits it.
func (c Core) start(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	set := c.set()
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, &before))
}

// Has reports whether a process runs on the core and no other.
func (c Core) Has(pid int) (bool, error) {
	var set unix.CPUSet
	err := unix.SchedGetaffinity(pid, &set)
	return set == c.set(), err
}

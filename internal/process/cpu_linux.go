package process

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// UsedCPU returns the processor time that any process has used, in user mode and in the kernel, to the nanosecond. Its clock has the number of the
// process turned over, and the kind of clock in the last three bits (clock_getcpuclockid).
func UsedCPU(pid int) (time.Duration, error) {
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &t); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

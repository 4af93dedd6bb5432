package fan

import (
	"context"
	"errors"
	"os"
	"runtime/pprof"
	"time"

	"github.com/flagside/flagside/internal/process"
)

// rest is how long it is measured what processes take while nothing changes.
const rest = 4 * time.Second

// Use is what a process takes, from its processor clock.
type Use struct {
	// All is the processor time for one change in microseconds, with all that the process does meanwhile, Change the same without what it takes at
	// rest for as long.
	All, Change float64
	// Rest is the processor time of a second in which nothing changes, in microseconds: heartbeats, pings and the rest.
	Rest float64
	// Resident is its memory with all followers, in bytes, and Grown by how much they made it grow.
	Resident, Grown int64
}

// usage measures several processes at once, over one time after another.
type usage struct {
	pids   []int
	before []reading
	at     time.Time
}

type reading struct {
	cpu      time.Duration
	resident int64
}

// watch begins with processes before there are followers.
func watch(pids ...int) (u *usage, resident []reading, err error) {
	u = &usage{pids: pids}
	resident, _, err = u.lap()
	return u, resident, err
}

// lap returns what each process has used since the last one, how much memory it has now, and how long that was.
func (u *usage) lap() (used []reading, took time.Duration, err error) {
	now, used := make([]reading, len(u.pids)), make([]reading, len(u.pids))
	for i, pid := range u.pids {
		if now[i].cpu, err = process.UsedCPU(pid); err != nil {
			return nil, 0, err
		}
		if now[i].resident, err = process.ResidentBytes(pid); err != nil {
			return nil, 0, err
		}
		used[i] = now[i]
		if u.before != nil {
			used[i].cpu -= u.before[i].cpu
		}
	}
	took = time.Since(u.at)
	u.before, u.at = now, time.Now()
	return used, took, nil
}

// atRest returns what the processes use in a second while nothing changes.
func (u *usage) atRest(ctx context.Context) ([]time.Duration, error) {
	if err := pause(ctx, rest/2); err != nil { // what began with the followers ends
		return nil, err
	}
	if _, _, err := u.lap(); err != nil {
		return nil, err
	}
	if err := pause(ctx, rest); err != nil {
		return nil, err
	}
	used, took, err := u.lap()
	perSecond := make([]time.Duration, len(used))
	for i := range used {
		perSecond[i] = time.Duration(float64(used[i].cpu) / took.Seconds())
	}
	return perSecond, err
}

func pause(ctx context.Context, long time.Duration) error {
	select {
	case <-time.After(long):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// newUse returns what one process took for so many changes in a time.
func newUse(changes int, used reading, took, perSecond time.Duration, grown int64) Use {
	atRest := time.Duration(float64(perSecond) * took.Seconds())
	return Use{
		All: microseconds(used.cpu) / float64(changes), Change: microseconds(max(used.cpu-atRest, 0)) / float64(changes),
		Rest: microseconds(perSecond), Resident: used.resident, Grown: grown,
	}
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// profile writes a CPU profile of this process until the returned function is
// called.
func profile(path string) (stop func() error, err error) {
	file, err := os.Create(path) // #nosec G304 -- where the caller of the command wants it
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

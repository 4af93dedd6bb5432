package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The environment of a sidecar whose clock jumps: how long after its start, and
// how far, both in nanoseconds. Without them the clock is right.
const (
	ClockJumpsAfter = "CLOCK_JUMPS_AFTER"
	ClockJumpsBy    = "CLOCK_JUMPS_BY"
)

// How the clock that everybody sets is read in the standard library, and what
// stands there instead. The monotonic clock stays as it is, as when an
// administrator sets the clock of a machine.
const (
	readsClock = `	sec, nsec, mono := runtimeNow()
	if mono == 0 {`
	readsJumpingClock = `	sec, nsec, mono := runtimeNow()
	if mono-startNano >= jumpsAfter {
		sec += jumpsBy / 1e9
	}
	if mono == 0 {`
	jump = `
var (
	jumpsAfter = jumpNumber("` + ClockJumpsAfter + `")
	jumpsBy    = jumpNumber("` + ClockJumpsBy + `")
)

func jumpNumber(name string) int64 {
	text, _ := syscall.Getenv(name)
	sign, n := int64(1), int64(0)
	for _, digit := range []byte(text) {
		if digit == '-' {
			sign = -1
			continue
		}
		n = 10*n + int64(digit-'0')
	}
	return sign * n
}
`
)

// WithJumpingClock compiles a sidecar into dir whose clock can be told to jump,
// and returns it with the publisher of b, whose keys it trusts. It takes a
// minute, because everything rests on the clock.
func (b Binaries) WithJumpingClock(ctx context.Context, dir string) (Binaries, error) {
	overlay, err := overlayClock(ctx, dir)
	if err != nil {
		return Binaries{}, err
	}
	b.Sidecar = filepath.Join(dir, "sidecar-with-jumping-clock")
	// #nosec G204 -- the arguments are constants and a directory of the caller's.
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", b.Sidecar, module+"/cmd/sidecar")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return Binaries{}, fmt.Errorf("build a sidecar with a jumping clock: %w\n%s", err, out)
	}
	return b, nil
}

// overlayClock writes the changed source and tells which one it replaces.
func overlayClock(ctx context.Context, dir string) (overlay string, err error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("where Go is installed: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	changed := strings.Replace(string(source), readsClock, readsJumpingClock, 1)
	changed = strings.Replace(changed, "\nimport (\n", "\nimport (\n\t\"syscall\"\n", 1)
	if !strings.Contains(changed, readsJumpingClock) || !strings.Contains(changed, "\t\"syscall\"\n") {
		return "", fmt.Errorf("%s does not read the clock as expected", original)
	}
	return writeOverlay(dir, map[string]string{original: changed + jump})
}

package follow_test

import (
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"
)

// virtual is set in the environment of a process that runs one test in virtual
// time.
const virtual = "FLAGSIDE_TEST_VIRTUAL_TIME"

// inVirtualTime runs a test, the one that calls it, in virtual time and in a
// process of its own: nats.go keeps timers in a pool of the whole process, and
// those of virtual time must not get to tests in real time.
func inVirtualTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Getenv(virtual) == t.Name() {
		synctest.Test(t, func(t *testing.T) {
			t.Helper()
			test(t)
			time.Sleep(time.Minute) // for answers that are still under way
		})
		return
	}
	t.Parallel()
	limit := 3 * time.Minute // who never sleeps stops the time of the test, and only that
	if soaking() {
		limit = 0
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", limit.String())
	cmd.Env = append(os.Environ(), virtual+"="+t.Name())
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	t.Logf("%s", output)
}

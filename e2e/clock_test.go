package e2e_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/process"
)

// The clock of the machine is set by ten years, while a sidecar runs and while it does not: what it knows is as old as it is, neither
// older nor younger, and everything goes on.
func TestTheClockOfASidecarJumps(t *testing.T) {
	if os.Getenv("FLAGSIDE_SOAK") == "" {
		t.Skip("compiles every package again, which takes a minute; FLAGSIDE_SOAK=1 runs it")
	}
	jumping, err := binaries.WithJumpingClock(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const decade = 10 * 365 * 24 * time.Hour
	for name, by := range map[string]time.Duration{"forward": decade, "back": -decade} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, jumping)
			const settled = 3 * time.Second
			c.start(settled, by)
			c.keepsItsAge(settled + 3*time.Second)
			c.wantClock(by)
			c.losesTheLog()
			c.sidecar.Kill()
			c.start(0, -by) // and finds files of another time
			c.keepsItsAge(2 * time.Second)
			c.wantClock(-by)
			c.losesTheLog()
		})
	}
}

// clocked is a sidecar whose clock jumps.
type clocked struct {
	*system
	programs process.Binaries
	network  *faultnet.Proxy
	dir      string
	sidecar  *process.Sidecar
}

const boundedKey = "bounded"

func newClocked(t *testing.T, programs process.Binaries) *clocked {
	t.Helper()
	c := &clocked{system: newSystem(t), programs: programs, dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	c.ctx = ctx
	c.startPublisher()
	c.createEnvironment("prod")
	c.network = faultnet.Start(t, c.nats)
	for key, more := range map[string]string{boundedKey: `,"maxStaleness":"3s"`, freshKey: `,"freshness":"always_fresh","onUnreachable":"error"`} {
		body := `{"state":"ENABLED","variants":{"only":0},"defaultVariant":"only"` + more + `}`
		if _, err := c.publisher.PutFlag(c.ctx, "prod", key, "", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// start runs a sidecar until it is live.
func (c *clocked) start(after, by time.Duration) {
	c.t.Helper()
	c.t.Setenv(process.ClockJumpsAfter, strconv.FormatInt(int64(after), 10))
	c.t.Setenv(process.ClockJumpsBy, strconv.FormatInt(int64(by), 10))
	a := addresses(c.t, 2)
	sidecar, err := c.programs.StartSidecar("prod", c.network.Addr(), c.dir, a[0], a[1])
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(sidecar.Kill)
	c.sidecar = sidecar
	c.awaitReady(sidecar)
	c.awaitReason(boundedKey, "STATIC")
	c.awaitReason(freshKey, "STATIC")
}

// reason asks for a flag and returns the reason of the answer, or its error code.
func (c *clocked) reason(key string) string {
	c.t.Helper()
	answer, err := c.sidecar.Evaluate(c.ctx, key, `{}`)
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.sidecar.Output())
	}
	if answer.ErrorCode != "" {
		return answer.ErrorCode
	}
	return answer.Reason
}

func (c *clocked) awaitReason(key, want string) {
	c.t.Helper()
	var last string
	err := process.Await(c.ctx, key+" answered with "+want, func() bool {
		last = c.reason(key)
		return last == want
	})
	if err != nil {
		c.t.Fatalf("%v; the last was %s\n%s", err, last, c.sidecar.Output())
	}
}

// age returns how old knowledge is, as the sidecar says.
func (c *clocked) age() time.Duration {
	c.t.Helper()
	status, err := c.sidecar.Status(c.ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	serving, _ := status["serving"].(map[string]any)
	seconds, known := serving["ageSeconds"].(float64)
	if !known {
		c.t.Errorf("the age is not known: %v", status)
	}
	return time.Duration(seconds * float64(time.Second))
}

// keepsItsAge looks for a while whether knowledge is young, as it is when nothing is wrong.
func (c *clocked) keepsItsAge(d time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		age, bounded, fresh := c.age(), c.reason(boundedKey), c.reason(freshKey)
		if age < 0 || age > 3*time.Second || bounded != "STATIC" || fresh != "STATIC" {
			c.t.Errorf("age %s, reasons %s and %s", age, bounded, fresh)
			return
		}
	}
}

// wantClock fails the test unless the sidecar believes that it is about so much later than it is.
func (c *clocked) wantClock(ahead time.Duration) {
	c.t.Helper()
	status, err := c.sidecar.Status(c.ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	log, _ := status["log"].(map[string]any)
	text, _ := log["lastHeartbeat"].(string)
	beat, err := time.Parse(time.RFC3339Nano, text)
	if off := time.Until(beat) - ahead; err != nil || off.Abs() > time.Minute {
		c.t.Errorf("the last beat came at %q, %v; it is to be %s ahead", text, err, ahead)
	}
}

// losesTheLog cuts the sidecar off until knowledge is too old, and joins it again.
func (c *clocked) losesTheLog() {
	c.t.Helper()
	began := time.Now()
	c.network.Refuse(true)
	c.network.Cut()
	c.awaitReason(boundedKey, "STALE")
	took, age := time.Since(began), c.age()
	c.t.Logf("stale after %s, at an age of %s", took.Round(time.Millisecond), age)
	if took < time.Second || took > 5*time.Second || age < 3*time.Second || age > 6*time.Second {
		c.t.Errorf("stale after %s, at an age of %s", took, age)
	}
	c.network.Refuse(false)
	c.awaitReason(boundedKey, "STATIC")
	c.awaitReason(freshKey, "STATIC")
}

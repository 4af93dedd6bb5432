package dev_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/usage"
)

// killedEnvironment has what the process that is killed follows and keeps: the address of NATS, and files, with spaces between them.
const killedEnvironment = "FLAGSIDE_TEST_KILLED_SIDECAR"

// TestMain is also the sidecar that TestExposuresOfAKilledSidecar kills.
func TestMain(m *testing.M) {
	if what := strings.Fields(os.Getenv(killedEnvironment)); len(what) > 0 {
		fmt.Println("error:", serveUntilKilled(what))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func serveUntilKilled(what []string) error {
	s, err := sidecar.New(sidecar.Options{
		Environment: natstest.Environment, NATS: what[0], NATSNKey: what[1], TrustFile: what[2], ExposureKeyFile: what[3], DataDir: what[4],
		OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0", UsageInterval: 100 * time.Millisecond, Logger: zerolog.Nop(),
	})
	if err != nil {
		return err
	}
	go func() {
		for !s.Ready() {
			time.Sleep(10 * time.Millisecond)
		}
		fmt.Println(s.OFREPAddr())
	}()
	return s.Run(context.Background())
}

// life is what a process was told until it was killed: numbers of subjects, in order.
type life struct{ first, reported, last int }

// A sidecar is killed (kill -9) at any moment while subjects are exposed and outcomes are told, with NATS there and not. What it had reported is in the
// stream, or comes from its files with the next process. It loses what it was told since its last report and nothing before that, and nothing is there
// twice.
func TestExposuresOfAKilledSidecar(t *testing.T) {
	rounds := 4
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = 50
	}
	x := newExperiment(t)
	x.stop()
	trust := filepath.Join(t.TempDir(), "trust")
	if err := os.WriteFile(trust, []byte(trusttest.Default().TrustText()), 0o600); err != nil {
		t.Fatal(err)
	}
	files := strings.Join([]string{x.server.URL(), natstest.SidecarKey(t), trust, x.keyFile, x.dir}, " ")
	users := 0
	var lives []life
	for round := range rounds {
		sidecar := startKilled(t, files)
		one := life{first: users + 1}
		use := func(n int) {
			for range n {
				users++
				x.useOf(sidecar.address, users)
			}
		}
		use(20 + rand.IntN(20))
		if outage := round%2 == 1; outage {
			x.server.Stop(t)
			use(20)
			waiting.Until(t, "what was told waits in a file", func() bool { return x.onDisk(users) })
			one.reported = users
			use(rand.IntN(20))
			sidecar.kill()
			x.server.Restart(t)
		} else {
			waiting.Until(t, "what was told is reported", func() bool { return x.inStream(users) })
			one.reported = users
			use(20)
			time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) // amid a report, perhaps
			sidecar.kill()
		}
		one.last = users
		lives = append(lives, one)
	}
	x.start() // which sends what waits
	x.useOf("http://"+x.sidecar.OFREPAddr().String(), users+1)
	waiting.Until(t, "the last is reported", func() bool { return x.inStream(users + 1) }, x.logs)
	x.stop()
	x.wantSuffixesLost(lives)
}

// wantSuffixesLost wants of each life all that was reported, and of what came afterwards all up to a point.
func (x *experiment) wantSuffixesLost(lives []life) {
	x.t.Helper()
	exposures, outcomes := x.events()
	lost := 0
	for _, name := range []string{"checkout ", "bought "} {
		all := exposures
		if name == "bought " {
			all = outcomes
		}
		for i, l := range lives {
			gone := 0
			for user := l.first; user <= l.last; user++ {
				n := all[name+x.subject(fmt.Sprint("user-", user))]
				switch {
				case n > 1:
					x.t.Errorf("life %d: %suser %d is there %d times", i, name, user, n)
				case n == 0 && user <= l.reported:
					x.t.Errorf("life %d: %suser %d is lost, and everything up to %d was reported", i, name, user, l.reported)
				case n == 0:
					gone++
				case gone > 0:
					x.t.Errorf("life %d: %suser %d is there, and one before it is not", i, name, user)
				}
			}
			lost += gone
		}
	}
	x.t.Logf("%d processes were killed; %d exposures and outcomes that they had not reported are lost", len(lives), lost)
}

// useOf exposes a user and tells an outcome.
func (x *experiment) useOf(address string, user int) {
	x.t.Helper()
	if status := x.post(address+"/ofrep/v1/evaluate/flags/checkout", fmt.Sprintf(`{"context":{"targetingKey":"user-%d"}}`, user)); status != http.StatusOK {
		x.t.Fatalf("status %d", status)
	}
	if status := x.post(address+"/v1/events", fmt.Sprintf(`{"event":"bought","targetingKey":"user-%d"}`, user)); status != http.StatusAccepted {
		x.t.Fatalf("status %d", status)
	}
}

// inStream reports whether the exposure and the outcome of a user are in the stream.
func (x *experiment) inStream(user int) bool {
	exposures, outcomes := x.events()
	subject := x.subject(fmt.Sprint("user-", user))
	return exposures["checkout "+subject] > 0 && outcomes["bought "+subject] > 0
}

// onDisk reports whether they wait in a file.
func (x *experiment) onDisk(user int) bool {
	x.t.Helper()
	found, err := filepath.Glob(filepath.Join(x.dir, "usage", natstest.Environment, "*.usage"))
	if err != nil {
		x.t.Fatal(err)
	}
	subject := x.subject(fmt.Sprint("user-", user))
	exposed, told := false, false
	for _, file := range found {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it was sent meanwhile
		}
		r, err := usage.Decode(data)
		if err != nil {
			x.t.Errorf("%s: %v", file, err)
		}
		for _, e := range r.Exposures {
			exposed = exposed || e.Subject == subject
		}
		for _, o := range r.Outcomes {
			told = told || o.Subject == subject
		}
	}
	return exposed && told
}

// killed is a sidecar in a process of its own.
type killed struct {
	address string
	process *exec.Cmd
}

func startKilled(t *testing.T, files string) *killed {
	t.Helper()
	k := &killed{process: exec.CommandContext(t.Context(), os.Args[0])}
	k.process.Env = append(os.Environ(), killedEnvironment+"="+files)
	k.process.Stderr = os.Stderr
	out, err := k.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.process.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		t.Fatal(line, err)
	}
	k.address = "http://" + strings.TrimSpace(line)
	return k
}

// kill ends it as kill -9 does.
func (k *killed) kill() {
	_ = k.process.Process.Kill()
	_ = k.process.Wait() // it was killed
}

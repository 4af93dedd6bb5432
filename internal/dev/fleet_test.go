package dev_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/dev"
	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/cli"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

const (
	fleetEnvironment = "prod"
	fleetSecret      = "the-secret-of-the-admin-in-these-tests"
)

// aFleet is a publisher and sidecars, each behind a network of its own.
type aFleet struct {
	*client.Client

	t         *testing.T
	publisher *publisher.Publisher
	members   []*member
	flags     int // how many times the flag was written
}

// member is a sidecar.
type member struct {
	*sidecar.Sidecar

	name    string
	network *faultnet.Proxy
	stop    func()
}

// startFleet starts a publisher and so many sidecars.
func startFleet(t *testing.T, sidecars int) *aFleet {
	t.Helper()
	policy := filepath.Join(t.TempDir(), "policy.cedar")
	if err := os.WriteFile(policy, []byte("permit (principal, action, resource);"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := publisher.New(publisher.Options{
		Policy:  policy,
		DataDir: t.TempDir(), AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", GatherReports: time.Second,
		FixedTokens: []access.FixedToken{{Secret: fleetSecret, Principal: access.Principal{ID: "admin", Kind: access.KindDev, Groups: []string{access.RoleAdmin}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	runPart(t, p.Run)
	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Ready(ready); err != nil {
		t.Fatal(err)
	}
	f := &aFleet{t: t, publisher: p}
	if f.Client, err = client.New(client.Options{Address: "http://" + p.AdminAddr().String(), Token: fleetSecret}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateEnvironment(t.Context(), api.NewEnvironment{Name: fleetEnvironment, Protected: new(false)}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	f.change()
	for i := range sidecars {
		f.start(fmt.Sprintf("shop-%d", i))
	}
	return f
}

// runPart runs something until the test ends or the returned function ends it.
func runPart(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// start starts a sidecar in a pod.
func (f *aFleet) start(name string) *member {
	f.t.Helper()
	m := &member{name: name, network: faultnet.Start(f.t, strings.TrimPrefix(f.publisher.NATSURL(), "nats://"))}
	var err error
	m.Sidecar, err = sidecar.New(sidecar.Options{
		Environment: fleetEnvironment, NATS: "nats://" + m.network.Addr(), Trust: f.publisher.Trust(), OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0",
		Identity: status.Identity{Pod: name, Namespace: "shop", Application: "shop"}, Version: "v1", Logger: zerolog.Nop(),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	m.stop = runPart(f.t, m.Run)
	f.members = append(f.members, m)
	return m
}

// change changes a flag and returns the revision.
func (f *aFleet) change() string {
	f.t.Helper()
	f.flags++
	id := document.ID{Kind: document.KindFlag, Key: "checkout"}
	seen := client.Precondition{Absent: true}
	if f.flags > 1 {
		var err error
		if _, seen, err = f.Document(f.t.Context(), fleetEnvironment, id); err != nil {
			f.t.Fatal(err)
		}
	}
	body := fmt.Sprintf(`{"state":"ENABLED","variants":{"on":%d,"off":0},"defaultVariant":"on"}`, f.flags)
	headers := api.ChangeHeaders{IdempotencyKey: status.NewBoot()} // so that what a busy machine does not decide in time can be asked for again
	var written api.Written
	waiting.Until(f.t, "the change", func() (decided bool) {
		var err error
		written, _, err = f.Put(f.t.Context(), fleetEnvironment, id, []byte(body), seen, headers)
		if refused, ok := errors.AsType[*client.Error](err); err != nil && (!ok || refused.Type != api.ProblemUndecided) {
			f.t.Fatal(err)
		}
		return err == nil
	})
	return written.Revision
}

// converges waits until every sidecar that is known serves a revision.
func (f *aFleet) converges(revision string, sidecars int) api.Convergence {
	f.t.Helper()
	var last api.Convergence
	waiting.Until(f.t, "the fleet to serve "+revision, func() bool {
		var err error
		last, err = f.Convergence(f.t.Context(), fleetEnvironment, revision, api.ConvergenceQuery{Percent: 100, WaitMs: 5000})
		return err == nil && last.Converged && last.Of == sidecars
	}, said(func() string { return fmt.Sprintf("%+v", last) }))
	return last
}

// said is what evidence says.
type said func() string

func (s said) String() string { return s() }

// serves asks a sidecar itself which revision it serves.
func (f *aFleet) serves(m *member) changelog.Token {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "http://"+m.ManagementAddr().String()+"/status", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct{ Revision string }
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		f.t.Fatal(err)
	}
	token, err := changelog.ParseToken(body.Revision)
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// verify compares what is said of a revision with what sidecars serve.
func (f *aFleet) verify(c api.Convergence) {
	f.t.Helper()
	wanted, err := changelog.ParseToken(c.Revision)
	if err != nil {
		f.t.Fatal(err)
	}
	late := make(map[string]bool)
	for _, s := range c.Stragglers {
		late[s.Name] = true
	}
	for _, m := range f.members {
		if !late[m.name] && f.serves(m).Revision < wanted.Revision {
			f.t.Errorf("%s is said to serve %s, and serves %s", m.name, c.Revision, f.serves(m))
		}
	}
}

// cut takes a sidecar from the network.
func (m *member) cut() {
	m.network.Refuse(true)
	m.network.Cut()
}

// freeze lets nothing of a sidecar pass, while its connection stands: as if its process stood still.
func (m *member) freeze() {
	hold := faultnet.Rule{Action: faultnet.Hold}
	m.network.Set(faultnet.Faults{ToServer: hold, ToClient: hold})
}

func (m *member) heal() {
	m.network.Refuse(false)
	m.network.Set(faultnet.Faults{})
}

// run runs a command line, and returns its exit code and what it printed.
func (f *aFleet) run(line string) (int, string) {
	f.t.Helper()
	args := strings.Fields(line)
	environment := map[string]string{"FLAGSIDE_ADMIN": "http://" + f.publisher.AdminAddr().String(), "FLAGSIDE_TOKEN": fleetSecret, "FLAGSIDE_ENVIRONMENT": fleetEnvironment}
	var out bytes.Buffer
	for _, c := range cli.Commands() {
		if !c.Begins(args) {
			continue
		}
		i := c.New()
		action, err := i.Set.Parse(args[len(c.Words):], func(name string) (string, bool) { text, ok := environment[name]; return text, ok })
		if err == nil && action == config.ActionRun {
			err = i.Check()
		}
		if err != nil {
			f.t.Fatalf("%s: %v", line, err)
		}
		err = i.Run(f.t.Context(), commandline.Terminal{Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard})
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
		}
		return cli.ExitCode(err), out.String()
	}
	f.t.Fatalf("%s: there is no such command", line)
	return 0, ""
}

// fleetSize is how many sidecars a test starts.
func fleetSize(few, many int) int {
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		return many
	}
	return few
}

// Three sidecars are cut off, two stand still, and one is killed: wait names these and no others, first as behind and then, which takes long, as silent;
// and every other one serves the change. What has come back serves it, and the killed one alone is named.
func TestWaitNamesWhoDoesNotServe(t *testing.T) {
	t.Parallel()
	sidecars := fleetSize(12, 200)
	f := startFleet(t, sidecars)
	f.converges("last", sidecars)
	first := f.change()
	served := f.converges(first, sidecars)
	f.verify(served)
	if took := served.ServedIn; took == nil || took.AllMs == nil || took.Sidecars != sidecars {
		t.Errorf("it was served so: %+v", took)
	}
	if code, out := f.run("flag toggle checkout off --wait"); code != 0 || !strings.Contains(out, fmt.Sprintf("served by %[1]d of %[1]d sidecars after ", sidecars)) {
		t.Errorf("exit %d: %s", code, out)
	}
	f.flags++ // the document has another revision

	away := slices.Clone(f.members[:6])
	for i, m := range away {
		switch {
		case i < 3:
			m.cut()
		case i < 5:
			m.freeze()
		default:
			m.cut()
			m.stop()
		}
	}
	second := f.change()
	f.names(second, away[:5], away[5])
	if code, out := f.run("wait " + second + " --timeout 100ms"); code != 11 || strings.Count(out, "shop-") != len(away) || !strings.Contains(out, "behind at") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out := f.run("wait --last --percent 50"); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out := f.run("fleet --behind"); code != 0 || strings.Count(out, "shop-") != len(away) {
		t.Errorf("exit %d: %s", code, out)
	}
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		f.saysSilent(second, away)
	}
	for _, m := range away {
		m.heal()
	}
	f.members = slices.DeleteFunc(f.members, func(m *member) bool { return m == away[5] })
	f.names(second, nil, away[5])
}

// saysSilent waits until exactly these are named as those that do not serve a revision, and all as silent; and so says the command.
func (f *aFleet) saysSilent(revision string, away []*member) {
	f.t.Helper()
	waiting.Until(f.t, "sidecars to be silent", func() bool {
		found, err := f.Convergence(f.t.Context(), fleetEnvironment, revision, api.ConvergenceQuery{Percent: 100})
		return err == nil && len(found.Stragglers) == len(away) && !slices.ContainsFunc(found.Stragglers, func(s api.Straggler) bool {
			return s.Why != string(fleet.Silent) || !slices.ContainsFunc(away, func(m *member) bool { return m.name == s.Name })
		})
	})
	if code, out := f.run("wait " + revision + " --timeout 100ms"); code != 11 || strings.Count(out, ": silent at ") != len(away) {
		f.t.Errorf("exit %d: %s", code, out)
	}
}

// names waits until exactly these sidecars, and one that is dead, are named as those that do not serve a revision.
func (f *aFleet) names(revision string, away []*member, dead *member) {
	f.t.Helper()
	wanted := map[string]bool{dead.name: true}
	for _, m := range away {
		wanted[m.name] = true
	}
	var last api.Convergence
	waiting.Until(f.t, "those to be named who do not serve "+revision, func() bool {
		found, err := f.Convergence(f.t.Context(), fleetEnvironment, revision, api.ConvergenceQuery{Percent: 100})
		if err != nil {
			return false
		}
		last = found
		named := make(map[string]bool)
		for _, s := range found.Stragglers {
			named[s.Name] = true
		}
		return maps.Equal(named, wanted) && found.Served == found.Of-len(wanted) && !found.Converged
	}, said(func() string { return fmt.Sprintf("%+v", last) }))
	last.Stragglers = append(last.Stragglers, api.Straggler{Name: dead.name})
	f.members = slices.DeleteFunc(f.members, func(m *member) bool { return m == dead })
	f.verify(last)
}

// Whatever happens to the networks of sidecars: one that is said to serve a revision does.
func TestAFleetIsNeverSaidToServeWhatItDoesNot(t *testing.T) {
	t.Parallel()
	sidecars, rounds := fleetSize(8, 100), fleetSize(12, 200)
	f := startFleet(t, sidecars)
	f.converges("last", sidecars)
	random := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		for _, m := range f.members {
			switch random.IntN(12) {
			case 0:
				m.cut()
			case 1:
				m.freeze()
			case 2, 3, 4:
				m.heal()
			}
		}
		revision := f.change()
		found, err := f.Convergence(t.Context(), fleetEnvironment, revision, api.ConvergenceQuery{Percent: 100, WaitMs: random.Int64N(60)})
		if err != nil {
			t.Fatal(err)
		}
		f.verify(found)
	}
	for _, m := range f.members {
		m.heal()
	}
	f.verify(f.converges("last", sidecars))
}

// A flag is killed by one command that waits for the fleet; a sidecar that is stopped in order is not missed.
func TestKill(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 3)
	f.converges("last", 3)
	f.members[0].stop()
	waiting.Until(t, "the good-bye", func() bool {
		found, err := f.Fleet(t.Context(), fleetEnvironment, api.FleetQuery{Limit: 10})
		return err == nil && len(found.Items) == 2 && len(found.Gone) == 1 && found.Gone[0].Why == "good-bye"
	})
	code, out := f.run("kill checkout -m incident")
	if code != 0 || !strings.Contains(out, "flag checkout is off") || !strings.Contains(out, "served by 2 of 2 sidecars after ") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, _, err := f.Document(t.Context(), fleetEnvironment, document.ID{Kind: document.KindFlag, Key: "checkout"}); err != nil {
		t.Error(err)
	}
	if code, out := f.run("kill missing"); code != 5 {
		t.Errorf("exit %d: %s", code, out)
	}
}

// The one sidecar of dev is in its fleet.
func TestDevHasAFleetOfOne(t *testing.T) {
	t.Parallel()
	r := start(t, dev.Options{File: newFile(t, one(`1`))})
	r.await("the sidecar in the fleet", func() bool {
		status, body := r.ask(http.MethodGet, "http://"+r.AdminAddr().String()+"/api/v1/environments/dev/fleet", "")
		return status == http.StatusOK && strings.Contains(body, `"standing":"current"`) && strings.Contains(body, `"sidecars":1`)
	})
}

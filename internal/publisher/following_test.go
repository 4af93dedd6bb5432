package publisher_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	follow "github.com/flagside/flagside/internal/publisher/following"
)

// flagsFile writes a file with flags, each with the default variant that follows its key.
func flagsFile(t *testing.T, path string, flags ...string) {
	t.Helper()
	var members []string
	for i := 0; i < len(flags); i += 2 {
		members = append(members, fmt.Sprintf("%q:%s", flags[i], flagBody(flags[i+1], "")))
	}
	text := fmt.Sprintf(`{"flags":{%s}}`, strings.Join(members, ","))
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// followingFiles is a publisher with the default policy that follows a directory.
func followingFiles(t *testing.T, environment string) (r *running, dir string) {
	t.Helper()
	dir = t.TempDir()
	r = governed(t, publisher.Options{Sources: []follow.Spec{{Environment: environment, Path: dir}}})
	r.create(environment)
	return r, dir
}

// variant returns the default variant of a flag and its owner; empty if there is none.
func (r *running) variant(environment, key string) (variant, owner string) {
	body, _, err := r.client.Document(r.t.Context(), environment, flagID(key))
	if err != nil {
		return "", ""
	}
	_, after, _ := strings.Cut(string(body), `"defaultVariant":"`)
	variant, _, _ = strings.Cut(after, `"`)
	return variant, ownership.Owner(body)
}

func (r *running) awaitVariant(environment, key, want string) {
	r.t.Helper()
	r.await(key+" is "+want, func() bool {
		got, _ := r.variant(environment, key)
		return got == want
	})
}

// Files become flags, changes follow, and what is no longer named goes. Others may not change any of it.
func TestFilesAreFollowed(t *testing.T) {
	t.Parallel()
	r, dir := followingFiles(t, "staging")
	flagsFile(t, filepath.Join(dir, "a.json"), "a", "on", "b", "on")
	r.awaitVariant("staging", "b", "on")
	if _, owner := r.variant("staging", "a"); owner != "publisher:"+dir {
		t.Errorf("the owner is %q", owner)
	}
	flagsFile(t, filepath.Join(dir, "a.json"), "a", "off")
	r.awaitVariant("staging", "a", "off")
	r.awaitVariant("staging", "b", "")
	_, seen, err := r.client.Document(t.Context(), "staging", flagID("a"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.client.Put(t.Context(), "staging", flagID("a"), flagBody("on", ""), seen, api.ChangeHeaders{})
	if !isProblem(err, http.StatusConflict, "source-owned") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a person changes it: %v", err)
	}
}

// What is broken or gone changes nothing and is a condition, until it is mended.
func TestABrokenSourceChangesNothing(t *testing.T) {
	t.Parallel()
	r, dir := followingFiles(t, "staging")
	condition := func(code string) bool {
		return strings.Contains(r.ask(http.MethodGet, "/status", "").body, `"`+code+`"`)
	}
	r.await("the empty directory is told", func() bool { return condition("source-missing") })
	file := filepath.Join(dir, "a.json")
	flagsFile(t, file, "a", "on", "b", "on")
	r.awaitVariant("staging", "b", "on")
	r.await("nothing is wrong", func() bool { return !condition("source-missing") })
	for text, code := range map[string]string{
		`{"flags":{"a":`: "source-broken", `{"flags":{"a":{"states":"ENABLED"}}}`: "source-broken", `{"flags":{"a":{"variants":{"on":true},"defaultVariant":"off"}}}`: "source-broken",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.await(text+" is told", func() bool {
			body := r.ask(http.MethodGet, "/status", "").body
			return strings.Contains(body, code) && strings.Contains(body, file+":1:")
		})
		flagsFile(t, file, "a", "on", "b", "on")
		r.await("it is mended", func() bool { return !condition(code) })
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.await("the missing file is told", func() bool { return condition("source-missing") })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	r.await("the missing directory is told", func() bool { return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "no such file") })
	if got, _ := r.variant("staging", "b"); got != "on" {
		t.Errorf("the flag is %q", got)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	flagsFile(t, file) // which says that there is no flag
	r.awaitVariant("staging", "b", "")
}

// In prod a source puts at once and deletes by one change request, which follows the files and is applied once it is approved.
func TestDeletionsOfASourceNeedApproval(t *testing.T) {
	t.Parallel()
	r, dir := followingFiles(t, "prod")
	file := filepath.Join(dir, "a.json")
	flagsFile(t, file, "a", "on", "b", "on", "c", "on")
	r.awaitVariant("prod", "c", "on")
	open := func() (list []api.ChangeRequest) {
		all, err := r.client.AllRequests(t.Context(), "prod", api.RequestQuery{Status: "open"})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	flagsFile(t, file, "a", "off", "b", "on")
	r.awaitVariant("prod", "a", "off") // does not wait for the approval
	r.await("a request", func() bool { return len(open()) == 1 && len(open()[0].Changes) == 1 && open()[0].Changes[0].Key == "c" })
	first := open()[0]
	if first.Source != "publisher:"+dir || first.Author != "publisher:"+dir {
		t.Errorf("it is %+v", first)
	}
	flagsFile(t, file, "a", "on")
	r.awaitVariant("prod", "a", "on")
	r.await("the same request with both", func() bool { return len(open()) == 1 && open()[0].ID == first.ID && len(open()[0].Changes) == 2 })
	flagsFile(t, file, "a", "on", "b", "on", "c", "on")
	r.await("nothing to be approved", func() bool { return len(open()) == 0 })
	flagsFile(t, file, "a", "on", "c", "on")
	r.await("another request", func() bool { return len(open()) == 1 })
	second := open()[0]
	if second.ID == first.ID {
		t.Error("the withdrawn request is open again")
	}
	if _, err := r.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", second.ID, second.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	r.awaitVariant("prod", "b", "")
	r.await("nothing waits", func() bool { return len(open()) == 0 })
	flagsFile(t, file, "a", "on")
	r.await("a third request", func() bool { return len(open()) == 1 })
	if _, err := r.as(secretOf("approver")).RejectRequest(t.Context(), "prod", open()[0].ID, api.ChangeHeaders{Reason: "it is in use"}); err != nil {
		t.Fatal(err)
	}
	r.await("the rejection is told", func() bool { return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "source-refused") })
	if n := len(open()); n != 0 {
		t.Errorf("%d requests are open after one was rejected", n)
	}
}

// A flag that is changed by breaking the glass stays as it is, and the rest of the source goes on. It is given back where both say the same, or by hand.
func TestBreakingTheGlassOverASource(t *testing.T) {
	t.Parallel()
	r, dir := followingFiles(t, "prod")
	file := filepath.Join(dir, "a.json")
	flagsFile(t, file, "a", "on", "b", "on")
	r.awaitVariant("prod", "b", "on")
	breakGlass := func() {
		t.Helper()
		_, seen, err := r.client.Document(t.Context(), "prod", flagID("a"))
		if err != nil {
			t.Fatal(err)
		}
		opened, err := r.client.OpenRequest(t.Context(), "prod", api.NewRequest{BreakGlass: true, Reason: "it burns", Command: api.Command{
			Type: "put", Key: "a", IfMatch: seen.Revision(), Document: flagBody("off", ""),
		}}, api.ChangeHeaders{})
		if err == nil {
			_, err = r.client.ApplyRequest(t.Context(), "prod", opened.ID, api.ChangeHeaders{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	breakGlass()
	conflict := func() bool { return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "source-conflict") }
	r.await("the conflict is told", conflict)
	flagsFile(t, file, "a", "on", "b", "off")
	r.awaitVariant("prod", "b", "off")
	if variant, owner := r.variant("prod", "a"); variant != "off" || owner != "taken:publisher:"+dir {
		t.Errorf("the flag is %s and of %q", variant, owner)
	}
	flagsFile(t, file, "a", "off", "b", "off") // as it was done by hand
	r.await("it is given back", func() bool {
		_, owner := r.variant("prod", "a")
		return owner == "publisher:"+dir && !conflict()
	})
	flagsFile(t, file, "a", "on", "b", "off")
	r.awaitVariant("prod", "a", "on")
	breakGlass()
	r.await("the conflict is told again", conflict)
	flagsFile(t, file, "b", "on") // which wants it deleted
	r.awaitVariant("prod", "b", "on")
	if variant, owner := r.variant("prod", "a"); variant != "off" || owner != "taken:publisher:"+dir {
		t.Errorf("the flag that the source no longer names is %s and of %q", variant, owner)
	}
	r.await("that it stays is told", conflict)
	flagsFile(t, file, "a", "on", "b", "off")
	r.awaitVariant("prod", "b", "off")
	_, seen, err := r.client.Document(t.Context(), "prod", flagID("a"))
	if err != nil {
		t.Fatal(err)
	}
	given, err := r.client.OpenRequest(t.Context(), "prod", api.NewRequest{Command: api.Command{
		Type: "patch", Key: "a", IfMatch: seen.Revision(), Patch: []byte(`{"` + document.SourceMember + `":null}`),
	}}, api.ChangeHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	r.agreeAndApply(given)
	r.awaitVariant("prod", "a", "on")
	r.await("no conflict", func() bool { return !conflict() })
}

// followUntilApplied runs a publisher that follows a path until the environment staging is as that says.
func followUntilApplied(o publisher.Options, path string) error {
	o.AdminAddr, o.NATSAddr, o.Sources = "127.0.0.1:0", "127.0.0.1:0", []follow.Spec{{Environment: "staging", Path: path}}
	p, err := publisher.New(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	for p.Sources("staging")[0].State != follow.Applied {
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	return <-ended
}

// A publisher that is killed in the middle of a change of several transactions completes it after its restart: each flag is written once, in an order
// in which every revision is valid.
func TestAKilledPublisherCompletesASource(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: kills processes, which go test without it does")
	}
	t.Parallel()
	o := publisher.Options{DataDir: t.TempDir()}
	r := run(t, o)
	r.awaitReady()
	r.create("staging")
	r.stop()
	const count = 4_000
	var flags []string
	for i := range count {
		flags = append(flags, fmt.Sprintf("flag-%04d", i), "on")
	}
	file, killed := filepath.Join(t.TempDir(), "flags.json"), 0
	flagsFile(t, file, flags...)
	k, step := task{What: "follow", File: file, Target: placeOf(o)}, 200
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		step = 20
	}
	for !k.killedAfter(t, time.Duration(300+step*killed+rand.IntN(step))*time.Millisecond) { // it takes that long to start
		killed++
	}
	r = run(t, o)
	r.awaitReady()
	service, err := r.Control(t.Context(), "staging")
	if err != nil {
		t.Fatal(err)
	}
	r.await("the environment is read", func() bool { _, err := service.Current(t.Context()); return err == nil })
	written, changes := map[string]int{}, map[string]bool{}
	for entry, err := range service.Backwards(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Kind == document.KindFlag {
			written[entry.Key]++
			changes[entry.OpID] = true
		}
	}
	for key, n := range written {
		if n != 1 {
			t.Errorf("%s was written %d times", key, n)
		}
	}
	if len(written) != count || len(changes) < 4 {
		t.Errorf("%d flags were written in %d changes", len(written), len(changes))
	}
	t.Logf("%d flags in %d changes, %d publishers were killed meanwhile", count, len(changes), killed)
}

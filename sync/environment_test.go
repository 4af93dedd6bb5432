package flagsync_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flagside/flagside/internal/natstest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

func TestValidateEnvironment(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "prod", "prod-eu-1", "p9", strings.Repeat("a", 63)} {
		if err := flagsync.ValidateEnvironment(name); err != nil {
			t.Errorf("%q: %v, want nil", name, err)
		}
	}
	for _, name := range []string{
		"", "-a", "a-", "9a", "Prod", "prod.eu", "prod_eu", "prod eu", "prod>", "*", "prüd", "a\n", strings.Repeat("a", 64),
	} {
		if err := flagsync.ValidateEnvironment(name); !errors.Is(err, flagsync.ErrEnvironmentName) {
			t.Errorf("%q: %v, want ErrEnvironmentName", name, err)
		}
	}
}

func openEnvironments(t *testing.T, server *natstest.Server) *writer.Environments {
	t.Helper()
	e, err := writer.OpenEnvironments(t.Context(), connect(t, server.URL()), 1)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	e := openEnvironments(t, server)
	if list, err := e.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("list of none: %v, %v", list, err)
	}
	var want []writer.Environment
	for _, name := range []string{"dev", "prod", "staging"} {
		created, err := e.Create(t.Context(), name, writer.Order{Actor: "tester"})
		if err != nil {
			t.Fatal(err)
		}
		if created.Name != name || created.Actor != "tester" || created.Epoch.Validate() != nil || created.Created.IsZero() {
			t.Errorf("created %+v", created)
		}
		want = append(want, created)
	}
	if _, err := e.Create(t.Context(), "prod", writer.Order{Actor: "tester"}); !errors.Is(err, writer.ErrEnvironmentExists) {
		t.Errorf("create again: %v, want ErrEnvironmentExists", err)
	}
	if _, err := e.Archive(t.Context(), "staging", writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Archive(t.Context(), "staging", writer.Order{Actor: "tester"}); err != nil {
		t.Errorf("archive again: %v, want nil", err)
	}
	if _, err := e.Archive(t.Context(), "nowhere", writer.Order{Actor: "tester"}); !errors.Is(err, flagsync.ErrEnvironmentUnknown) {
		t.Errorf("archive of none: %v, want ErrEnvironmentUnknown", err)
	}

	list, err := openEnvironments(t, server).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, list, cmpopts.IgnoreFields(writer.Environment{}, "Archived")); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if list[0].Archived != (time.Time{}) || list[2].Archived.IsZero() {
		t.Errorf("archived: %v, want only the last", list)
	}

	c := connect(t, server.URL())
	if _, err := e.Create(t.Context(), "staging", writer.Order{Actor: "tester"}); !errors.Is(err, writer.ErrEnvironmentArchived) {
		t.Errorf("create archived: %v, want ErrEnvironmentArchived", err)
	}
	if _, err := writer.OpenLog(t.Context(), c, writer.LogOptions{Environment: "staging", Replicas: 1}); !errors.Is(err, writer.ErrEnvironmentArchived) {
		t.Errorf("open archived: %v, want ErrEnvironmentArchived", err)
	}
	if _, err := writer.OpenLog(t.Context(), c, writer.LogOptions{Environment: "nowhere", Replicas: 1}); !errors.Is(err, flagsync.ErrEnvironmentUnknown) {
		t.Errorf("open unknown: %v, want ErrEnvironmentUnknown", err)
	}
	l, err := writer.OpenLog(t.Context(), c, writer.LogOptions{Environment: "prod", Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	head, err := l.Head(t.Context())
	if err != nil || head.Revision != 2 || head.Epoch != want[1].Epoch {
		t.Errorf("a new log stands at %+v, %v, want revision 2 of epoch %s", head, err, want[1].Epoch)
	}
}

// TestCreateRace lets several publishers create one environment: one does, and
// all see the same.
func TestCreateRace(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	errs := make([]error, 6)
	var wg sync.WaitGroup
	for i := range errs {
		e := openEnvironments(t, server)
		wg.Go(func() {
			_, errs[i] = e.Create(t.Context(), environment, writer.Order{Actor: fmt.Sprint("publisher-", i)})
		})
	}
	wg.Wait()
	created := 0
	for _, err := range errs {
		switch {
		case err == nil:
			created++
		case !errors.Is(err, writer.ErrEnvironmentExists):
			t.Errorf("create: %v, want nil or ErrEnvironmentExists", err)
		}
	}
	if created != 1 {
		t.Errorf("%d publishers created it, want 1", created)
	}
	l, err := writer.OpenLog(t.Context(), connect(t, server.URL()), writer.LogOptions{Environment: environment, Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := openEnvironments(t, server).List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("list: %v, %v", list, err)
	}
	if head.Revision != 2 || head.Epoch != list[0].Epoch {
		t.Errorf("the log stands at %+v, CONTROL names epoch %s", head, list[0].Epoch)
	}
}

// TestCreateIsRepaired repeats a create that ended before CONTROL knew of it:
// with streams and without the first entry, and with both.
func TestCreateIsRepaired(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	epoch := l.head(t).Epoch
	c := l.server.Client(t)
	if answer := api(t, c, "STREAM.DELETE.CONTROL", nil); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	e := openEnvironments(t, l.server)
	created, err := e.Create(t.Context(), environment, writer.Order{Actor: "tester"})
	if err != nil || created.Epoch != epoch {
		t.Errorf("created %+v, %v, want epoch %s of the entry that was there", created, err, epoch)
	}

	empty := config(t, c, "FLAGS_prod")
	empty["name"], empty["subjects"] = "FLAGS_other", []string{"flags.other.>"}
	empty["republish"] = map[string]string{"src": "flags.other.>", "dest": "feed.other.>"}
	delete(empty, "metadata")
	if answer := api(t, c, "STREAM.CREATE.FLAGS_other", empty); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	if _, err := e.Create(t.Context(), "other", writer.Order{Actor: "tester"}); err != nil {
		t.Error(err)
	}
}

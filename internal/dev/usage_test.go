package dev_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/status"
)

// onePublisher is a publisher that runs, and a client of it.
type onePublisher struct {
	*client.Client

	stop func()
}

func startPublisher(t *testing.T, s *natstest.Server, adjust ...func(*publisher.Options)) onePublisher {
	t.Helper()
	policy := filepath.Join(t.TempDir(), "policy.cedar")
	if err := os.WriteFile(policy, []byte("permit (principal, action, resource);"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := publisher.Options{
		Policy: policy,
		NATS:   s.URL(), KeysDir: trusttest.Default().Directory(t), AdminAddr: "127.0.0.1:0", UsageInterval: 20 * time.Millisecond, UsageBytes: 64 << 20,
		FixedTokens: []access.FixedToken{{Secret: fleetSecret, Principal: access.Principal{ID: "admin", Kind: access.KindDev, Groups: []string{access.RoleAdmin}}}},
	}
	for _, change := range adjust {
		change(&o)
	}
	p, err := publisher.New(o)
	if err != nil {
		t.Fatal(err)
	}
	stop := runPart(t, p.Run)
	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Ready(ready); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Options{Address: "http://" + p.AdminAddr().String(), Token: fleetSecret})
	if err != nil {
		t.Fatal(err)
	}
	return onePublisher{Client: c, stop: stop}
}

// counting is a sidecar, and a client that counts what it is answered.
type counting struct {
	t       *testing.T
	server  *natstest.Server
	dir     string
	sidecar *sidecar.Sidecar
	stop    func()
	asked   [2]atomic.Uint64 // by variant: off, on
	missing uint64
}

func (c *counting) start() {
	c.t.Helper()
	var err error
	c.sidecar, err = sidecar.New(sidecar.Options{
		Environment: natstest.Environment, NATS: c.server.URL(), NATSNKey: natstest.SidecarKey(c.t), Trust: trusttest.Default().Trust,
		Identity: status.Identity{Application: "shop", ApplicationVersion: "1.2.3", Pod: "shop-1"}, DataDir: c.dir, OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0", UsageInterval: 40 * time.Millisecond, Logger: zerolog.Nop(),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.stop = runPart(c.t, c.sidecar.Run)
	waiting.Until(c.t, "the sidecar is ready", c.sidecar.Ready)
}

// ask asks for a flag and returns the status of the answer.
func (c *counting) ask(key, plan string) int {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost,
		"http://"+c.sidecar.OFREPAddr().String()+"/ofrep/v1/evaluate/flags/"+key, strings.NewReader(fmt.Sprintf(`{"context":{"plan":%q}}`, plan)))
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode
}

// evaluate asks for the flag many times.
func (c *counting) evaluate(n int) {
	c.t.Helper()
	for i := range n {
		on := i % 3 / 2
		if status := c.ask("checkout", []string{"plain", "gold"}[on]); status != http.StatusOK {
			c.t.Fatalf("status %d", status)
		}
		c.asked[on].Add(1)
	}
	if c.ask("chekout", "plain") != http.StatusNotFound {
		c.t.Error("a flag that does not exist was found")
	}
	c.missing++
}

// What clients have counted is what the series have, while sidecars stop and start, the server is gone for a while, and publishers come and go.
func TestUsageIsConserved(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	first, second := startPublisher(t, s), startPublisher(t, s)
	if _, err := first.CreateEnvironment(t.Context(), api.NewEnvironment{Name: natstest.Environment, Protected: new(false)}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	id := document.ID{Kind: document.KindFlag, Key: "checkout"}
	body := `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}}`
	if _, _, err := first.Put(t.Context(), natstest.Environment, id, []byte(body), client.Precondition{Absent: true}, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	sidecars := []*counting{{t: t, server: s, dir: t.TempDir()}, {t: t, server: s, dir: t.TempDir()}}
	for _, c := range sidecars {
		c.start()
		c.evaluate(50)
	}
	first.stop() // the second goes on
	sidecars[0].evaluate(50)
	sidecars[0].stop() // and sends what it has counted
	sidecars[0].start()
	s.Stop(t)
	for _, c := range sidecars {
		c.evaluate(100) // which waits on disk
	}
	sidecars[1].stop() // without being able to send
	s.Restart(t)
	sidecars[1].start()
	first = startPublisher(t, s)
	for _, c := range sidecars {
		c.evaluate(50)
	}
	second.stop()
	var want [2]uint64
	var missing uint64
	for _, c := range sidecars {
		want[0], want[1], missing = want[0]+c.asked[0].Load(), want[1]+c.asked[1].Load(), missing+c.missing
	}
	var got api.FlagUsage
	counted := func() (sums [2]uint64) {
		for _, one := range got.Series {
			sums[map[string]int{"off": 0, "on": 1}[one.Variant]] += one.Evaluations
		}
		return sums
	}
	waiting.Until(t, "everything is folded", func() bool {
		var err error
		got, err = first.FlagUsage(t.Context(), natstest.Environment, "checkout", api.FlagUsageQuery{Step: "hour"})
		sums := counted()
		return err == nil && sums[0]+sums[1] >= want[0]+want[1]
	}, said(func() string { return fmt.Sprintf("want %v: %+v", want, got) }))
	if sums := counted(); sums != want || got.Lost != 0 || got.Missed != 0 {
		t.Errorf("%v evaluations, want %v: %+v", sums, want, got)
	}
	for _, one := range got.Series {
		if one.Application != "shop" || one.Release != "1.2.3" || one.Revision == "" || one.Bulk {
			t.Errorf("%+v", one)
		}
	}
	verifyUse(t, first, id, missing)
}

// verifyUse verifies what follows from a flag being in use.
func verifyUse(t *testing.T, p onePublisher, id document.ID, missing uint64) {
	t.Helper()
	all, err := p.Usage(t.Context(), natstest.Environment, api.UsageQuery{})
	if err != nil || len(all.Flags) != 1 || all.Flags[0].Key != id.Key || all.Flags[0].Last.IsZero() || all.Flags[0].Day == 0 || all.Flags[0].Week == 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	if by := all.Flags[0].Applications; len(by) != 1 || by[0] != "shop" {
		t.Errorf("used by %v", by)
	}
	unknown, err := p.UnknownFlags(t.Context(), natstest.Environment, api.UnknownFlagsQuery{})
	if err != nil || len(unknown.Items) != 1 || unknown.Items[0].Key != "chekout" || unknown.Items[0].Requests != missing {
		t.Errorf("want %d requests: %+v, %v", missing, unknown, err)
	}
	_, seen, err := p.Document(t.Context(), natstest.Environment, id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Archive(t.Context(), natstest.Environment, id, false, seen, api.ChangeHeaders{})
	if problem, ok := errors.AsType[*client.Error](err); !ok || problem.Status != http.StatusConflict || !strings.Contains(problem.Error(), "shop asked for it") {
		t.Errorf("archived, or refused with %v", err)
	}
	preview, err := p.Preview(t.Context(), natstest.Environment, api.Command{Type: "archive", Key: id.Key, IfMatch: seen.Revision()})
	if err != nil || preview.Permitted || preview.Risk.InUse == nil || !*preview.Risk.InUse {
		t.Errorf("%+v, %v", preview, err)
	}
	if _, err = p.Archive(t.Context(), natstest.Environment, id, false, seen, api.ChangeHeaders{InUse: true}); err != nil {
		t.Errorf("although it is known: %v", err)
	}
}

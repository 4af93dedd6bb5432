package console_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// Of a segment with twenty thousand members those are drawn that are visible, the last one is found, and no list of flags or segments brings them along.
func TestASegmentOfManyMembers(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	members := make([]string, 20_000)
	for i := range members {
		members[i] = fmt.Sprintf(`"customer-%05d"`, i)
	}
	s.write("staging", []api.CommandChange{
		{Kind: string(document.KindSegment), Key: "customers", Document: []byte(`{"in":[{"var":"customer"},[` + strings.Join(members, ",") + `]]}`)},
		{Key: "discount", Document: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"$ref":"customers"},"on"]}}`)},
	})
	tab := s.open(browser, t, "editor")
	tab.visit("/console/staging/segments")
	tab.shows("named by 1 flag")
	const received = `performance.getEntriesByType("resource").filter((r) => r.name.includes("/api/v1/")).reduce((sum, r) => sum + r.decodedBodySize, 0)`
	if bytes := evaluate[int](tab, received); bytes > 20_000 {
		t.Errorf("the list of segments has read %d bytes", bytes)
	}
	tab.visit("/console/staging/segments/customers")
	tab.shows("Members by customer")
	tab.shows("customer-00000")
	if drawn := evaluate[int](tab, `document.querySelectorAll("*").length`); drawn > 800 {
		t.Errorf("%d elements are drawn", drawn)
	}
	tab.search("19999")
	tab.shows("1 of 20000")
	tab.await("the last member", `document.querySelector(".members [role=row]").innerText === "customer-19999"`)
	tab.accessible(axe(t))
	tab.pictures("members", ".members")
	tab.quiet()
}

// The list shows how a flag is in another environment, by text, and that there is none.
func TestFlagsInAnotherEnvironment(t *testing.T) {
	t.Parallel()
	s, tab := shopping(t, "viewer")
	s.create("prod", false)
	s.write("prod", []api.CommandChange{{Key: "dark-mode", Document: []byte(`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)}})
	tab.visit("/console/staging/flags")
	tab.shows("checkout-enabled")
	tab.fill("Also in", "prod")
	tab.await("the choice in the address", `new URLSearchParams(location.search).get("with") === "prod"`)
	const row = `[...document.querySelectorAll("[role=row]")].find((r) => r.querySelector(".cell-name a").innerText === `
	tab.await("a flag that is off there", row+`"dark-mode").querySelector(".elsewhere").innerText.includes("Off")`)
	tab.await("a flag that is not there", row+`"checkout-enabled").querySelector(".elsewhere").innerText.includes("there is none")`)
	tab.accessible(axe(t))
	tab.pictures("with-other")
	tab.quiet()
}

// The page of the fleet shows which sidecars serve what, and the one that is behind; the page of the lifecycle has what is asked for and does not exist.
func TestFleetThatReports(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t, func(o *publisher.Options) { o.UsageInterval = 20 * time.Millisecond })
	s.create("staging", false)
	s.shop("staging")
	tab := s.open(browser, t, "viewer")
	r := s.reporter("staging")
	r.report(time.Now(), "1.0", usage.Flag{Key: "dark-mode", Counts: []usage.Count{{Variant: "on", Reason: "STATIC", Bulk: true, N: 7}, {Variant: "on", Reason: "STATIC", N: 5}}})
	r.send(usage.Report{From: time.Now().Add(-time.Minute), To: time.Now(), Application: "shop", NotFound: map[string]uint64{"no-such-flag": 3}})
	s.counted("staging", "dark-mode", 12)
	now, err := s.client.Environment(t.Context(), "staging")
	if err != nil {
		t.Fatal(err)
	}
	position := positionOf(t, now.Epoch, now.Revision)
	behind := position
	behind.Revision--
	sidecars := []status.Report{
		{Kind: status.KindState, Boot: status.NewBoot(), N: 1, Position: position, Serving: "live", Identity: status.Identity{Pod: "shop-1", Application: "shop", Program: "1.2.3"}},
		{Kind: status.KindState, Boot: status.NewBoot(), N: 1, Position: behind, Serving: "disk", Conditions: []string{"nats-down"}, Identity: status.Identity{Pod: "shop-2", Application: "shop", Program: "1.2.2"}},
	}
	waiting.Until(t, "the reports", func() bool {
		for i := range sidecars {
			sidecars[i].N++
			if err := status.Send(r.conn, "staging", sidecars[i]); err != nil {
				return false
			}
		}
		fleet, err := s.client.Fleet(t.Context(), "staging", api.FleetQuery{Limit: 10})
		return err == nil && len(fleet.Items) == 2
	}, s.log)
	tab.visit("/console/staging/fleet")
	tab.shows("2 sidecars")
	tab.shows("shop-2")
	tab.shows("nats-down")
	tab.await("the spread of revisions", `document.querySelector(".spread")?.innerText.includes("1 at")`)
	tab.accessible(axe(t))
	tab.pictures("fleet-reports")
	tab.visit("/console/staging/flags/dark-mode")
	tab.shows("7 of them in answers for all flags at once")
	tab.visit("/console/staging/lifecycle")
	tab.shows("Asked for, and do not exist")
	tab.shows("no-such-flag")
	tab.accessible(axe(t))
	tab.quiet()
}

// positionOf returns the position that a revision names.
func positionOf(t *testing.T, epoch, revision string) changelog.Position {
	t.Helper()
	_, number, _ := strings.Cut(revision, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return changelog.Position{Epoch: changelog.Epoch(epoch), Revision: n}
}

package console_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// reporter sends what a sidecar of an environment would have counted.
type reporter struct {
	served            *served
	environment, boot string
	conn              *flagsync.Conn
	sent              uint64
}

func (s *served) reporter(environment string) *reporter {
	s.t.Helper()
	conn, err := flagsync.Connect(s.t.Context(), flagsync.ConnectOptions{
		URL: s.natsURL, User: environment, Environment: environment, InboxPrefix: "_SC." + environment + ".x", Keyring: trusttest.Default().Keyring(),
		Name: s.t.Name(), Logger: zerolog.Nop(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	return &reporter{served: s, environment: environment, boot: status.NewBoot(), conn: conn}
}

func (r *reporter) report(at time.Time, release string, flags ...usage.Flag) {
	r.served.t.Helper()
	r.send(usage.Report{From: at.Add(-time.Minute), To: at, Application: "shop", Release: release, Flags: flags})
}

func (r *reporter) send(report usage.Report) {
	r.served.t.Helper()
	r.sent++
	report.Boot, report.N = r.boot, r.sent
	data, err := usage.Encode(report)
	if err != nil {
		r.served.t.Fatal(err)
	}
	waiting.Until(r.served.t, "a report is taken", func() bool {
		return usage.Send(r.served.t.Context(), r.conn, r.environment, r.boot, r.sent, data) == nil
	}, r.served.log)
}

// counted waits until a flag has so many evaluations.
func (s *served) counted(environment, key string, want uint64) {
	s.t.Helper()
	waiting.Until(s.t, "the counts", func() bool {
		all, err := s.client.Usage(s.t.Context(), environment, api.UsageQuery{})
		if err != nil {
			return false
		}
		for _, f := range all.Flags {
			if f.Key == key {
				return f.Week == want
			}
		}
		return false
	}, s.log)
}

// plotter is the name of the part of the page that draws charts.
func plotter(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("dist/*.js")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(`"u-cursor-x"`)) {
			found = append(found, filepath.Base(file))
		}
	}
	if len(found) != 1 {
		t.Fatalf("uPlot is in %v", found)
	}
	return found[0]
}

// The page of a flag draws how often it was evaluated, the list has it in small, and both have the numbers that were reported. What draws is loaded only for that.
func TestUsageIsDrawn(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t, func(o *publisher.Options) { o.UsageInterval = 20 * time.Millisecond })
	s.create("staging", false)
	s.shop("staging")
	r := s.reporter("staging")
	now := time.Now()
	var on, off uint64
	for i := range 12 {
		counts := []usage.Count{{Variant: "on", Reason: "TARGETING_MATCH", N: uint64(100 + 40*i)}, {Variant: "off", Reason: "DEFAULT", N: 60}}
		release := "2.0"
		if i%4 == 3 {
			release = "1.9"
		}
		r.report(now.Add(-time.Duration(11-i)*time.Hour), release, usage.Flag{Key: "new-checkout", Counts: counts})
		on, off = on+counts[0].N, off+counts[1].N
	}
	s.counted("staging", "new-checkout", on+off)
	if all, err := s.client.Usage(t.Context(), "staging", api.UsageQuery{Hourly: true}); err != nil || sum(all.Flags[0].Hours) != all.Flags[0].Day || all.Flags[0].Day != on+off {
		t.Errorf("by hour: %+v, %v", all.Flags, err)
	}
	if all, err := s.client.Usage(t.Context(), "staging", api.UsageQuery{}); err != nil || all.Flags[0].Hours != nil {
		t.Errorf("hours that were not asked for: %+v, %v", all.Flags, err)
	}
	draws, loaded := plotter(t), `performance.getEntriesByType("resource").some((r) => r.name.endsWith(`
	tab := s.open(browser, t, "viewer")
	tab.visit("/console/staging/flags?q=new-checkout")
	tab.await("the small chart", `document.querySelector(".row svg.sparkline")?.getAttribute("aria-label") === "`+grouped(on+off)+` evaluations in the last 24 hours"`)
	tab.pictures("sparkline")
	tab.visit("/console/staging/flags/dark-mode")
	tab.shows("evaluations, counted until")
	if evaluate[bool](tab, loaded+quoted(t, draws)+"))") {
		t.Error("a flag without use loads what draws charts")
	}
	tab.visit("/console/staging/flags/new-checkout")
	tab.await("the chart", `document.querySelector(".usage-chart canvas") !== null`)
	tab.shows(grouped(on+off) + " evaluations")
	tab.shows("on " + grouped(on))
	tab.shows("off " + grouped(off))
	if !evaluate[bool](tab, loaded+quoted(t, draws)+"))") {
		t.Error("the chart is drawn by something else")
	}
	tab.await("bars in two colours", `(() => {
		const canvas = document.querySelector(".usage-chart canvas"), all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, found = new Set();
		for (let i = 0; i < all.length; i += 4) { if (all[i + 3] === 255) { found.add([all[i], all[i + 1], all[i + 2]].join()) } }
		return [0, 1].every((part) => found.has(getComputedStyle(document.querySelector(".legend .part-" + part)).backgroundColor.replace(/[^\d,]/g, "")));
	})()`)
	tab.activate("As a table")
	tab.await("the numbers of the newest hour", `document.querySelector(".usage tbody tr td")?.innerText === "540"`)
	tab.activate("By application and release")
	tab.await("the older release", `[...document.querySelectorAll(".usage tbody tr")].some((r) => r.innerText.startsWith("shop\t1.9"))`)
	tab.accessible(axe(t))
	tab.activate("7 days")
	tab.shows("Use in the last 7 days")
	tab.await("the time in the address", `new URLSearchParams(location.search).get("use") === "week"`)
	tab.activate("35 days")
	tab.shows("Use in the last 35 days")
	tab.await("the chart of days", `document.querySelector(".usage-chart canvas") !== null`)
	tab.shows(grouped(on+off) + " evaluations")
	tab.activate("24 hours")
	tab.await("the chart again", `document.querySelector(".usage-chart canvas") !== null`)
	evaluate[bool](tab, `(document.querySelectorAll(".usage details").forEach((d) => d.open = false), true)`)
	tab.pictures("usage", ".usage")
	tab.quiet()
}

func sum(counts []uint64) (total uint64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// grouped returns a number as the page writes it.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// What is drawn are the numbers of the answer, each at its time; beyond the colours that there are, the rest is one.
func TestStackOf(t *testing.T) {
	t.Parallel()
	p := reader(t)
	const answer = `{ step: "hour", from: "2026-11-01T00:00:00Z", to: "2026-11-01T03:00:00Z", series: [], points: [
		{ at: "2026-11-01T02:00:00Z", evaluations: 9, variants: { a: 5, "": 1, b: 1, c: 2 } }, { at: "2026-11-01T00:00:00Z", evaluations: 3, variants: { b: 3 } }] }`
	for name, c := range map[string]struct{ code, want string }{
		"all":         {`reading.stackOf(` + answer + `, 4)`, `[["a","b","c",""],[5,4,2,1],[[0,0,5],[3,0,1],[0,0,2],[0,0,1]]]`},
		"few colours": {`reading.stackOf(` + answer + `, 2)`, `[["a","\u0000others"],[5,7],[[0,0,5],[3,0,4]]]`},
	} {
		got := evaluate[string](p, `(() => { const s = `+c.code+`; return JSON.stringify([s.names, s.totals, s.counts]) })()`)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

package console_test

import (
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher"
)

// Several documents are collected on several pages, and become one change. What has changed meanwhile is shown before anything is applied.
func TestAChangeOfSeveralDocuments(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.create("staging", false)
	s.create("prod", true)
	s.shop("staging")
	before := s.history("staging", "checkout-enabled")
	tab := s.open(browser, t, "editor")
	tab.visit(s.toggling("staging", "checkout-enabled", false))
	tab.click("Keep for a change of several")
	tab.shows("1 document changed, not yet proposed")
	tab.visit("/console/staging/flags/new-checkout/edit") // loads the page again
	tab.shows("The publisher would take it.")
	tab.fill("Description", "As short as it can be.")
	tab.click("Keep for a change of several")
	tab.shows("2 documents changed, not yet proposed")
	tab.accessible(axe(t))
	tab.pictures("draft")
	tab.visit("/console/staging/segments/european-union/edit")
	tab.shows("The publisher would take it.")
	tab.fill("Values of condition 1 of the segment, one a line", "DE")
	tab.click("Keep for a change of several")
	tab.shows("3 documents changed, not yet proposed")
	tab.visit("/console/prod/flags")
	tab.shows("This environment has no flags yet")
	if strings.Contains(tab.String(), "not yet proposed") {
		t.Error("prod shows what is collected for staging")
	}
	if now := s.history("staging", "checkout-enabled"); len(now) != len(before) {
		t.Fatal("collecting changed a flag")
	}

	tab.visit("/console/staging/flags")
	tab.activate("Review all")
	tab.shows("Change 3 documents")
	tab.shows("As short as it can be.")
	tab.accessible(axe(t))
	tab.pictures("several")
	tab.click("Take out segment european-union")
	tab.shows("Change 2 documents")
	tab.shows("Apply to staging")
	tab.shows("Not known: no sidecar")
	s.patch("staging", "new-checkout", `{"owner":"payments"}`)
	tab.shows("1 of the documents has changed since you looked")
	tab.shows("payments")
	tab.accessible(axe(t))
	tab.pictures("overtaken")
	tab.quiet() // no request was refused: an event told it
	tab.activate("Review your change on what is there now")
	tab.shows("Who must agree")
	tab.tabTo("Reason")
	tab.keys("Two at once.")
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	if now := s.flag("staging", "new-checkout"); !strings.Contains(now, "payments") || !strings.Contains(now, "As short as it can be.") {
		t.Errorf("one of two changes is lost: %s", now)
	}
	one, other := s.history("staging", "new-checkout")[0], s.history("staging", "checkout-enabled")[0]
	if one.OpID != other.OpID || one.Reason != "Two at once." {
		t.Errorf("they are not one change: %+v, %+v", one, other)
	}
	tab.click("Back to the flags")
	tab.shows("new-checkout")
	if strings.Contains(tab.String(), "not yet proposed") {
		t.Error("what was applied is still collected")
	}
	tab.quiet()
}

// A flag and what depends on it are archived in one change, although neither the flag alone can be, nor is anything archived before the change is made.
func TestArchivingWithinAChangeOfSeveral(t *testing.T) {
	t.Parallel()
	s, tab := shopping(t, "admin")
	archiving := func(key string) string {
		return `/console/staging/change?do=` + url.QueryEscape(`{"type":"archive","key":"`+key+`","ifMatch":"`+s.seen("staging", key).Revision()+`"}`)
	}
	tab.visit(archiving("winter-sale"))
	tab.shows("Others depend on flag")
	tab.forget() // 409 is how the page learns it
	tab.accessible(axe(t))
	tab.activate("Keep for a change of several")
	tab.shows("1 document changed, not yet proposed")
	tab.visit(archiving("sale-banner"))
	tab.shows("The document is deleted")
	tab.activate("Keep for a change of several")
	tab.shows("2 documents changed, not yet proposed")
	if strings.Contains(s.flag("staging", "sale-banner"), "archived") || len(s.history("staging", "sale-banner")) != 1 {
		t.Fatal("collecting archived a flag")
	}
	tab.activate("Review all")
	tab.shows("Change 2 documents")
	tab.await("both to be deleted", `[...document.querySelectorAll(".changed-document")].filter((d) => d.innerText.includes("The document is deleted")).length === 2`)
	tab.accessible(axe(t))
	tab.pictures("archive-several")
	tab.tabTo("Reason")
	tab.keys("Winter is over.")
	tab.activate("Apply to staging")
	tab.shows("Applied to staging")
	one, other := s.history("staging", "winter-sale")[0], s.history("staging", "sale-banner")[0]
	if one.OpID != other.OpID || one.Action == "put" || other.Action == "put" {
		t.Errorf("they are not archived by one change: %+v, %+v", one, other)
	}
	tab.visit("/console/staging/flags/winter-sale")
	tab.shows("This flag was archived.")
	tab.forget() // 404 is how the page learns it
}

// A change that was scheduled is applied when its time has come, once, and the open page of its request shows it.
func TestAScheduleFires(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	var later atomic.Int64
	s := serve(t, func(o *publisher.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	s.create("staging", false)
	s.shop("staging")
	tab := s.open(browser, t, "editor")
	if _, err := chromedp.Call(tab.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kathmandu"}); err != nil {
		t.Fatal(err)
	}
	before := s.history("staging", "checkout-enabled")
	tab.visit(s.toggling("staging", "checkout-enabled", false))
	tab.shows("Apply to staging")
	tab.tabTo("As soon as it may, when a person applies it")
	tab.keys(kb.ArrowDown)
	at := time.Now().UTC().Add(2 * time.Hour).Truncate(time.Minute)
	tab.fill("Date and time", at.In(time.FixedZone("Asia/Kathmandu", 5*3600+45*60)).Format("2006-01-02T15:04"))
	tab.shows("This is " + at.Format("2006-01-02 15:04") + " UTC")
	tab.activate("Schedule for staging")
	tab.shows("Scheduled.")
	tab.activate("Open the request")
	tab.shows("To be applied")
	later.Store(int64(time.Hour))
	if now := s.history("staging", "checkout-enabled"); len(now) != len(before) {
		t.Fatal("it was applied an hour early")
	}
	later.Store(int64(2*time.Hour + time.Minute))
	tab.shows("Applied at revision")
	tab.accessible(axe(t))
	if now := s.flag("staging", "checkout-enabled"); !strings.Contains(now, "DISABLED") {
		t.Errorf("the flag is %s", now)
	}
	if now := s.history("staging", "checkout-enabled"); len(now) != len(before)+1 || now[0].Request == "" {
		t.Errorf("it was applied %d times", len(now)-len(before))
	}
	tab.quiet()
}

// A time in a zone means one instant, two, or none, wherever the browser is.
func TestTimesInZones(t *testing.T) {
	t.Parallel()
	p := reader(t)
	for name, c := range map[string]struct {
		local, zone string
		want        []string
		turn        string
	}{
		"summer":                         {"2027-07-01T12:00", "Europe/Berlin", []string{"2027-07-01T10:00:00.000Z"}, ""},
		"UTC":                            {"2027-03-28T02:30", "UTC", []string{"2027-03-28T02:30:00.000Z"}, ""},
		"left out":                       {"2027-03-28T02:30", "Europe/Berlin", []string{}, "02:00 03:00"},
		"twice":                          {"2027-10-31T02:30", "Europe/Berlin", []string{"2027-10-31T00:30:00.000Z", "2027-10-31T01:30:00.000Z"}, "03:00 02:00"},
		"just before":                    {"2027-03-28T01:59", "Europe/Berlin", []string{"2027-03-28T00:59:00.000Z"}, "02:00 03:00"},
		"just after":                     {"2027-03-28T03:00", "Europe/Berlin", []string{"2027-03-28T01:00:00.000Z"}, "02:00 03:00"},
		"left out in New York":           {"2027-03-14T02:30", "America/New_York", []string{}, "02:00 03:00"},
		"twice in New York":              {"2027-11-07T01:30", "America/New_York", []string{"2027-11-07T05:30:00.000Z", "2027-11-07T06:30:00.000Z"}, "02:00 01:00"},
		"half an hour":                   {"2027-04-04T01:45", "Australia/Lord_Howe", []string{"2027-04-03T14:45:00.000Z", "2027-04-03T15:15:00.000Z"}, "02:00 01:30"},
		"a quarter from the hour":        {"2027-07-01T12:00", "Asia/Kathmandu", []string{"2027-07-01T06:15:00.000Z"}, ""},
		"a day that never was":           {"2011-12-30T12:00", "Pacific/Apia", []string{}, ""},
		"no time":                        {"", "UTC", []string{}, ""},
		"the second midnight of the day": {"2027-10-30T00:30", "Europe/Berlin", []string{"2027-10-29T22:30:00.000Z"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluate[[]string](p, `reading.instantsOf(`+quoted(t, c.local)+`, `+quoted(t, c.zone)+`).map((d) => d.toISOString())`)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if c.turn == "" {
				return
			}
			if turn := evaluate[string](p, `(() => { const t = reading.turnNear(`+quoted(t, c.local)+`, `+quoted(t, c.zone)+`); return t ? t.from + " " + t.to : "" })()`); turn != c.turn {
				t.Errorf("clocks turn %q, want %q", turn, c.turn)
			}
		})
	}
}

// A person in New York schedules a change for a night in which clocks are changed, by keyboard, and the publisher applies it at the instant that was shown.
func TestSchedulingOverAChangeOfClocks(t *testing.T) {
	t.Parallel()
	s, tab := shopping(t, "editor")
	if _, err := chromedp.Call(tab.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "America/New_York"}); err != nil {
		t.Fatal(err)
	}
	year := nextYear()
	spring, autumn := sunday(year, time.March, 2), sunday(year, time.November, 1)
	tab.visit(s.toggling("staging", "checkout-enabled", false))
	tab.shows("Apply to staging")
	tab.tabTo("As soon as it may, when a person applies it")
	tab.keys(kb.ArrowDown)
	tab.shows("America/New_York (yours)")
	tab.tabTo("Date and time")
	tab.keys(spring.Format("01022006") + kb.Tab + "0230AM")
	tab.shows("02:30 does not exist on this day in America/New_York.")
	tab.shows("Clocks go from 02:00 to 03:00.")
	tab.await("the button to be out of use", `document.querySelector(".button.apply").disabled`)
	tab.accessible(axe(t))
	tab.fill("Date and time", autumn.Format("2006-01-02")+"T01:30")
	tab.shows("01:30 comes twice on this day in America/New_York.")
	tab.shows(autumn.Format("2006-01-02") + " 05:30 UTC")
	tab.tabTo("The first, UTC−04:00: " + autumn.Format("2006-01-02") + " 05:30 UTC")
	tab.keys(kb.ArrowDown)
	tab.shows("This is " + autumn.Format("2006-01-02") + " 06:30 UTC")
	tab.accessible(axe(t))
	evaluate[bool](tab, `(document.querySelector(".schedule").scrollIntoView(), true)`)
	tab.pictures("schedule")
	tab.tabTo("Reason")
	tab.keys("When few are awake.")
	evaluate[bool](tab, `(() => { window.sent = []; const ask = window.fetch; window.fetch = (at, o) => { window.sent.push(o?.body ?? ""); return ask(at, o) }; return true })()`)
	tab.activate("Schedule for staging")
	tab.shows("A change request can wait 90 days at most") // autumn may be further away
	tab.forget()
	const sent = `window.sent.some((body) => body.includes('"applyAt":"' + `
	if !evaluate[bool](tab, sent+quoted(t, autumn.Format("2006-01-02")+"T06:30:00.000Z")+` + '"'))`) {
		t.Errorf("another instant was asked for: %s", evaluate[string](tab, `window.sent.join("\n")`))
	}

	location, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	soon := time.Now().In(location).AddDate(0, 0, 3)
	want := time.Date(soon.Year(), soon.Month(), soon.Day(), 9, 15, 0, 0, location)
	tab.tabTo("Date and time")
	tab.keys(want.Format("01022006") + kb.Tab + "0915AM")
	tab.shows("This is " + want.UTC().Format("2006-01-02 15:04") + " UTC")
	tab.activate("Schedule for staging")
	tab.shows("Scheduled.")
	tab.activate("Open the request")
	tab.shows(want.UTC().Format("2006-01-02 at 15:04") + " UTC")
	tab.accessible(axe(t))
	id := evaluate[string](tab, `location.pathname.split("/").pop()`)
	r, err := s.client.Request(t.Context(), "staging", id)
	if err != nil {
		t.Fatal(err)
	}
	if !r.ApplyAt.Equal(want) {
		t.Errorf("it is to be applied at %v, want %v", r.ApplyAt, want)
	}
	tab.quiet()
}

// nextYear is a year that lies wholly ahead.
func nextYear() int { return time.Now().Year() + 1 }

// sunday returns the nth Sunday of a month.
func sunday(year int, month time.Month, n int) time.Time {
	day := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	for day.Weekday() != time.Sunday {
		day = day.AddDate(0, 0, 1)
	}
	return day.AddDate(0, 0, 7*(n-1))
}

// Where flags are changed in a file, every page says so, and where; a change is refused with the same words.
func TestAnEnvironmentThatIsChangedElsewhere(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t, func(o *publisher.Options) {
		o.ReadOnly = map[string]string{"dev": "It is changed in the file flags.json, which is watched."}
	})
	s.create("staging", false)
	s.create("dev", false)
	tab := s.open(browser, t, "editor")
	tab.visit("/console/dev/flags")
	tab.shows("This environment is not changed here. It is changed in the file flags.json, which is watched.")
	tab.accessible(axe(t))
	tab.visit("/console/staging/flags")
	tab.shows("This environment has no flags yet")
	if strings.Contains(tab.String(), "flags.json") {
		t.Error("an environment that is changed here says that it is not")
	}
	tab.quiet()
}

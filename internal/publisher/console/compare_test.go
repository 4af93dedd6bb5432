package console_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
)

// staged fills staging with the example shop, and prod with a part of it that is older.
func (s *served) staged() {
	s.t.Helper()
	s.create("prod", true)
	s.create("staging", false)
	s.shop("staging")
	s.write("prod", []api.CommandChange{
		{Kind: "segment", Key: "employees", Document: []byte(`{"in":[{"var":"email"},["ada@example.com"]]}`)},
		{Key: "checkout-enabled", Document: []byte(`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`)},
		{Key: "only-here", Document: []byte(`{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a"}`)},
	})
}

// What the page takes along with a flag is what the publisher takes along when it promotes it.
func TestTheClosureIsThatOfPromote(t *testing.T) {
	t.Parallel()
	p := reader(t)
	s := serve(t)
	s.staged()
	documents := func(environment string) string {
		all := map[string]any{}
		for _, kind := range []document.Kind{document.KindFlag, document.KindSegment} {
			list, err := s.client.AllDocuments(t.Context(), environment, kind)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				all[string(kind)+" "+d.Key] = map[string]any{"kind": kind, "key": d.Key, "revision": d.Revision, "document": d.Document}
			}
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return `new Map(Object.entries(JSON.parse(` + quoted(t, string(text)) + `)))`
	}
	evaluate[bool](p, `globalThis.there = `+documents("staging")+`; globalThis.here = `+documents("prod")+`; true`)
	flags, err := s.client.AllDocuments(t.Context(), "staging", document.KindFlag)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flags {
		seen, err := s.client.Preview(t.Context(), "prod", api.Command{Type: "promote", From: "staging", Flags: []string{f.Key}})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{}
		for _, d := range seen.Differences {
			want = append(want, d.Kind+" "+d.Key)
		}
		slices.Sort(want)
		got := evaluate[[]string](p, `(() => { const wanted = reading.closure(["flag " + `+quoted(t, f.Key)+`], there);
			return reading.unlike(here, there).filter((u) => wanted.has(u.name)).map((u) => u.name).sort(); })()`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", f.Key, diff)
		}
	}
}

// What a source owns in one environment is not what it owns in another.
func TestWhatIsBroughtKeepsItsOwner(t *testing.T) {
	t.Parallel()
	p := reader(t)
	for code, want := range map[string]string{
		`brought({"a":1,"$source":"publisher:/x"}, undefined)`:                                                                                       `{"a":1}`,
		`brought({"a":1,"$source":"publisher:/x"}, {"a":2})`:                                                                                         `{"a":1}`,
		`brought({"a":1,"$source":"publisher:/x"}, {"a":2,"$source":"publisher:/y"})`:                                                                `{"a":1,"$source":"publisher:/y"}`,
		`brought({"a":1}, {"a":2,"$source":"taken:publisher:/y"})`:                                                                                   `{"a":1,"$source":"taken:publisher:/y"}`,
		`brought({"a":1,"$source":"github.com/acme/flags"}, {"a":2})`:                                                                                `{"a":1,"$source":"github.com/acme/flags"}`,
		`unlike(new Map([["flag f",{kind:"flag",key:"f",document:{a:1,$source:"x"}}]]), new Map([["flag f",{kind:"flag",key:"f",document:{a:1}}]]))`: `[]`,
	} {
		if got := evaluate[string](p, `JSON.stringify(reading.`+code+`)`); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
}

// A flag is copied with all that it needs, as one change request, by keyboard. What has moved since it was selected is not overwritten.
func TestCopyBetweenEnvironments(t *testing.T) {
	t.Parallel()
	browser := browser(t)
	s := serve(t)
	s.staged()
	tab := s.open(browser, t, "editor")
	tab.visit("/console/prod/compare?with=staging")
	tab.shows("one-click-checkout")
	tab.shows("only in prod")
	tab.tabTo("Copy flag new-checkout")
	tab.keys(" ")
	tab.shows("2 flags and 1 segment, 2 of them because others need it.")
	const marked = `[...document.querySelectorAll(".compared li.chosen .title a")].map((a) => a.textContent)`
	if got := evaluate[[]string](tab, marked); !slices.Equal(got, []string{"checkout-enabled", "new-checkout", "employees"}) {
		t.Errorf("selected are %q", got)
	}
	tab.activate("Review copying to prod…")
	tab.shows("must agree")
	if title := evaluate[string](tab, `document.querySelector("h1").textContent`); title != "Change 3 documents in prod" || evaluate[int64](tab, `document.querySelectorAll(".changed-document").length`) != 3 {
		t.Errorf("the title is %q, or not all documents are shown", title)
	}
	tab.activate("Propose for prod")
	tab.activate("Open the request")
	tab.await("the request", `location.pathname.startsWith("/console/prod/requests/")`)
	id := evaluate[string](tab, `location.pathname.split("/").pop()`)
	r, err := s.client.Request(t.Context(), "prod", id)
	if err != nil || len(r.Changes) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := s.as("approver").ApproveRequest(t.Context(), "prod", id, r.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	tab.activate("Apply to prod")
	tab.shows("Applied at revision")
	for _, key := range []string{"new-checkout", "checkout-enabled"} {
		if got, want := s.flag("prod", key), s.flag("staging", key); got != want {
			t.Errorf("%s is %s, in staging %s", key, got, want)
		}
	}

	tab.visit("/console/staging/compare?with=prod&q=only")
	tab.tabTo("Copy flag only-here")
	tab.keys(" ")
	if _, err := s.client.ChangeDocuments(t.Context(), "staging", api.ChangeDocuments{Changes: []api.CommandChange{
		{Key: "only-here", Document: []byte(`{"state":"ENABLED","variants":{"newer":1},"defaultVariant":"newer"}`)},
	}}, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	tab.visit("/console/staging/change?do=" + `%7B"type":"documents","changes":%5B%7B"key":"only-here","document":%7B"state":"ENABLED","variants":%7B"a":1%7D%7D%7D%5D%7D`)
	tab.shows("has changed since you looked.")
	if now := s.flag("staging", "only-here"); !strings.Contains(now, "newer") {
		t.Errorf("what is newer was overwritten: %s", now)
	}
	if n := evaluate[int64](tab, `document.querySelectorAll("button.apply").length`); n != 0 {
		t.Errorf("there are %s buttons to apply it", strconv.FormatInt(n, 10))
	}
	tab.forget() // 412 is how the page learns it
}

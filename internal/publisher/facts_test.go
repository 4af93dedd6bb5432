package publisher_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
)

// facts asks for a part of the ledger of staging and returns the types of the facts, newest first.
func (r *running) facts(query url.Values) (types []string, next uint64) {
	r.t.Helper()
	got := r.ask(http.MethodGet, "/api/v1/environments/staging/ledger?"+query.Encode(), "", "Authorization", "Bearer "+secretOf("viewer"))
	var list api.EventList
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != http.StatusOK {
		r.t.Fatalf("the ledger: %d %s, %v", got.status, got.body, err)
	}
	for _, fact := range list.Items {
		types = append(types, fact.Type)
	}
	return types, list.Next
}

// The ledger lists who decided what and who was refused, by person, change request and time, part by part.
func TestLedger(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	before := time.Now()
	s := r.newStage("staging", "f")
	for role, want := range map[string]int{"viewer": http.StatusForbidden, "approver": http.StatusOK} {
		got := r.ask(http.MethodPost, "/api/v1/environments/staging/requests/"+s.request+"/approve", `{"hash":"`+s.hash+`"}`,
			"Authorization", "Bearer "+secretOf(role))
		if got.status != want {
			t.Fatalf("%s approves: %d %s", role, got.status, got.body)
		}
	}
	for name, c := range map[string]struct {
		query url.Values
		want  []string
	}{
		"of the approver":  {url.Values{"actor": {"approver"}}, []string{"request.approved"}},
		"of the viewer":    {url.Values{"actor": {"viewer"}}, []string{"refused"}},
		"of no one":        {url.Values{"actor": {"none"}}, nil},
		"of another":       {url.Values{"request": {s.broken}, "actor": {"root"}}, []string{"request.claimed", "request.opened"}},
		"of long ago":      {url.Values{"until": {before.Add(-time.Hour).Format(time.RFC3339)}}, nil},
		"of what is ahead": {url.Values{"since": {time.Now().Add(time.Hour).Format(time.RFC3339)}}, nil},
	} {
		got, _ := r.facts(c.query)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("facts %s (-want +got):\n%s", name, diff)
		}
	}
	whole, next := r.facts(nil)
	if next != 0 || len(whole) < 5 {
		t.Errorf("the whole ledger is %v, and then %d", whole, next)
	}
	var parts []string
	for before := ""; ; before = strconv.FormatUint(next, 10) {
		query := url.Values{"limit": {"2"}}
		if before != "" {
			query.Set("before", before)
		}
		var part []string
		if part, next = r.facts(query); len(part) > 2 {
			t.Fatalf("a part has %d facts", len(part))
		}
		if parts = append(parts, part...); next == 0 {
			break
		}
	}
	if diff := cmp.Diff(whole, parts); diff != "" {
		t.Errorf("part by part (-whole +parts):\n%s", diff)
	}
}

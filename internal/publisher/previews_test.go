package publisher_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/sync/preview"
	"github.com/flagside/flagside/sync/status"
)

// answering has a holder of the credentials of a sidecar report, hear questions, and say what it likes to each.
func (r *running) answering(environment string, says func(preview.Question) []preview.Answer) {
	r.t.Helper()
	conn := natstest.ConnectLocally(r.t, r.NATSURL(), environment)
	report := r.head(environment)
	report.Boot, report.N, report.Identity = status.NewBoot(), 1, status.Identity{Application: "shop"}
	_, err := conn.Subscribe("ask."+environment+".preview."+report.Boot, func(m *natstest.Heard) {
		var q preview.Question
		if err := json.Unmarshal(m.Data, &q); err != nil || m.Header.Get("Flagside-Proof") == "" {
			r.t.Errorf("a question without a signature, or %v", err)
		}
		for _, a := range says(q) {
			data, err := preview.Encode(a)
			if err != nil {
				r.t.Error(err)
			}
			if err := conn.Publish("status."+environment+".preview."+q.ID, data); err != nil {
				r.t.Error(err)
			}
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	data, err := status.Encode(report)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := conn.Publish("status."+environment+"."+report.Boot, data); err != nil {
		r.t.Fatal(err)
	}
	r.await("the report", func() bool {
		return slices.ContainsFunc(r.fleet(environment, api.FleetQuery{}).Items, func(s api.Sidecar) bool { return s.Boot == report.Boot })
	})
}

// withFlag makes prod with a flag and returns its revision.
func (r *running) withFlag() string {
	r.t.Helper()
	r.create("prod")
	opened, err := r.client.OpenRequest(r.t.Context(), "prod", api.NewRequest{BreakGlass: true, Reason: "it is new", Command: api.Command{
		Type: "put", Key: "checkout", IfAbsent: true, Document: flagBody("on", ""),
	}}, api.ChangeHeaders{})
	if err != nil {
		r.t.Fatal(err)
	}
	applied, err := r.client.ApplyRequest(r.t.Context(), "prod", opened.ID, api.ChangeHeaders{})
	if err != nil {
		r.t.Fatal(err)
	}
	return applied.Applied
}

func counts(q preview.Question, boot string, evaluations uint64) preview.Answer {
	return preview.Answer{ID: q.ID, Boot: boot, SinceMs: 60_000, Applications: []string{"shop"}, Flags: []preview.Flag{
		{Key: "checkout", Evaluations: evaluations, Samples: 100, Changes: []preview.Change{{From: "on", To: "off", N: evaluations / 4}}},
	}}
}

// Counts are for those who may do, propose or approve what they ask about. Others cause no question to a sidecar. Each question is logged with who asked.
func TestWhoMayAskForImpact(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	seen := r.withFlag()
	command := api.Command{Type: "put", Key: "checkout", IfMatch: seen, Document: []byte(offDocument)}
	impact := func(role string) *api.Impact {
		t.Helper()
		found, err := r.as(secretOf(role)).PreviewImpact(t.Context(), "prod", command)
		if err != nil {
			t.Fatal(err)
		}
		return found.Impact
	}
	if i := impact("editor"); i == nil || i.Missing == "" || i.Asked != 0 {
		t.Errorf("without sidecars: %+v", i)
	}
	r.answering("prod", func(q preview.Question) []preview.Answer {
		other := preview.Answer{ID: q.ID, Boot: status.NewBoot(), Flags: []preview.Flag{{Key: "checkout", Evaluations: 1 << 20, Samples: 1 << 20}}}
		return []preview.Answer{other, counts(q, q.To[0], 400), counts(q, q.To[0], 4000)}
	})
	for role, may := range map[string]bool{"editor": true, "admin": true, "viewer": false, "looking": false} {
		i := impact(role)
		if (i != nil) != may {
			t.Errorf("%s: %+v", role, i)
		}
		if may && (i.Answered != 1 || len(i.Flags) != 1 || i.Flags[0].Evaluations != 400 || i.Flags[0].Changed != 100 || i.Sidecars != 1 || i.Applications[0] != "shop") {
			t.Errorf("%s: %+v", role, i)
		}
	}
	plain, err := r.as(secretOf("editor")).Preview(t.Context(), "prod", command)
	if err != nil || plain.Impact != nil {
		t.Errorf("not asked for: %+v, %v", plain.Impact, err)
	}
	if !strings.Contains(r.log.String(), `"actor":"editor"`) || !strings.Contains(r.log.String(), "impact preview") {
		t.Error("the question is not logged with who asked")
	}
	q := r.propose("checkout", seen)
	for _, ask := range []string{"viewer", "looking"} {
		shown, err := r.as(secretOf(ask)).RequestImpact(t.Context(), "prod", q.ID)
		if err != nil || shown.Impact != nil || shown.ID != q.ID {
			t.Errorf("%s: %+v, %v", ask, shown.Impact, err)
		}
	}
	for _, ask := range []string{"approver", "editor"} {
		shown, err := r.as(secretOf(ask)).RequestImpact(t.Context(), "prod", q.ID)
		if err != nil || shown.Impact == nil || shown.Impact.Answered != 1 || shown.Impact.Flags[0].Changed != 100 {
			t.Errorf("%s: %+v, %v", ask, shown.Impact, err)
		}
	}
	if shown, err := r.client.Request(t.Context(), "prod", q.ID); err != nil || shown.Impact != nil || shown.Hash != q.Hash {
		t.Errorf("not asked for: %+v, %v", shown, err)
	}
	applied := r.agreeAndApply(q)
	if shown, err := r.client.RequestImpact(t.Context(), "prod", applied.ID); err != nil || shown.Impact != nil {
		t.Errorf("applied already: %+v, %v", shown.Impact, err)
	}
}

// A sidecar that does not answer, as those of older versions, is waited for as long as the caller wants, and what others say is told.
func TestSilentSidecarsAreNotWaitedForLong(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	seen := r.withFlag()
	r.answering("prod", func(preview.Question) []preview.Answer { return nil })
	r.answering("prod", func(preview.Question) []preview.Answer { return nil })
	r.await("both", func() bool { return len(r.fleet("prod", api.FleetQuery{}).Items) == 2 })
	body, err := json.Marshal(api.PreviewCommand{Impact: true, WaitMs: 50, Command: api.Command{Type: "put", Key: "checkout", IfMatch: seen, Document: []byte(offDocument)}})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	got := r.ask("POST", "/api/v1/environments/prod/preview", string(body), "Authorization", "Bearer "+secretOf("editor"), "Content-Type", "application/json")
	var found api.Preview
	if err := json.Unmarshal([]byte(got.body), &found); err != nil || found.Impact == nil || found.Impact.Asked != 2 || found.Impact.Answered != 0 || found.Impact.Missing != "" {
		t.Errorf("%s, %v", got.body, err)
	}
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("it was not waited for: %s", took)
	}
}

// Where everyone may read, those without credentials have no sidecar asked, and neither have those who may only read. Those who may decide have.
func TestNoOneCausesQuestionsWithoutCredentials(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{AnonymousReads: true})
	seen := r.withFlag()
	var questions atomic.Int64
	r.answering("prod", func(preview.Question) []preview.Answer {
		questions.Add(1)
		return nil
	})
	q := r.propose("checkout", seen)
	got := r.ask("GET", "/api/v1/environments/prod/requests/"+q.ID+"?impact=true", "", "Authorization", "")
	if got.status != http.StatusOK || strings.Contains(got.body, `"impact"`) {
		t.Errorf("a change request: %d %s", got.status, got.body)
	}
	body, err := json.Marshal(api.PreviewCommand{Impact: true, Command: api.Command{Type: "put", Key: "checkout", IfMatch: seen, Document: []byte(offDocument)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.ask("POST", "/api/v1/environments/prod/preview", string(body), "Authorization", "", "Content-Type", "application/json"); got.status != http.StatusUnauthorized {
		t.Errorf("a preview: %d %s", got.status, got.body)
	}
	if shown, err := r.as(secretOf("viewer")).RequestImpact(t.Context(), "prod", q.ID); err != nil || shown.Impact != nil {
		t.Errorf("a viewer: %+v, %v", shown.Impact, err)
	}
	if n := questions.Load(); n != 0 {
		t.Errorf("%d questions", n)
	}
	if shown, err := r.as(secretOf("approver")).RequestImpact(t.Context(), "prod", q.ID); err != nil || shown.Impact == nil || questions.Load() != 1 {
		t.Errorf("an approver: %+v, %v, %d questions", shown.Impact, err, questions.Load())
	}
}

// The same preview at twenty callers at once is one question, and twenty different ones are asked one after the other: no answer is of another one.
func TestPreviewsAtOnce(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	seen := r.withFlag()
	var questions, together, most atomic.Int64
	r.answering("prod", func(q preview.Question) []preview.Answer {
		questions.Add(1)
		most.Store(max(most.Load(), together.Add(1)))
		defer together.Add(-1)
		return []preview.Answer{counts(q, q.To[0], uint64(100*len(q.Documents[0].Body)))}
	})
	ask := func(document func(i int) string) {
		t.Helper()
		var asking sync.WaitGroup
		for i := range 20 {
			asking.Go(func() {
				body := document(i)
				command := api.PreviewCommand{Impact: true, WaitMs: 10_000, Command: api.Command{Type: "put", Key: "checkout", IfMatch: seen, Document: []byte(body)}}
				data, err := json.Marshal(command)
				if err != nil {
					t.Error(err)
				}
				got := r.ask("POST", "/api/v1/environments/prod/preview", string(data), "Authorization", "Bearer "+secretOf("editor"), "Content-Type", "application/json")
				var found api.Preview
				err = json.Unmarshal([]byte(got.body), &found)
				if err != nil || found.Impact == nil || len(found.Impact.Flags) != 1 || found.Impact.Flags[0].Evaluations != uint64(100*len(body)) {
					t.Errorf("%d: %s, %v", i, got.body, err)
				}
			})
		}
		asking.Wait()
	}
	ask(func(int) string { return offDocument })
	if n := questions.Load(); n != 1 {
		t.Errorf("the same twenty times are %d questions", n)
	}
	ask(func(i int) string {
		return strings.Replace(offDocument, "{", fmt.Sprintf(`{"description":%q,`, strings.Repeat("x", i+1)), 1)
	})
	if n := questions.Load(); n != 21 || most.Load() > 1 {
		t.Errorf("%d questions, of which %d at once", n, most.Load())
	}
}

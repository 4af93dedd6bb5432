package publisher_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
)

// What goes without approvals is logged, counted and listed until it is reviewed. What is refused leaves nothing that waits.
func TestBreakingTheGlassIsLoud(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("prod")
	toReview := func() string {
		return r.ask(http.MethodGet, "/api/v1/environments/prod/requests?needsReview=true", "", "Authorization", "Bearer "+secretOf("viewer")).body
	}
	counted := func(count string) bool {
		text := r.ask(http.MethodGet, "/metrics", "").body
		return strings.Contains(text, "flagside_break_glass_total{environment=\"prod\"} "+count+"\n")
	}
	_, err := r.as(secretOf("editor")).OpenRequest(t.Context(), "prod", api.NewRequest{BreakGlass: true, Reason: "it burns", Command: api.Command{
		Type: "put", Key: "f", IfAbsent: true, Document: []byte(offDocument),
	}}, api.ChangeHeaders{})
	if !isProblem(err, http.StatusForbidden, "forbidden") {
		t.Errorf("an editor breaks the glass: %v, want 403", err)
	}
	if all, err := r.client.AllRequests(t.Context(), "prod", api.RequestQuery{}); err != nil || len(all) != 0 {
		t.Errorf("%d requests are left, %v", len(all), err)
	}
	quiet, err := r.as(secretOf("editor")).OpenRequest(t.Context(), "prod", api.NewRequest{Command: api.Command{
		Type: "put", Key: "quiet", IfAbsent: true, Document: []byte(offDocument),
	}}, api.ChangeHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	r.agreeAndApply(quiet)
	if text := r.log.String(); strings.Contains(text, "applied without approvals") || counted("1") {
		t.Errorf("something broke the glass:\n%s", text)
	}
	id := r.breakGlass("prod", "f")
	if text := r.log.String(); !strings.Contains(text, "change applied without approvals") || !strings.Contains(text, `"reason":"it burns"`) ||
		!strings.Contains(text, `"request":"`+id+`"`) {
		t.Errorf("the log does not say it:\n%s", text)
	}
	if !counted("1") {
		t.Error("it was not counted once")
	}
	if text := toReview(); !strings.Contains(text, id) || strings.Contains(text, quiet.ID) {
		t.Errorf("what is to be reviewed is %s", text)
	}
	if got := r.ask(http.MethodPost, "/api/v1/environments/prod/requests/"+id+"/review", "", "Authorization", "Bearer "+secretOf("approver")); got.status != http.StatusOK {
		t.Fatalf("review: %d %s", got.status, got.body)
	}
	if text := toReview(); strings.Contains(text, id) {
		t.Errorf("after the review it is still listed: %s", text)
	}
	if _, err := r.as(secretOf("admin")).ArchiveEnvironment(t.Context(), "prod", api.AdministrationHeaders{Reason: "it is gone", BreakGlass: true}); err != nil {
		t.Fatal(err)
	}
	if !counted("2") {
		t.Error("an archive without approvals was not counted")
	}
}

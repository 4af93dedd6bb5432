package publisher_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	follow "github.com/flagside/flagside/internal/publisher/following"
)

// What the default policy lets sources do goes by how they are authenticated, and not by a group, which an admin could give to a token.
func TestTheGroupOfSourcesIsNoWayAroundApprovals(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{FixedTokens: []access.FixedToken{{Secret: secretOf("sly"), Principal: access.Principal{
		ID: "publisher:/flags", Kind: access.KindToken, Groups: []string{access.RoleSource},
	}}}})
	r.create("prod")
	_, _, err := r.as(secretOf("sly")).Put(t.Context(), "prod", flagID("f"), flagBody("on", ""), absent(), api.ChangeHeaders{})
	if !isProblem(err, http.StatusForbidden, "approval-required") {
		t.Errorf("a token in the group of sources: %v", err)
	}
	r.create("staging")
	_, _, err = r.as(secretOf("sly")).Put(t.Context(), "staging", flagID("f"), flagBody("on", `,"$source":"publisher:/flags"`), absent(), api.ChangeHeaders{})
	if !isProblem(err, http.StatusConflict, "source-owned") {
		t.Errorf("a token with the id of a source: %v", err)
	}
}

// Where the risk is high a source needs approvals for what it puts, too.
func TestASourceNeedsApprovalWhereTheRiskIsHigh(t *testing.T) {
	t.Parallel()
	r, dir := followingFiles(t, "staging")
	text := []byte(`{"flags":{"login":` + string(flagBody("on", `,"tags":["security"]`)) + `}}`)
	if err := os.WriteFile(filepath.Join(dir, "a.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	var open []api.ChangeRequest
	r.await("a change request", func() bool {
		open, _ = r.client.AllRequests(t.Context(), "staging", api.RequestQuery{Status: "open"})
		return len(open) == 1
	})
	r.await("the source to say that it waits", func() bool {
		sources, err := r.client.Sources(t.Context(), "staging")
		return err == nil && len(sources.Items) == 1 && sources.Items[0].ChangeRequest == open[0].ID && sources.Items[0].State == string(follow.Waiting)
	})
	if _, err := r.as(secretOf("approver")).ApproveRequest(t.Context(), "staging", open[0].ID, open[0].Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	r.awaitVariant("staging", "login", "on")
}

package publisher_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/trusttest"
)

// administrator is a token that may administer and nothing else.
func administrator() access.FixedToken {
	return access.FixedToken{Secret: secretOf("administrator"), Principal: access.Principal{
		ID: "administrator", Kind: access.KindToken, Groups: []string{access.RoleAdmin},
		Scope: access.Scope{Actions: []access.Action{access.Read, access.Administer}},
	}}
}

// governedOn is governed on a server of its own, with an administrator.
func governedOn(t *testing.T, server *natstest.Server) *running {
	t.Helper()
	return governed(t, publisher.Options{NATS: server.URL(), FixedTokens: []access.FixedToken{administrator()}})
}

// published returns a snapshot of prod as a sidecar has it, which has a flag.
func published(t *testing.T, server *natstest.Server, r *running, key string) []byte {
	t.Helper()
	sidecar := read(t, server, "prod")
	r.await("the sidecar", func() bool { return sidecar.body(key) != "" })
	sidecar.stop()
	var out bytes.Buffer
	if err := sidecar.store.View().Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// ledger returns the types of what the ledger of prod has, newest first, without what was refused.
func (r *running) ledger() (types []string) {
	r.t.Helper()
	list, err := r.client.Ledger(r.t.Context(), "prod", api.LedgerQuery{})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, fact := range list.Items {
		if fact.Type != "refused" && fact.Type != "unauthenticated" {
			types = append(types, fact.Type)
		}
	}
	return types
}

// review asks as a role to review a change request.
func (r *running) review(role, id string) answer {
	return r.ask(http.MethodPost, "/api/v1/environments/prod/requests/"+id+"/review", "", "Authorization", "Bearer "+secretOf(role), "Flagside-Reason", "seen")
}

// A restore of a protected environment waits for another person, shows what differs, and is a change as any other.
func TestRestoreNeedsASecondPerson(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	before := published(t, server, r, "f")
	added := r.agreeAndApply(r.propose("g", ""))
	editor := r.as(secretOf("editor"))

	look, err := editor.RestoreEnvironment(t.Context(), "prod", before, api.RestoreQuery{DryRun: true}, api.RestoreHeaders{})
	if err != nil || look.Outcome != "preview" || !look.InHistory || look.NewEpoch || look.Request != nil ||
		len(look.Preview.Differences) != 1 || look.Preview.Differences[0].Key != "g" || look.Preview.Refused.Approvals != 1 {
		t.Errorf("a dry run tells %+v, %v", look, err)
	}
	if _, err := r.as(secretOf("administrator")).RestoreEnvironment(t.Context(), "prod", before, api.RestoreQuery{}, anyway("I can")); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Errorf("who may only administer restores: %v", err)
	}
	out, err := editor.RestoreEnvironment(t.Context(), "prod", before, api.RestoreQuery{}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "g was a mistake"}})
	if err != nil || out.Outcome != "waiting" || out.Request.Status != "open" || out.Waits.Approvals != 1 {
		t.Fatalf("a restore by an editor: %+v, %v", out, err)
	}
	if q := out.Request.Restores; q == nil || !q.InHistory || q.NewEpoch || q.Documents != 1 || q.Before != added.Applied || q.StateDigest == q.BeforeState {
		t.Errorf("the change request tells %+v", q)
	}
	if _, _, err := r.client.Document(t.Context(), "prod", flagID("g")); err != nil {
		t.Errorf("before the approval the flag is gone: %v", err)
	}
	if _, err := editor.ApplyRequest(t.Context(), "prod", out.Request.ID, api.ChangeHeaders{}); !refusedWith(err, http.StatusForbidden, "approval-required") {
		t.Errorf("without approval: %v", err)
	}
	applied := r.agreeAndApply(*out.Request)
	if applied.Status != "applied" || applied.Applied[:8] != added.Applied[:8] || applied.ReviewOpen {
		t.Errorf("applied: %+v", applied)
	}
	if a := r.ask(http.MethodGet, flags+"/g", ""); a.status != http.StatusNotFound {
		t.Errorf("a flag that the snapshot lacks: %d %s", a.status, a.body)
	}
	if got, want := r.ledger()[:4], []string{"request.applied", "request.claimed", "request.approved", "request.opened"}; !slices.Equal(got, want) {
		t.Errorf("the ledger says %q", got)
	}
	out, err = editor.RestoreEnvironment(t.Context(), "prod", before, api.RestoreQuery{}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "again"}})
	if err != nil || out.Outcome != "unchanged" {
		t.Errorf("a restore of what is there: %+v, %v", out, err)
	}
}

// A snapshot that the log knows nothing of is restored only by breaking the glass, even by who may change everything, and reviewed.
func TestRestoreOfAnUnknownPosition(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	unknown := snapshot(t, "prod", flagOf("f", []byte(offDocument)))
	if _, err := r.client.RestoreEnvironment(t.Context(), "prod", unknown, api.RestoreQuery{}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "please"}}); !refusedWith(err, http.StatusForbidden, "break-glass-required") {
		t.Errorf("without breaking the glass: %v", err)
	}
	if _, err := r.client.RestoreEnvironment(t.Context(), "prod", unknown, api.RestoreQuery{}, anyway("")); !refusedWith(err, http.StatusBadRequest, "malformed") {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := r.as(secretOf("editor")).RestoreEnvironment(t.Context(), "prod", unknown, api.RestoreQuery{}, anyway("I want")); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Errorf("an editor breaks the glass: %v", err)
	}
	if a := r.ask(http.MethodGet, flags+"/f", ""); a.status != http.StatusNotFound {
		t.Fatalf("a refused restore changed something: %d %s", a.status, a.body)
	}
	out, err := r.client.RestoreEnvironment(t.Context(), "prod", unknown, api.RestoreQuery{}, anyway("all is lost"))
	if err != nil || out.Outcome != "applied" || out.InHistory || !out.Request.ReviewOpen || out.Request.Restores.InHistory {
		t.Fatalf("restored: %+v, %v", out, err)
	}
}

// The log is gone and with it who could approve. What changes documents takes breaking the glass, a review by another person, and leaves
// records; that of nothing but what was there takes none.
func TestANewEpochTakesBreakingTheGlass(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	deleteStream(t, server, "FLAGS_prod")
	r.await("the loss", func() bool { return r.condition("stream-lost") != "" })

	other := snapshot(t, "prod", flagOf("g", []byte(offDocument)))
	for who, want := range map[string]string{"administrator": "forbidden", "editor": "forbidden", "admin": "break-glass-required"} {
		if _, err := r.as(secretOf(who)).RestoreEnvironment(t.Context(), "prod", other, api.RestoreQuery{}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "it is gone"}}); !refusedWith(err, http.StatusForbidden, want) {
			t.Errorf("a restore by %s: %v", who, err)
		}
	}
	if _, err := r.as(secretOf("administrator")).RestoreEnvironment(t.Context(), "prod", other, api.RestoreQuery{}, anyway("it is gone")); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Errorf("who may only administer breaks the glass: %v", err)
	}
	look, err := r.client.RestoreEnvironment(t.Context(), "prod", other, api.RestoreQuery{DryRun: true}, api.RestoreHeaders{})
	if err != nil || !look.NewEpoch || len(look.Preview.Differences) != 2 || look.Preview.Refused == nil {
		t.Errorf("a dry run tells %+v, %v", look, err)
	}
	out, err := r.as(secretOf("admin")).RestoreEnvironment(t.Context(), "prod", other, api.RestoreQuery{}, anyway("it is gone"))
	if err != nil || !out.NewEpoch || out.Outcome != "applied" || !out.Request.ReviewOpen || out.Request.Applied != out.Environment.Revision {
		t.Fatalf("restored: %+v, %v", out, err)
	}
	if q := out.Request; q.Author != "admin" || q.Reason != "it is gone" || len(q.Changes) != 2 || !q.Restores.NewEpoch || q.Restores.Before == "" {
		t.Errorf("the record tells %+v", q)
	}
	if got, want := r.ledger()[:2], []string{"request.applied", "epoch.begun"}; !slices.Equal(got, want) {
		t.Errorf("the ledger says %q", got)
	}
	if a := r.ask(http.MethodGet, flags+"/g", ""); a.body != offDocument {
		t.Errorf("the flag of the snapshot is %d %s", a.status, a.body)
	}
	if a := r.review("admin", out.Request.ID); a.status != http.StatusForbidden {
		t.Errorf("a review of one's own: %d %s", a.status, a.body)
	}
	if a := r.review("approver", out.Request.ID); a.status != http.StatusOK {
		t.Errorf("a review: %d %s", a.status, a.body)
	}
	reviewed, err := r.client.Request(t.Context(), "prod", out.Request.ID)
	if err != nil || reviewed.ReviewOpen || reviewed.Review == nil || reviewed.Review.By != "approver" || len(reviewed.Changes) != 2 {
		t.Errorf("reviewed: %+v, %v", reviewed, err)
	}
}

// A publisher that was started after the loss knows nothing: every document of the snapshot counts as touched.
func TestRestoreByAPublisherThatKnowsNothing(t *testing.T) {
	skipShort(t)
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	before := published(t, server, r, "f")
	r.stop()
	deleteStream(t, server, "FLAGS_prod")
	late := governedOn(t, server)
	if _, err := late.client.RestoreEnvironment(t.Context(), "prod", before, api.RestoreQuery{}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "it is gone"}}); !refusedWith(err, http.StatusForbidden, "break-glass-required") {
		t.Errorf("without breaking the glass: %v", err)
	}
	out, err := late.client.RestoreEnvironment(t.Context(), "prod", before, api.RestoreQuery{}, anyway("it is gone"))
	if err != nil || out.Outcome != "applied" || !out.NewEpoch || out.Environment.Flags != 1 || !out.Request.ReviewOpen || len(out.Request.Changes) != 1 {
		t.Fatalf("restored: %+v, %v", out, err)
	}
	if a := late.review("approver", out.Request.ID); a.status != http.StatusOK {
		t.Errorf("a review: %d %s", a.status, a.body)
	}
	report, err := audit.Verify(strings.NewReader(late.exported("prod")), trusttest.Default().Trust, audit.Options{})
	if err != nil || len(report.Warnings) > 1 {
		t.Errorf("the history: %v, warnings %q", err, report.Warnings)
	}
}

// Recreating exactly what is held changes no document: who may administer may do that, and it is recorded.
func TestRecreateOfWhatIsHeldIsRecorded(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	deleteStream(t, server, "FLAGS_prod")
	r.await("the loss", func() bool { return r.condition("stream-lost") != "" })
	out, err := r.as(secretOf("administrator")).RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "the disk is new"}})
	if err != nil || !out.NewEpoch || len(out.Preview.Differences) != 0 || out.Request.ReviewOpen || out.Request.Author != "administrator" {
		t.Fatalf("recreated %+v, %v", out, err)
	}
	if got, want := r.ledger()[:2], []string{"request.applied", "epoch.begun"}; !slices.Equal(got, want) {
		t.Errorf("the ledger says %q", got)
	}
	if a := r.ask(http.MethodGet, flags+"/f", ""); a.status != http.StatusOK {
		t.Errorf("the flag is %d %s", a.status, a.body)
	}
}

// Log and ledger are gone. Nothing is written that the ledger cannot take, and the refusal tells what to do first.
func TestRecreateWhenTheLedgerIsGoneToo(t *testing.T) {
	skipShort(t)
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	deleteStream(t, server, "FLAGS_prod")
	deleteStream(t, server, "LEDGER_prod")
	r.await("the loss", func() bool { return r.condition("stream-lost") != "" })
	if _, err := r.client.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, anyway("all is gone")); err == nil || !strings.Contains(err.Error(), "flagside ledger repair") {
		t.Errorf("before the ledger is repaired: %v", err)
	}
	if _, err := r.client.RepairLedger(t.Context(), "prod", api.RepairHeaders{Reason: "all is gone"}); err != nil {
		t.Fatal(err)
	}
	out, err := r.client.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, anyway("all is gone"))
	if err != nil || out.Outcome != "applied" || out.Environment.Flags != 1 || out.Environment.Refused != "" {
		t.Fatalf("recreated: %+v, %v", out, err)
	}
	if a := r.ask(http.MethodGet, flags+"/f", ""); a.status != http.StatusOK {
		t.Errorf("the flag is %d %s", a.status, a.body)
	}
}

// What is too large for one change request is refused with the remedy, and restored in parts.
func TestRestoreInParts(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), KeysDir: trusttest.Default().Directory(t)})
	for name, c := range map[string]struct {
		documents, parts int
		prefix           string // of keys, which a record has twice, and escaped
	}{
		"many":      {1200, 2, "f"},
		"long-keys": {600, 5, strings.Repeat("\t", 1000)},
	} {
		r.create(name)
		r.put(name, "old", flagBody("on", ""), absent())
		documents := make([]document.Document, c.documents)
		for i := range documents {
			documents[i] = flagOf(fmt.Sprintf("%s%04d", c.prefix, i), flagBody("on", ""))
		}
		large := snapshot(t, name, documents...)
		if _, err := r.client.RestoreEnvironment(t.Context(), name, large, api.RestoreQuery{}, anyway("all")); !refusedWith(err, http.StatusRequestEntityTooLarge, "too-large") ||
			!strings.Contains(err.Error(), "in parts") {
			t.Errorf("%s at once: %v", name, err)
		}
		for part, remaining := 1, c.documents; remaining > 0; part++ {
			out, err := r.client.RestoreEnvironment(t.Context(), name, large, api.RestoreQuery{Part: true}, anyway("some"))
			if err != nil || out.Outcome != "applied" || out.Remaining >= remaining || out.Environment.Flags+out.Remaining < c.documents || part > c.parts {
				t.Fatalf("%s, part %d: %s, %d flags and %d remain, %v", name, part, out.Outcome, out.Environment.Flags, out.Remaining, err)
			}
			remaining = out.Remaining
		}
	}
}

// What a record of a change request cannot hold is refused as too large, whatever makes it so.
func TestAProposalWithLongKeys(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir(), KeysDir: trusttest.Default().Directory(t)})
	r.create("prod")
	r.create("trial")
	documents := make([]document.Document, 500)
	for i := range documents {
		documents[i] = flagOf(fmt.Sprintf("%s%04d", strings.Repeat("k", 1000), i), flagBody("on", ""))
	}
	long := snapshot(t, "trial", documents...)
	for remaining := 1; remaining > 0; {
		out, err := r.client.RestoreEnvironment(t.Context(), "trial", long, api.RestoreQuery{Part: true}, anyway("some"))
		if err != nil {
			t.Fatal(err)
		}
		remaining = out.Remaining
	}
	_, err := r.client.OpenRequest(t.Context(), "prod", api.NewRequest{Command: api.Command{Type: "promote", From: "trial"}}, api.ChangeHeaders{})
	if !refusedWith(err, http.StatusRequestEntityTooLarge, "too-large") || !strings.Contains(err.Error(), "fewer documents") {
		t.Errorf("promoting all: %v", err)
	}
}

package publisher_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// act is an administrative operation of the API, and the records that it must leave.
type act struct {
	operation string
	do        func(reason string) answer
	control   string // type of the record in CONTROL; empty for none
	ledger    string // the environment whose ledger has a record; empty for none
	fact      string // its type
}

// notAdministration returns the operations that change something and are no acts of administration, with the record that they leave.
func notAdministration() map[string][]string {
	return map[string][]string{
		"the log, whose entry is the change itself": {
			"putFlag", "patchFlag", "toggleFlag", "archiveFlag", "deleteFlag", "rollBackFlag", "putSegment", "patchSegment", "archiveSegment",
			"deleteSegment", "rollBackSegment", "putSettings", "rollBackEnvironment", "promoteEnvironment", "changeDocuments", "recreateEnvironment", "restoreEnvironment",
			"createManifestFlag", "updateManifestFlag", "archiveManifestFlag", "createOnlyManifestFlag", "updateOnlyManifestFlag", "archiveOnlyManifestFlag",
		},
		"the ledger, as a step of the change request": {
			"openRequest", "commentRequest", "approveRequest", "rejectRequest", "reviewRequest", "withdrawRequest", "rebaseRequest", "applyRequest",
		},
		"none, because it changes nothing and only sends a test":                                {"testWebhook"},
		"none, because it only ends what lasts a day at most; the log of the publisher says it": {"revokeSession"},
		"none, because it only asks":                                                            {"checkPolicy", "evaluateFlags", "previewCommand", "previewLifecyclePolicy", "verifyAudit"},
	}
}

// controlRecords returns what CONTROL says, newest first.
func (r *running) controlRecords() []api.Record {
	r.t.Helper()
	list, err := r.tryControlRecords()
	if err != nil {
		r.t.Fatalf("CONTROL: %v", err)
	}
	return list
}

// tryControlRecords is controlRecords where they may not be known yet.
func (r *running) tryControlRecords() ([]api.Record, error) {
	r.t.Helper()
	list, err := r.as(secretOf("root")).ControlRecords(r.t.Context(), api.RecordQuery{Limit: 1000})
	return list.Items, err
}

// ledgerOf returns what the ledger of an environment says, newest first.
func (r *running) ledgerOf(environment string) []api.Event {
	r.t.Helper()
	list, err := r.as(secretOf("viewer")).Ledger(r.t.Context(), environment, api.LedgerQuery{Limit: 1000})
	if err != nil {
		r.t.Fatalf("the ledger of %s: %v", environment, err)
	}
	return list.Items
}

// acts returns all administrative operations, in an order in which each is possible.
func (r *running) acts(t *testing.T, server *natstest.Server, person string) []act {
	t.Helper()
	ask := func(method, path, body string) func(string) answer {
		return func(reason string) answer {
			return r.ask(method, "/api/v1"+path, body, "Authorization", "Bearer "+secretOf("root"), "Flagside-Reason", reason)
		}
	}
	damaged := func(do func(string) answer, stream, remedy string) func(string) answer {
		return func(reason string) answer {
			deleteStream(t, server, stream)
			r.await("the damage of "+stream, func() bool { return strings.Contains(r.condition("journal-damaged"), remedy) })
			return do(reason)
		}
	}
	token := func(reason string) answer {
		created, err := r.client.CreateToken(r.t.Context(), api.NewToken{Name: "n", Groups: []string{access.RoleViewer}}, api.AdministrationHeaders{})
		if err != nil {
			r.t.Fatal(err)
		}
		return ask(http.MethodDelete, "/tokens/"+created.Token.ID, "")(reason)
	}
	reviewed := func(reason string) answer {
		sequence := r.archiveAnyway("archived-by-break-glass")
		return ask(http.MethodPost, fmt.Sprintf("/control/records/%d/review", sequence), "")(reason)
	}
	return []act{
		{"createEnvironment", ask(http.MethodPost, "/environments", `{"name":"created"}`), "environment.created", "", ""},
		{"archiveEnvironment", ask(http.MethodPost, "/environments/created/archive", ""), "environment.archived", "created", "environment.archived"},
		{"reviveEnvironment", ask(http.MethodPost, "/environments/created/revive", ""), "environment.revived", "created", "environment.revived"},
		{"patchRisk", ask(http.MethodPatch, "/environments/staging/risk", `{"share":0.5}`), "", "staging", "settings.risk"},
		{"putRisk", ask(http.MethodPut, "/environments/staging/risk", `{"tags":["t"]}`), "", "staging", "settings.risk"},
		{"patchLifecyclePolicy", ask(http.MethodPatch, "/environments/staging/lifecycle/policy", `{"staleDays":60}`), "", "staging", "settings.lifecycle"},
		{"createToken", ask(http.MethodPost, "/tokens", `{"name":"n","groups":["flagside:viewer"]}`), "token.created", "", ""},
		{"revokeToken", token, "token.revoked", "", ""},
		{"erasePerson", ask(http.MethodPost, "/persons/erase", `{"person":"`+person+`"}`), "person.erased", "", ""},
		{"reviewControl", reviewed, "control.reviewed", "", ""},
		{"repairLedger", damaged(ask(http.MethodPost, "/environments/staging/ledger/repair", ""), "LEDGER_staging", "--environment staging"), "", "staging", "journal.repaired"},
		{"repairControl", damaged(ask(http.MethodPost, "/control/repair", ""), "CONTROL", "--control"), "journal.repaired", "", ""},
		{"adoptEnvironment", ask(http.MethodPost, "/environments/staging/adopt", ""), "environment.adopted", "staging", "environment.adopted"},
	}
}

// archiveAnyway creates an environment and has admin archive it without approvals. It returns the record of CONTROL.
func (r *running) archiveAnyway(name string) uint64 {
	r.t.Helper()
	r.create(name)
	anyway := api.AdministrationHeaders{Reason: "it must go now", BreakGlass: true}
	if _, err := r.as(secretOf("admin")).ArchiveEnvironment(r.t.Context(), name, anyway); err != nil {
		r.t.Fatalf("archive: %v", err)
	}
	return r.ledgerOf(name)[0].Control
}

// Every administrative operation of the API leaves a record of who did it and why, and an operation that is added is refused by this test
// until it is listed.
func TestEveryActLeavesARecord(t *testing.T) {
	skipShort(t)
	t.Parallel()
	server := natstest.Start(t)
	i := newIdentities(t)
	o := i.options()
	o.NATS = server.URL()
	r := governed(t, o)
	r.create("staging")
	const subject = "turing@example.com"
	editor := r.as(i.token(subject, access.RoleEditor, "flagside", time.Hour))
	if _, _, err := editor.Put(t.Context(), "staging", flagID("f"), flagBody("on", ""), absent(), api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, operations := range notAdministration() {
		listed = append(listed, operations...)
	}
	for _, act := range r.acts(t, server, "corp:"+subject) {
		listed = append(listed, act.operation)
		reason := "because of " + act.operation
		if got := act.do(reason); got.status >= http.StatusMultipleChoices {
			t.Fatalf("%s: %d %s", act.operation, got.status, got.body)
		}
		isOfControl := func(a api.Record) bool {
			return a.Type == act.control && a.Reason == reason && a.Actor == "root" && !a.Time.IsZero()
		}
		if act.control != "" {
			r.await("a record of "+act.operation+" in CONTROL", func() bool { // which is read again after its repair
				all, _ := r.tryControlRecords()
				return slices.ContainsFunc(all, isOfControl)
			})
		}
		isOfLedger := func(f api.Event) bool {
			return f.Type == act.fact && f.Text == reason && f.Actor == "root" && !f.Time.IsZero()
		}
		if act.ledger != "" && !slices.ContainsFunc(r.ledgerOf(act.ledger), isOfLedger) {
			t.Errorf("%s leaves no %s in the ledger of %s: %+v", act.operation, act.fact, act.ledger, r.ledgerOf(act.ledger))
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(readContract(t).writes(), listed); diff != "" {
		t.Errorf("operations that change something, and the ones whose record is known (-all +known):\n%s", diff)
	}
}

// writes returns the operations that may change something, sorted.
func (d declared) writes() (all []string) {
	for _, methods := range d.Paths {
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			if method != "get" {
				all = append(all, methods[method].ID)
			}
		}
	}
	slices.Sort(all)
	return all
}

// An environment that was archived by breaking the glass says so with the reason, and another person who may approve there reviews it once.
func TestAnArchiveByBreakGlassIsReviewed(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.await("the policies in CONTROL", func() bool { return len(r.policyRecords()) == 1 }) // before what is listed below
	r.create("prod")
	archive := func(headers ...string) answer {
		return r.ask(http.MethodPost, "/api/v1/environments/prod/archive", "", append(headers, "Authorization", "Bearer "+secretOf("admin"))...)
	}
	if got := archive(); got.status != http.StatusForbidden {
		t.Fatalf("without breaking the glass: %d %s", got.status, got.body)
	}
	if got := archive("Flagside-Break-Glass", "true", "Flagside-Reason", "it leaks"); got.status != http.StatusOK {
		t.Fatalf("archive: %d %s", got.status, got.body)
	}
	fact, act := r.ledgerOf("prod")[0], r.controlRecords()[0]
	if fact.Type != "environment.archived" || !fact.Breaks || !fact.Review || fact.Text != "it leaks" || fact.Actor != "admin" || fact.Control != act.Sequence {
		t.Errorf("the ledger says %+v", fact)
	}
	if act.Type != "environment.archived" || !act.Breaks || !act.ReviewOpen || act.Reason != "it leaks" || act.Environment != "prod" {
		t.Errorf("CONTROL says %+v", act)
	}
	review := func(role string, sequence uint64) answer {
		return r.ask(http.MethodPost, fmt.Sprintf("/api/v1/control/records/%d/review", sequence), "", "Authorization", "Bearer "+secretOf(role))
	}
	for _, c := range []struct {
		role     string
		sequence uint64
		status   int
		open     bool // afterwards
	}{
		{"editor", act.Sequence, http.StatusForbidden, true},
		{"admin", act.Sequence, http.StatusForbidden, true}, // who did it
		{"root", act.Sequence - 1, http.StatusConflict, true},
		{"root", act.Sequence + 100, http.StatusNotFound, true},
		{"approver", act.Sequence + 100, http.StatusForbidden, true},
		{"approver", act.Sequence, http.StatusOK, false},
		{"root", act.Sequence, http.StatusConflict, false},
	} {
		if got := review(c.role, c.sequence); got.status != c.status {
			t.Errorf("%s reviews %d: %d %s, want %d", c.role, c.sequence, got.status, got.body, c.status)
		}
		if open := r.ledgerOf("prod")[0].Review; open != c.open {
			t.Errorf("after %s reviewed %d: it is to be reviewed: %t, want %t", c.role, c.sequence, open, c.open)
		}
	}
	if now := r.controlRecords(); now[0].Reviews != act.Sequence || now[0].Actor != "approver" || now[1].ReviewedBy != "approver" {
		t.Errorf("CONTROL says %+v", now[:2])
	}
}

// A person who was erased and is back under another id cannot review what the person did before, nor can another person who may be the same.
func TestWhatAnErasedPersonDidIsNotReviewed(t *testing.T) {
	t.Parallel()
	i := newIdentities(t)
	r := governed(t, i.options())
	r.create("prod")
	const subject = "hopper@example.com"
	person := i.token(subject, access.RoleAdmin, "flagside", time.Hour)
	got := r.ask(http.MethodPost, "/api/v1/environments/prod/archive", "", "Authorization", "Bearer "+person,
		"Flagside-Break-Glass", "true", "Flagside-Reason", "it leaks")
	if got.status != http.StatusOK {
		t.Fatalf("archive: %d %s", got.status, got.body)
	}
	review := func(token string) answer {
		return r.ask(http.MethodPost, fmt.Sprintf("/api/v1/control/records/%d/review", r.ledgerOf("prod")[0].Control), "", "Authorization", "Bearer "+token)
	}
	if got := review(person); got.status != http.StatusForbidden {
		t.Errorf("by the person: %d %s", got.status, got.body)
	}
	if got := r.ask(http.MethodPost, "/api/v1/persons/erase", `{"person":"corp:`+subject+`"}`, "Authorization", "Bearer "+secretOf("root")); got.status != http.StatusOK {
		t.Fatalf("erase: %d %s", got.status, got.body)
	}
	for _, token := range []string{person, i.token("other@example.com", access.RoleAdmin, "flagside", time.Hour)} {
		if got := review(token); got.status != http.StatusForbidden || !r.ledgerOf("prod")[0].Review {
			t.Errorf("after the person was erased: %d %s", got.status, got.body)
		}
	}
}

// The ledger of an archived environment is read, also after a restart, by callers who may read the environment, and nothing is written.
func TestTheLedgerOfAnArchivedEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy := filepath.Join(dir, "default.cedar")
	if err := os.WriteFile(policy, access.DefaultPolicy(), 0o600); err != nil {
		t.Fatal(err)
	}
	o := publisher.Options{DataDir: filepath.Join(dir, "data"), Policy: policy, FixedTokens: roles()}
	r := start(t, o)
	r.client = r.as(secretOf("root"))
	r.create("staging")
	s := r.newStage("staging", "f")
	if got := r.ask(http.MethodPost, "/api/v1/environments/staging/archive", "", "Authorization", "Bearer "+secretOf("root")); got.status != http.StatusOK {
		t.Fatalf("archive: %d %s", got.status, got.body)
	}
	before := r.ledgerOf("staging")
	for range 2 {
		if diff := cmp.Diff(before, r.ledgerOf("staging")); diff != "" {
			t.Errorf("the ledger (-before +after the restart):\n%s", diff)
		}
		const path = "/api/v1/environments/staging"
		for _, c := range []struct {
			method, path, role string
			status             int
		}{
			{http.MethodGet, path + "/ledger?request=" + s.broken, "viewer", http.StatusOK},
			{http.MethodGet, path + "/ledger", "elsewhere", http.StatusForbidden},
			{http.MethodPost, path + "/requests/" + s.request + "/withdraw", "root", http.StatusGone},
			{http.MethodDelete, path + "/flags/f", "root", http.StatusGone},
			{http.MethodPost, path + "/ledger/repair", "root", http.StatusGone},
		} {
			got := r.ask(c.method, c.path, "", "Authorization", "Bearer "+secretOf(c.role), "If-Match", s.etag, "Flagside-Reason", "r")
			if got.status != c.status {
				t.Errorf("%s %s by %s: %d %s, want %d", c.method, c.path, c.role, got.status, got.body, c.status)
			}
		}
		r.stop()
		r = start(t, o)
	}
	if got, _ := r.facts(url.Values{"request": {s.broken}}); len(got) == 0 || !slices.Contains(got, "request.opened") {
		t.Errorf("facts of a request: %q", got)
	}
}

// The ledger of an archived environment can be read after the key that has signed it was revoked, also by a publisher that starts then.
func TestTheLedgerOfAnArchivedEnvironmentOutlivesKeys(t *testing.T) {
	skipShort(t)
	t.Parallel()
	data, keysDir := t.TempDir(), trusttest.Default().Directory(t)
	o := publisher.Options{DataDir: data, KeysDir: keysDir, FixedTokens: roles()}
	r := start(t, o)
	r.create("staging")
	if got := r.ask(http.MethodPost, "/api/v1/environments/staging/archive", ""); got.status != http.StatusOK {
		t.Fatalf("archive: %d %s", got.status, got.body)
	}
	r.stop()
	r = start(t, o)
	before := r.ledgerOf("staging")
	at := r.ArchivedHead("staging")
	listed, err := keys.List(keysDir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Revoke(keysDir, "", listed.Signing.String()); err != nil {
		t.Fatal(err)
	}
	r.await("the keys note in the ledger", func() bool { return r.ArchivedHead("staging") > at })
	for range 2 {
		if diff := cmp.Diff(before, r.ledgerOf("staging")); diff != "" || len(before) == 0 {
			t.Errorf("%d facts before (-before +after):\n%s", len(before), diff)
		}
		r.stop()
		r = start(t, o)
	}
}

// policyRecords returns the records about policies, newest first; none while they are not known.
func (r *running) policyRecords() (found []api.Record) {
	r.t.Helper()
	all, _ := r.tryControlRecords()
	for _, a := range all {
		if a.Type == access.PolicyChanged {
			found = append(found, a)
		}
	}
	return found
}

// The policies that a publisher enforces stand in CONTROL when they change: once, whether it is started or reads them again.
func TestPolicyChangesAreRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy := filepath.Join(dir, "p.cedar")
	write := func(text []byte) string {
		if err := os.WriteFile(policy, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return changelog.Sum(text).String()
	}
	first := write(access.DefaultPolicy())
	o := publisher.Options{DataDir: filepath.Join(dir, "data"), Policy: policy, FixedTokens: roles()}
	var r *running
	awaitPolicies := func(want ...string) {
		t.Helper()
		r.await(fmt.Sprint("the policies ", want), func() bool {
			var got []string
			for _, a := range r.policyRecords() {
				got = append(got, a.Digest+" "+a.Cause)
			}
			return slices.Equal(got, want)
		})
	}
	r = start(t, o)
	awaitPolicies(first + " start")
	if a := r.policyRecords()[0]; a.Actor != "" || a.Publisher == "" || a.Time.IsZero() {
		t.Errorf("the record is %+v", a)
	}
	second := write(append(access.DefaultPolicy(), "// changed\n"...))
	awaitPolicies(second+" reload", first+" start")
	if text := r.ask(http.MethodGet, "/status", "").body; !strings.Contains(text, `"policyDigest": "`+second+`"`) {
		t.Errorf("the status is %s", text)
	}
	r.stop()
	r = start(t, o) // with the policies that it had
	r.stop()
	third := write(append(access.DefaultPolicy(), "// changed twice\n"...))
	r = start(t, o)
	awaitPolicies(third+" start", second+" reload", first+" start")
}

// A publisher that starts with other policies than those that are recorded writes nothing behind a CONTROL whose end was cut off, which a log
// names: that would hide the damage.
func TestNoPoliciesAreRecordedBehindACut(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	policy := filepath.Join(t.TempDir(), "p.cedar")
	serve := func(comment string) *running {
		if err := os.WriteFile(policy, append(access.DefaultPolicy(), comment...), 0o600); err != nil {
			t.Fatal(err)
		}
		r := start(t, publisher.Options{NATS: server.URL(), Policy: policy, FixedTokens: roles()})
		r.client = r.as(secretOf("root"))
		return r
	}
	r := serve("")
	r.await("the policies", func() bool { return len(r.policyRecords()) == 1 })
	r.create("shop")
	if _, err := r.client.CreateToken(t.Context(), api.NewToken{Name: "n", Groups: []string{access.RoleViewer}}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	r.put("shop", "f", flagBody("on", ""), absent()) // which names the newest record of CONTROL
	head := r.ControlHead()
	r.stop()
	natstest.Damage(t, server.Client(t), "CONTROL", head-1)
	r = serve("// changed\n")
	r.await("a try to record the policies", func() bool { return strings.Contains(r.log.String(), "not recorded in CONTROL") })
	if got, err := r.client.RepairControl(t.Context(), api.RepairHeaders{Reason: "it was cut"}); err != nil || got.Lacks != head || got.Kept[0] != head-1 {
		t.Errorf("repaired %+v, %v, want that record %d is lost", got, err, head)
	}
	r.await("the policies behind the repair", func() bool { return len(r.policyRecords()) == 2 })
}

// The records of administration are verified with the history of an environment.
func TestRecordsOfAdministrationAreVerified(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governed(t, publisher.Options{NATS: server.URL(), KeysDir: trusttest.Default().Directory(t)})
	r.create("prod")
	sequence := r.archiveAnyway("other")
	if got := r.ask(http.MethodPost, fmt.Sprintf("/api/v1/control/records/%d/review", sequence), "", "Authorization", "Bearer "+secretOf("root")); got.status != http.StatusOK {
		t.Fatalf("review: %d %s", got.status, got.body)
	}
	r.await("the policies", func() bool { return len(r.policyRecords()) == 1 })
	text := r.export() // fails unless it is proved
	for _, want := range []string{access.PolicyChanged, access.ActReviewed, "environment.archived"} {
		if !strings.Contains(text, want) {
			t.Errorf("the export has no %s", want)
		}
	}
}

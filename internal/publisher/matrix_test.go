package publisher_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// secretOf is the token of a role in tests.
func secretOf(role string) string { return "the-token-of-the-role-" + role + "-in-these-tests" }

// roles are fixed tokens: one for each role of the default policy, "root" as a second admin, and two whose scope is narrow.
func roles() []access.FixedToken {
	token := func(role, group string, scope access.Scope) access.FixedToken {
		return access.FixedToken{Secret: secretOf(role), Principal: access.Principal{
			ID: role, Kind: access.KindToken, Groups: []string{group}, Scope: scope,
		}}
	}
	return []access.FixedToken{
		token("viewer", access.RoleViewer, access.Scope{}),
		token("editor", access.RoleEditor, access.Scope{}),
		token("approver", access.RoleApprover, access.Scope{}),
		token("admin", access.RoleAdmin, access.Scope{}),
		token("root", access.RoleAdmin, access.Scope{}),
		token("elsewhere", access.RoleAdmin, access.Scope{Environments: []string{"other"}}),
		token("looking", access.RoleAdmin, access.Scope{Actions: []access.Action{access.Read}}),
	}
}

// governed starts a publisher with the default policy and all roles.
func governed(t *testing.T, o publisher.Options) *running {
	t.Helper()
	r := governedAnyway(t, o)
	r.awaitReady()
	return r
}

// governedAnyway is governed, but does not wait until the publisher is ready.
func governedAnyway(t *testing.T, o publisher.Options) *running {
	t.Helper()
	o.Policy = filepath.Join(t.TempDir(), "default.cedar")
	if err := os.WriteFile(o.Policy, access.DefaultPolicy(), 0o600); err != nil {
		t.Fatal(err)
	}
	o.FixedTokens = append(roles(), o.FixedTokens...)
	if o.NATS == "" && o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	r := run(t, o)
	r.client = r.as(secretOf("root"))
	return r
}

// stage is what one request of the matrix works on: a flag and a change request of its own, made by root.
type stage struct {
	environment, flag, etag, request, hash string
	segment, segmentETag, settingsETag     string
	broken                                 string // a request that was applied without approvals
}

// attempt is a request of the matrix: what it needs beside the stage is in the function.
type attempt struct {
	name    string
	allowed string // roles, separated by spaces
	make    func(s stage) (method, path, body string, headers []string)
}

// seen is the entity tag of what a path is about.
func (s stage) seen(path string) string {
	switch {
	case strings.Contains(path, "/segments/"):
		return s.segmentETag
	case strings.HasSuffix(path, "/settings"):
		return s.settingsETag
	default:
		return s.etag
	}
}

const (
	readers   = "viewer editor approver admin looking"
	editors   = "editor admin"
	proposers = "editor approver admin"
	approvers = "approver admin"
	appliers  = "editor approver admin"
	everybody = "viewer editor approver admin elsewhere looking"
)

const (
	aSegment     = `{"==":[{"var":"plan"},"gold"]}`
	otherSegment = `{"==":[{"var":"plan"},"silver"]}`
)

// settings makes the first settings of an environment.
func (r *running) settings(environment string) {
	r.t.Helper()
	_, _, err := r.client.Put(r.t.Context(), environment, document.ID{Kind: document.KindSettings, Key: document.SettingsKey}, []byte(`{}`), absent(), api.ChangeHeaders{})
	if err != nil {
		r.t.Fatalf("settings: %v", err)
	}
}

const offDocument = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`

func attempts() []attempt {
	const environments = "/api/v1/environments/"
	get := func(name, allowed, path string) attempt {
		return attempt{name, allowed, func(s stage) (string, string, string, []string) {
			return http.MethodGet, strings.NewReplacer("{e}", s.environment, "{f}", s.flag, "{s}", s.segment, "{r}", s.request).Replace(path), "", nil
		}}
	}
	write := func(name, allowed, method, path, body string) attempt {
		return attempt{name, allowed, func(s stage) (string, string, string, []string) {
			replace := strings.NewReplacer("{e}", s.environment, "{f}", s.flag, "{r}", s.request, "{h}", s.hash, "{s}", s.segment, "{b}", s.broken,
				"{t}", strings.Trim(s.etag, `"`)).Replace
			return method, replace(path), replace(body), []string{"If-Match", s.seen(path)}
		}}
	}
	command := `{"command":{"type":"put","key":"{f}","ifMatch":"{t}","document":` + offDocument + `}}`
	return []attempt{
		get("whoami", everybody, "/api/v1/whoami"),
		write("checkPolicy", everybody, "POST", "/api/v1/policy/check", `{"action":"read"}`),
		write("checkPolicy of others", "admin", "POST", "/api/v1/policy/check", `{"action":"read","principal":"other"}`),
		get("listTokens", "admin", "/api/v1/tokens"),
		write("createToken", "admin", "POST", "/api/v1/tokens", `{"name":"n","groups":["flagside:viewer"]}`),
		write("revokeToken", "admin", "DELETE", "/api/v1/tokens/none", ""),
		get("listSessions", everybody, "/api/v1/sessions"),
		write("revokeSession", everybody, "DELETE", "/api/v1/sessions/none", ""), // which is none of theirs
		get("listControl", "admin", "/api/v1/control/records"),
		write("reviewControl", "admin", "POST", "/api/v1/control/records/1/review", ""),
		get("listPersons", "admin", "/api/v1/persons"),
		write("erasePerson", "admin", "POST", "/api/v1/persons/erase", `{"person":"corp:nobody"}`),

		get("listWebhooks", "admin", "/api/v1/webhooks"),
		write("testWebhook", "admin", "POST", "/api/v1/webhooks/none/test", ""),

		get("listEnvironments", everybody, "/api/v1/environments"),
		get("getEnvironment", readers, environments+"{e}"),
		get("listFlags", readers, environments+"{e}/flags"),
		get("getFlag", readers, environments+"{e}/flags/{f}"),
		get("historyFlag", readers, environments+"{e}/flags/{f}/history"),
		get("getSegment", readers, environments+"{e}/segments/{s}"),
		get("historySegment", readers, environments+"{e}/segments/{s}/history"),
		get("listSegments", readers, environments+"{e}/segments"),
		get("getSettings", readers, environments+"{e}/settings"),
		get("getOperation", readers, environments+"{e}/operations/none"),
		get("getRisk", readers, environments+"{e}/risk"),
		get("listRequests", readers, environments+"{e}/requests"),
		get("listFacts", readers, environments+"{e}/ledger"),
		get("readLifecycle", readers, environments+"{e}/lifecycle"),
		get("listFleet", readers, environments+"{e}/fleet"),
		get("readConvergence", readers, environments+"{e}/fleet/revisions/last"),
		get("getLifecyclePolicy", readers, environments+"{e}/lifecycle/policy"),
		write("previewLifecyclePolicy", readers, "POST", environments+"{e}/lifecycle/policy/preview", `{"staleDays":60}`),
		get("listSources", readers, environments+"{e}/sources"),
		get("listTasks", readers, environments+"{e}/tasks"),
		get("readUsage", readers, environments+"{e}/usage"),
		get("readFlagUsage", readers, environments+"{e}/usage/flags/{f}"),
		get("listUnknownFlags", readers, environments+"{e}/usage/unknown"),
		get("listActivity", readers, environments+"{e}/activity"),
		{"followActivity", readers, func(s stage) (string, string, string, []string) { // refused before it begins, or it would not end
			return http.MethodGet, environments + s.environment + "/activity/events", "", []string{"Last-Event-ID", "none"}
		}},
		get("exportAudit", readers, environments+"{e}/audit/export"),
		get("exportAuditWithControl", "admin", environments+"{e}/audit/export-with-control"),
		get("getNote", readers, environments+"{e}/audit/notes/log/1"),
		get("getRequest", readers, environments+"{e}/requests/{r}"),
		write("previewCommand", readers, "POST", environments+"{e}/preview", command),
		write("verifyAudit", readers, "POST", environments+"{e}/audit/verification", ""),
		write("evaluateFlags", readers, "POST", environments+"{e}/evaluate", `{"contexts":[{"targetingKey":"u"}],"explain":true,"flags":["shared"]}`),

		write("putFlag", editors, "PUT", environments+"{e}/flags/{f}", offDocument),
		write("patchFlag", editors, "PATCH", environments+"{e}/flags/{f}", `{"defaultVariant":"off"}`),
		write("toggleFlag", editors, "POST", environments+"{e}/flags/{f}/toggle", `{"on":false}`),
		write("archiveFlag", editors, "POST", environments+"{e}/flags/{f}/archive", `{}`),
		write("deleteFlag", editors, "DELETE", environments+"{e}/flags/{f}", ""),
		write("rollBackFlag", editors, "POST", environments+"{e}/flags/{f}/rollback", `{"revision":"{first}"}`),
		write("putSegment", editors, "PUT", environments+"{e}/segments/{s}", otherSegment),
		write("patchSegment", editors, "PATCH", environments+"{e}/segments/{s}", `{"==":[{"var":"plan"},"tin"]}`),
		write("archiveSegment", editors, "POST", environments+"{e}/segments/{s}/archive", `{}`),
		write("deleteSegment", editors, "DELETE", environments+"{e}/segments/{s}", ""),
		write("rollBackSegment", editors, "POST", environments+"{e}/segments/{s}/rollback", `{"revision":"{first}"}`),
		write("putSettings", "", "PUT", environments+"{e}/settings", `{"compatibility":"flagd"}`),
		write("rollBackEnvironment", editors, "POST", environments+"{e}/rollback", `{"revision":"{first}"}`),
		write("changeDocuments", editors, "POST", environments+"{e}/documents", `{"changes":[{"key":"new-{f}","document":`+offDocument+`}]}`),
		write("promoteEnvironment", editors, "POST", environments+"{e}/promote", `{"from":"other","flags":["{f}"],"prune":true}`),
		get("readManifest", readers, environments+"{e}/openfeature/v0/manifest"),
		write("createManifestFlag", editors, "POST", environments+"{e}/openfeature/v0/manifest/flags", `{"key":"pushed-{f}","type":"boolean","defaultValue":true}`),
		write("updateManifestFlag", editors, "PUT", environments+"{e}/openfeature/v0/manifest/flags/{f}", `{"key":"{f}","type":"boolean","defaultValue":false}`),
		write("archiveManifestFlag", editors, "DELETE", environments+"{e}/openfeature/v0/manifest/flags/{f}", ""),
		// Of those who may do something, only one may read a single environment, in which the flag is not.
		get("readOnlyManifest", everybody, "/openfeature/v0/manifest"),
		write("createOnlyManifestFlag", everybody, "POST", "/openfeature/v0/manifest/flags", `{"key":"pushed-{f}","type":"boolean","defaultValue":true}`),
		write("updateOnlyManifestFlag", everybody, "PUT", "/openfeature/v0/manifest/flags/{f}", `{"key":"{f}","type":"boolean","defaultValue":false}`),
		write("archiveOnlyManifestFlag", everybody, "DELETE", "/openfeature/v0/manifest/flags/{f}", ""),

		write("putRisk", "admin", "PUT", environments+"{e}/risk", `{"tags":["{f}"]}`),
		write("patchLifecyclePolicy", "admin", "PATCH", environments+"{e}/lifecycle/policy", `{"staleDays":60}`),
		write("patchRisk", "admin", "PATCH", environments+"{e}/risk", `{"tags":["{f}"]}`),

		write("openRequest", proposers, "POST", environments+"{e}/requests", command),
		write("commentRequest", proposers, "POST", environments+"{e}/requests/{r}/comment", `{"text":"well"}`),
		write("approveRequest", approvers, "POST", environments+"{e}/requests/{r}/approve", `{"hash":"{h}"}`),
		write("rejectRequest", approvers, "POST", environments+"{e}/requests/{r}/reject", ""),
		write("reviewRequest", approvers, "POST", environments+"{e}/requests/{b}/review", ""),
		write("withdrawRequest", "admin", "POST", environments+"{e}/requests/{r}/withdraw", ""),
		write("rebaseRequest", "", "POST", environments+"{e}/requests/{r}/rebase", command),
		write("applyRequest", appliers, "POST", environments+"{e}/requests/{r}/apply", ""),

		write("createEnvironment", "admin", "POST", "/api/v1/environments", `{"name":"new-{f}"}`),
		write("recreateEnvironment", "admin", "POST", environments+"ghost/recreate", ""),
		write("restoreEnvironment", proposers, "POST", environments+"ghost/restore", ""),
		write("adoptEnvironment", "admin", "POST", environments+"ghost/adopt", ""),
		write("repairLedger", "admin", "POST", environments+"{e}/ledger/repair", ""),
		write("repairControl", "admin", "POST", "/api/v1/control/repair", ""),
		write("archiveEnvironment", editors, "POST", environments+"ghost/archive", ""),
		write("reviveEnvironment", editors, "POST", environments+"ghost/revive", ""),
	}
}

// Who may do what over HTTP, against a table. What is permitted may fail for another reason; what is not answers 401 or 403.
func TestAuthorizationMatrix(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	r.create("other")
	first := r.revision("staging")
	r.put("other", "shared", flagBody("on", ""), absent())
	r.put("staging", "shared", flagBody("off", ""), absent())
	r.settings("staging")
	d := readContract(t)
	for n := range 10 { // so many depend on the settings that these need a second person
		r.put("staging", fmt.Sprintf("many-%d", n), flagBody("on", ""), absent())
	}
	asked, used := make(map[string]bool), true
	var s stage
	for i, attempt := range attempts() {
		id, _, _ := strings.Cut(attempt.name, " ")
		asked[id] = true
		for role := range strings.FieldsSeq(everybody) {
			if used {
				s = r.newStage("staging", fmt.Sprintf("%d-%s", i, role))
			}
			method, path, body, headers := attempt.make(s)
			body = strings.ReplaceAll(body, "{first}", first)
			got := r.ask(method, path, body, append(headers, "Authorization", "Bearer "+secretOf(role))...)
			used = method != http.MethodGet && got.status < http.StatusBadRequest
			if err := d.check(id, got); err != nil {
				t.Errorf("%s by %s answers what is not declared: %v\n%s", attempt.name, role, err, got.body)
			}
			permitted := got.status != http.StatusForbidden && got.status != http.StatusUnauthorized
			if want := strings.Contains(" "+attempt.allowed+" ", " "+role+" "); permitted != want {
				t.Errorf("%s by %s answers %d, permitted should be %t: %s", attempt.name, role, got.status, want, got.body)
			}
			if got.status >= http.StatusInternalServerError {
				t.Errorf("%s by %s answers %d: %s", attempt.name, role, got.status, got.body)
			}
		}
		method, path, body, headers := attempt.make(s)
		for token, kind := range map[string]string{"": "unauthenticated", "Bearer " + secretOf("forged"): "unauthenticated", "Basic YTpi": "unauthenticated"} {
			got := r.ask(method, path, body, append(headers, "Authorization", token)...)
			if got.status != http.StatusUnauthorized || !strings.HasSuffix(got.problem.Type, kind) || got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %q answers %d %s, want 401", attempt.name, token, got.status, got.body)
			}
		}
	}
	for id := range d.operations() {
		if !asked[id] {
			t.Errorf("no one asked for %s", id)
		}
	}
}

// In prod the default policy wants a second person for every change, anyone who makes it; reads and requests are as elsewhere.
func TestProdNeedsASecondPerson(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("prod")
	for _, role := range []string{"editor", "admin", "root"} {
		got := r.ask(http.MethodPut, "/api/v1/environments/prod/flags/f", offDocument, "If-None-Match", "*", "Authorization", "Bearer "+secretOf(role))
		if got.status != http.StatusForbidden || !strings.HasSuffix(got.problem.Type, "approval-required") || got.problem.Approvals != 1 ||
			got.problem.Risk == nil || !got.problem.Risk.High || got.problem.Action != "change" ||
			len(got.problem.Policies) != 1 || got.problem.Policies[0] != "second-person-where-mistakes-are-expensive" {
			t.Errorf("a change by %s answers %d %s", role, got.status, got.body)
		}
	}
	got := r.ask(http.MethodPost, "/api/v1/environments/prod/archive", "", "Authorization", "Bearer "+secretOf("admin"))
	if got.status != http.StatusForbidden || got.problem.Approvals != 1 {
		t.Errorf("archiving prod answers %d %s", got.status, got.body)
	}
	anyway := []string{"Flagside-Break-Glass", "true", "Flagside-Reason", "the data centre is closed"}
	got = r.ask(http.MethodPost, "/api/v1/environments/prod/archive", "", append(anyway, "Authorization", "Bearer "+secretOf("editor"))...)
	if got.status != http.StatusForbidden {
		t.Errorf("an editor breaks the glass: %d %s", got.status, got.body)
	}
	if _, err := r.as(secretOf("admin")).ArchiveEnvironment(t.Context(), "prod", api.AdministrationHeaders{Reason: "the data centre is closed", BreakGlass: true}); err != nil {
		t.Error(err)
	}
}

// newStage makes a flag and a change request for it.
func (r *running) newStage(environment, name string) stage {
	r.t.Helper()
	s := stage{environment: environment, flag: "f-" + name}
	seen := r.put(environment, s.flag, flagBody("on", ""), absent())
	s.etag = `"` + seen.Match.String() + `"`
	opened, err := r.client.OpenRequest(r.t.Context(), environment, api.NewRequest{Command: api.Command{
		Type: "put", Key: s.flag, IfMatch: seen.Match.String(), Document: []byte(offDocument),
	}}, api.ChangeHeaders{})
	if err != nil {
		r.t.Fatalf("open a request: %v", err)
	}
	s.request, s.hash = opened.ID, opened.Hash
	s.segment = "s-" + name
	_, made, err := r.client.Put(r.t.Context(), environment, document.ID{Kind: document.KindSegment, Key: s.segment}, []byte(aSegment), absent(), api.ChangeHeaders{})
	if err != nil {
		r.t.Fatalf("make a segment: %v", err)
	}
	s.segmentETag = `"` + made.Match.String() + `"`
	settings := r.ask(http.MethodGet, "/api/v1/environments/"+environment+"/settings", "", "Authorization", "Bearer "+secretOf("root"))
	s.settingsETag = settings.header.Get("ETag")
	s.broken = r.breakGlass(environment, name)
	return s
}

// breakGlass applies a request without approvals.
func (r *running) breakGlass(environment, name string) string {
	r.t.Helper()
	opened, err := r.client.OpenRequest(r.t.Context(), environment, api.NewRequest{BreakGlass: true, Reason: "it burns", Command: api.Command{
		Type: "put", Key: "burning-" + name, IfAbsent: true, Document: []byte(offDocument),
	}}, api.ChangeHeaders{})
	if err != nil {
		r.t.Fatalf("break the glass: %v", err)
	}
	applied, err := r.client.ApplyRequest(r.t.Context(), environment, opened.ID, api.ChangeHeaders{})
	if err != nil || applied.Status != "applied" || !applied.ReviewOpen {
		r.t.Fatalf("the broken glass: %+v, %v", applied, err)
	}
	return opened.ID
}

// revision returns the revision of an environment.
func (r *running) revision(environment string) string {
	r.t.Helper()
	all, err := r.client.Environments(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range all.Items {
		if e.Name == environment {
			return e.Revision
		}
	}
	r.t.Fatalf("there is no environment %s", environment)
	return ""
}

// A command that changes nothing tells what an environment has, so it is for those who may read it.
func TestNothingToChangeIsNoOracle(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	s := r.newStage("staging", "same")
	body := string(flagBody("on", ""))
	for role, want := range map[string]int{"viewer": 200, "editor": 200, "elsewhere": 403} {
		got := r.ask(http.MethodPut, "/api/v1/environments/staging/flags/"+s.flag, body, "If-Match", s.etag, "Authorization", "Bearer "+secretOf(role))
		if got.status != want {
			t.Errorf("%s puts what is there already: %d %s, want %d", role, got.status, got.body, want)
		}
	}
}

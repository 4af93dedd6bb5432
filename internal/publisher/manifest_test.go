package publisher_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

const ofStaging = "/api/v1/environments/staging/openfeature/v0/manifest"

// problemIn returns the problem that an error is, which must say the same as OpenFeature's contract has it.
func problemIn(t *testing.T, err error, status int, contains string) api.Problem {
	t.Helper()
	e, ok := err.(*client.Error) //nolint:errorlint // it is not wrapped
	if !ok {
		t.Fatalf("the error is %v, want a problem with %q", err, contains)
	}
	if e.Status != status || !strings.Contains(e.Detail, contains) {
		t.Errorf("the problem is %d %s, want %d with %q", e.Status, e.Detail, status, contains)
	}
	if e.Manifest == nil || e.Manifest.Status != status || !strings.HasPrefix(e.Manifest.Message, e.Detail) {
		t.Errorf("in OpenFeature's form, %q is %+v", e.Detail, e.Manifest)
	}
	return e.Problem
}

func newFlag(key, kind, byDefault string) api.NewManifestFlag {
	return api.NewManifestFlag{Key: key, Type: kind, DefaultValue: []byte(byDefault)}
}

func changedFlag(key, kind, byDefault, description string) api.ChangedManifestFlag {
	f := api.ChangedManifestFlag{Key: key, Type: kind, Description: &description}
	if byDefault != "" {
		f.DefaultValue = []byte(byDefault)
	}
	return f
}

// What is created, changed and archived as a manifest, and what the flags are then.
func TestManifest(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("staging")
	ctx, h := t.Context(), api.ManifestHeaders{}
	for _, f := range []api.NewManifestFlag{
		newFlag("checkout", "boolean", "false"), newFlag("greeting", "string", `"hi"`), newFlag("limits", "object", `{"a":1}`),
		newFlag("most", "integer", "3"), newFlag("rate", "float", "1"),
	} {
		if written, err := r.client.CreateManifestFlag(ctx, "staging", f, h); err != nil || written.UpdatedAt.IsZero() {
			t.Fatalf("create %s: %+v, %v", f.Key, written, err)
		}
	}
	_, err := r.client.CreateManifestFlag(ctx, "staging", newFlag("rate", "float", "1"), h)
	problemIn(t, err, http.StatusConflict, `Flag "rate" exists already`)
	_, err = r.client.UpdateManifestFlag(ctx, "staging", "rate", changedFlag("rate", "string", `"x"`, ""), h)
	problemIn(t, err, http.StatusConflict, "is float and cannot become string")
	_, err = r.client.UpdateManifestFlag(ctx, "staging", "rate", changedFlag("most", "float", "1", ""), h)
	problemIn(t, err, http.StatusBadRequest, "must be the same")
	_, err = r.client.UpdateManifestFlag(ctx, "staging", "none", changedFlag("none", "float", "1", ""), h)
	problemIn(t, err, http.StatusNotFound, `no flag "none"`)
	_, err = r.client.CreateManifestFlag(ctx, "staging", newFlag("a/b", "boolean", "true"), h)
	problemIn(t, err, http.StatusUnprocessableEntity, "would leave out")
	named := newFlag("named", "boolean", "true")
	named.Name = "Named"
	_, err = r.client.CreateManifestFlag(ctx, "staging", named, h)
	problemIn(t, err, http.StatusUnprocessableEntity, "no name beside their key")

	if _, err := r.client.UpdateManifestFlag(ctx, "staging", "limits", changedFlag("limits", "object", `{"b":2}`, "How much"), h); err != nil {
		t.Fatal(err)
	}
	r.put("staging", "a/b", flagBody("on", ""), absent())
	_, err = r.client.UpdateManifestFlag(ctx, "staging", "a/b", changedFlag("a/b", "boolean", "", ""), h)
	problemIn(t, err, http.StatusConflict, "is not in the manifest")
	got, err := r.client.Manifest(ctx, "") // the only environment
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range got.Flags {
		all = append(all, fmt.Sprintf("%s %s %s %s", f.Key, f.Type, f.DefaultValue, f.Description))
	}
	want := []string{`checkout boolean false `, `greeting string "hi" `, `limits object {"b":2} How much`, `most integer 3 `, `rate float 1.0 `}
	if diff := cmp.Diff(want, all); diff != "" || len(got.LeftOut) != 1 || got.LeftOut[0].Key != "a/b" {
		t.Errorf("the manifest (-want +got):\n%s\nleft out: %v", diff, got.LeftOut)
	}

	if archived, err := r.client.ArchiveManifestFlag(ctx, "", "rate", h); err != nil || archived.ArchivedAt.IsZero() {
		t.Fatalf("archive: %+v, %v", archived, err)
	}
	_, err = r.client.CreateManifestFlag(ctx, "staging", newFlag("rate", "float", "1"), h)
	problemIn(t, err, http.StatusConflict, "was archived")
	_, err = r.client.UpdateManifestFlag(ctx, "staging", "rate", changedFlag("rate", "float", "1", ""), h)
	problemIn(t, err, http.StatusConflict, "was archived")
	_, err = r.client.ArchiveManifestFlag(ctx, "staging", "rate", h)
	problemIn(t, err, http.StatusConflict, "was archived")
	_, err = r.client.ArchiveManifestFlag(ctx, "staging", "never", h)
	problemIn(t, err, http.StatusNotFound, "no flag")
	r.put("staging", "needs", flagBody("on", `,"prerequisites":[{"flag":"checkout","variants":["on"]}]`), absent())
	_, err = r.client.ArchiveManifestFlag(ctx, "staging", "checkout", h)
	problemIn(t, err, http.StatusConflict, "")

	history, err := r.client.History(ctx, "staging", flagID("greeting"), api.HistoryQuery{})
	if err != nil || len(history.Items) != 1 || history.Items[0].Reason != "pushed as an OpenFeature manifest" {
		t.Errorf("the history is %+v, %v", history.Items, err)
	}
}

// What policies permit is what the capabilities say, and what no one is asked for is refused in OpenFeature's form too.
func TestManifestCapabilities(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	r.create("prod")
	f := func(role, environment, want string) {
		t.Helper()
		got := r.ask(http.MethodGet, "/api/v1/environments/"+environment+"/openfeature/v0/manifest", "", "Authorization", "Bearer "+secretOf(role))
		if capable := got.header.Get("X-Manifest-Capabilities"); capable != want {
			t.Errorf("%s is capable of %q in %s, want %q: %s", role, capable, environment, want, got.body)
		}
	}
	f("viewer", "staging", "read")
	f("editor", "staging", "read,write,delete")
	f("looking", "staging", "read")
	f("editor", "prod", "read")
	for _, token := range []string{"", "Bearer " + secretOf("forged"), "Bearer " + secretOf("elsewhere")} {
		got := r.ask(http.MethodGet, ofStaging, "", "Authorization", token)
		if got.status != http.StatusUnauthorized && got.status != http.StatusForbidden || got.problem.Manifest == nil || got.problem.Manifest.Message == "" {
			t.Errorf("a manifest with %q answers %d %s", token, got.status, got.body)
		}
	}
	got := r.ask(http.MethodPost, ofStaging+"/flags", `{"key":"f","type":"enum","more":1}`, "Content-Type", "application/json")
	if got.status != http.StatusUnprocessableEntity || got.problem.Manifest == nil || !strings.Contains(got.problem.Manifest.Message, "body.more") {
		t.Errorf("a malformed flag answers %d %s", got.status, got.body)
	}
	if other := r.ask(http.MethodGet, "/api/v1/environments/staging/flags/none", ""); other.problem.Manifest != nil {
		t.Errorf("another operation answers in OpenFeature's form: %s", other.body)
	}
}

// Without an environment in the address, the one is meant that the caller may read.
func TestManifestOfTheOnlyEnvironment(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	_, err := r.client.Manifest(t.Context(), "")
	problemIn(t, err, http.StatusNotFound, "no environment that you may read")
	r.create("other")
	r.create("staging")
	_, err = r.client.Manifest(t.Context(), "")
	problemIn(t, err, http.StatusConflict, "several environments: other, staging.")
	_, err = r.client.CreateManifestFlag(t.Context(), "", newFlag("f", "boolean", "true"), api.ManifestHeaders{})
	problemIn(t, err, http.StatusConflict, "several environments: other, staging.")
	elsewhere := r.as(secretOf("elsewhere"))
	if _, err := elsewhere.CreateManifestFlag(t.Context(), "", newFlag("f", "boolean", "true"), api.ManifestHeaders{}); err != nil {
		t.Fatal(err)
	}
	got, err := r.client.Manifest(t.Context(), "other")
	if err != nil || len(got.Flags) != 1 {
		t.Errorf("the manifest is %+v, %v", got, err)
	}
	if _, err := r.client.ArchiveEnvironment(t.Context(), "staging", api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	if got, err := r.client.Manifest(t.Context(), ""); err != nil || len(got.Flags) != 1 {
		t.Errorf("beside an archived environment, the manifest is %+v, %v", got, err)
	}
}

// Where policies want approvals, a push ends with an error that names a change request: the same one for the same push.
func TestPushingAManifestNeedsASecondPerson(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("prod")
	ctx, h := t.Context(), api.ManifestHeaders{}
	editor, approver := r.as(secretOf("editor")), r.as(secretOf("approver"))
	push := func(f api.NewManifestFlag) string {
		t.Helper()
		_, err := editor.CreateManifestFlag(ctx, "prod", f, h)
		p := problemIn(t, err, http.StatusForbidden, "Nothing was changed yet")
		if p.Type != api.ProblemApprovalRequired || p.Request == "" || !strings.Contains(p.Detail, p.Request) {
			t.Errorf("the problem is %+v", p)
		}
		return p.Request
	}
	first := push(newFlag("f", "boolean", "true"))
	if again := push(newFlag("f", "boolean", "true")); again != first {
		t.Errorf("the second push opened %s beside %s", again, first)
	}
	if other := push(newFlag("f", "boolean", "false")); other == first {
		t.Error("another push is the same change request")
	}
	rejected := push(newFlag("g", "boolean", "false"))
	if _, err := approver.RejectRequest(ctx, "prod", rejected, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	if again := push(newFlag("g", "boolean", "false")); again == rejected {
		t.Error("pushed again, what was rejected is no new change request")
	}
	if got, err := r.client.Manifest(ctx, "prod"); err != nil || len(got.Flags) != 0 {
		t.Errorf("without approval, the manifest is %+v, %v", got, err)
	}
	opened, err := approver.Request(ctx, "prod", first)
	if err != nil || opened.Reason != "pushed as an OpenFeature manifest" {
		t.Fatalf("the change request is %+v, %v", opened, err)
	}
	if _, err := approver.ApproveRequest(ctx, "prod", first, opened.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	if _, err := editor.ApplyRequest(ctx, "prod", first, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	if got, err := r.client.Manifest(ctx, "prod"); err != nil || len(got.Flags) != 1 || string(got.Flags[0].DefaultValue) != "true" {
		t.Errorf("approved and applied, the manifest is %+v, %v", got, err)
	}
	_, err = editor.UpdateManifestFlag(ctx, "prod", "f", changedFlag("f", "boolean", "false", ""), h)
	problemIn(t, err, http.StatusForbidden, "Nothing was changed yet")
	_, err = editor.ArchiveManifestFlag(ctx, "prod", "f", h)
	problemIn(t, err, http.StatusForbidden, "Nothing was changed yet")
	_, err = r.as(secretOf("viewer")).CreateManifestFlag(ctx, "prod", newFlag("g", "boolean", "true"), h)
	problemIn(t, err, http.StatusForbidden, "not permitted")
	if all, err := r.client.AllRequests(ctx, "prod", api.RequestQuery{}); err != nil || len(all) != 6 {
		t.Errorf("there are %d change requests, %v; want 6", len(all), err)
	}
}

// What a source owns that a publisher follows is not changed by a push, which says where it is changed, in a protected environment too.
func TestPushingAManifestOverASource(t *testing.T) {
	t.Parallel()
	r, dir := followingFiles(t, "staging")
	flagsFile(t, filepath.Join(dir, "a.json"), "f", "on")
	r.awaitVariant("staging", "f", "on")
	told, err := r.client.Manifest(t.Context(), "staging")
	if err != nil || len(told.Flags) != 1 {
		t.Fatalf("%+v, %v", told, err)
	}
	_, err = r.as(secretOf("editor")).UpdateManifestFlag(t.Context(), "staging", "f", changedFlag("f", told.Flags[0].Type, string(told.Flags[0].DefaultValue), "pushed"), api.ManifestHeaders{})
	p := problemIn(t, err, http.StatusConflict, dir)
	if p.Type != api.ProblemType+"source-owned" || p.Manifest == nil || !strings.Contains(p.Manifest.Message, dir) || p.Request != "" {
		t.Errorf("the problem is %+v", p)
	}
	_, err = r.as(secretOf("editor")).ArchiveManifestFlag(t.Context(), "staging", "f", api.ManifestHeaders{})
	problemIn(t, err, http.StatusConflict, dir)
}

// Pushing changes what a manifest says and nothing else, also while another person changes the flag.
func TestPushingAManifestKeepsTheRest(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("staging")
	r.put("staging", "f", flagBody("off", `,"owner":"shop","targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}`), absent())
	const times = 10
	var all sync.WaitGroup
	all.Go(func() {
		for i := range times {
			description := fmt.Sprintf("pushed %d", i)
			var err error
			for first := true; first || client.IsProblem(err, api.ProblemPreconditionFailed); first = false { // the publisher repeats it too, not for ever
				_, err = r.client.UpdateManifestFlag(t.Context(), "staging", "f", changedFlag("f", "boolean", "true", description), api.ManifestHeaders{})
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	all.Go(func() {
		for i := range times {
			for {
				_, seen, err := r.client.Document(t.Context(), "staging", flagID("f"))
				if err == nil {
					_, err = r.client.Patch(t.Context(), "staging", flagID("f"), fmt.Appendf(nil, `{"tags":["t%d"]}`, i), seen, api.ChangeHeaders{})
				}
				if !client.IsProblem(err, api.ProblemPreconditionFailed) {
					if err != nil {
						t.Error(err)
					}
					break
				}
			}
		}
	})
	all.Wait()
	got, _, err := r.client.Document(t.Context(), "staging", flagID("f"))
	want := `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","owner":"shop",` +
		`"targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"on"]}`
	if err != nil || !strings.HasPrefix(string(got), want) || !strings.Contains(string(got), `"pushed 9"`) || !strings.Contains(string(got), `"t9"`) {
		t.Errorf("the flag is %s, %v", got, err)
	}
}

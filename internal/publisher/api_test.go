package publisher_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
)

const flags = "/api/v1/environments/prod/flags"

// Every error is a problem with a status, a kind and a sentence.
func TestErrorsOfTheAPI(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{
		DataDir: t.TempDir(), ReadOnly: map[string]string{"filed": "The environment is what a file says: change it there."},
	})
	r.create("prod")
	r.create("old")
	r.create("filed")
	if _, err := r.client.ArchiveEnvironment(t.Context(), "old", api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	r.put("prod", "base", flagBody("on", ""), absent())
	r.put("prod", "user", flagBody("on", `,"offVariant":"off","prerequisites":[{"flag":"base","variants":["on"]}]`), absent())
	base := r.ask(http.MethodGet, flags+"/base", "").header.Get("ETag")

	good := string(flagBody("off", ""))
	large := strings.Repeat(" ", 1<<20)
	long := string(flagBody("on", `,"description":"`+strings.Repeat("x", document.MaxSize)+`"`))
	tests := []struct {
		method, path, body string
		headers            []string
		status             int
		kind, detail       string
	}{
		{"GET", "/", "", nil, 404, "not-found", "openapi.json"},
		{"GET", "/api/v1/environment", "", nil, 404, "not-found", "openapi.json"},
		{"PUT", flags + "/base/history", "", nil, 405, "method-not-allowed", "GET, HEAD"},
		{"DELETE", flags, "", nil, 405, "method-not-allowed", "GET"},
		{"GET", flags + "?limit=0", "", nil, 422, "invalid-request", "alidation"},
		{"GET", flags + "?limit=many", "", nil, 422, "invalid-request", "alidation"},
		{"GET", flags + "?colour=red", "", nil, 422, "invalid-request", "alidation"},
		{"GET", flags + "/base/history?before=yesterday", "", nil, 422, "invalid-request", "revision"},

		{"GET", "/api/v1/environments/none", "", nil, 404, "environment-unknown", "create it"},
		{"GET", "/api/v1/environments/none/flags", "", nil, 404, "environment-unknown", "create it"},
		{"GET", "/api/v1/environments/old/flags/a", "", nil, 410, "environment-archived", "old"},
		{"POST", "/api/v1/environments/none/archive", "", nil, 404, "environment-unknown", "none"},
		{"POST", "/api/v1/environments/filed/archive", "", nil, 403, "read-only", "a file"},
		{"POST", "/api/v1/environments", `{"name":"prod"}`, nil, 409, "environment-exists", "prod"},
		{"POST", "/api/v1/environments", `{"name":"Prod!"}`, nil, 422, "environment-name", "Prod!"},
		{"POST", "/api/v1/environments", `{"name":"x","colour":"red"}`, nil, 422, "invalid-request", "alidation"},
		{"POST", "/api/v1/environments", `{"name":"x","compatibility":"other"}`, nil, 422, "invalid-request", "alidation"},
		{"POST", "/api/v1/environments", `{}`, nil, 422, "invalid-request", "alidation"},
		{"POST", "/api/v1/environments", `{"name":`, nil, 400, "invalid-request", "alidation"},
		{"POST", "/api/v1/environments", "", nil, 400, "invalid-request", "body"},
		{"POST", "/api/v1/environments", large, nil, 413, "too-large", "too large"},

		{"GET", flags + "/none", "", nil, 404, "not-found", `flag "none"`},
		{"GET", flags + "/none/history", "", nil, 404, "not-found", `flag "none"`},
		{"GET", "/api/v1/environments/prod/segments/none", "", nil, 404, "not-found", `segment "none"`},
		{"GET", "/api/v1/environments/prod/settings", "", nil, 404, "not-found", "no settings"},
		{"PUT", flags + "/base", good, nil, 428, "precondition-missing", "If-Match"},
		{"DELETE", flags + "/base", "", nil, 428, "precondition-missing", "If-Match"},
		{"PUT", flags + "/base", good, []string{"If-Match", "yesterday"}, 400, "invalid-request", "ETag"},
		{"PUT", flags + "/base", good, []string{"If-Match", "*"}, 400, "invalid-request", "ETag"},
		{"PUT", flags + "/base", good, []string{"If-None-Match", base}, 400, "invalid-request", "only be *"},
		{"PUT", flags + "/base", good, []string{"If-Match", base, "If-None-Match", "*"}, 400, "invalid-request", "exclude"},
		{"PUT", flags + "/base", good, []string{"If-None-Match", "*"}, 412, "precondition-failed", "exists already"},
		{"PUT", flags + "/none", good, []string{"If-Match", base}, 412, "precondition-failed", "does not exist"},
		{"PUT", flags + "/base", good, []string{"If-Match", `"` + base[1:9] + `-1"`}, 412, "precondition-failed", "changed"},
		{"PUT", flags + "/base", good, []string{"If-Match", `"00000000-2"`}, 412, "precondition-failed", "another history"},
		{"DELETE", flags + "/none", "", []string{"If-Match", base}, 404, "not-found", `flag "none"`},
		{"DELETE", flags + "/base", "", []string{"If-Match", base}, 409, "in-use", "depend on"},
		{"PUT", flags + "/base", "", []string{"If-Match", base}, 400, "invalid-request", "body"},
		{"PUT", flags + "/base", good, []string{"If-Match", base, "Content-Type", "text/plain"}, 415, "unsupported-media-type", "application/json"},
		{"PUT", flags + "/base", "{", []string{"If-Match", base}, 400, "malformed", "JSON"},
		{"PUT", flags + "/base", large, []string{"If-Match", base}, 413, "too-large", "too large"},
		{"PUT", flags + "/base", long, []string{"If-Match", base}, 413, "too-large", "at most 524288"},
		{"PUT", flags + "/base", string(flagBody("red", "")), []string{"If-Match", base}, 422, "invalid", "cannot be published"},
		{"PUT", flags + "/base", good, []string{"If-Match", base, "Flagside-Reason", strings.Repeat("x", 501)}, 400, "malformed", "501 bytes"},
		{"PUT", flags + "/" + strings.Repeat("k", 1025), good, []string{"If-None-Match", "*"}, 400, "malformed", "1025 bytes"},
		{"PUT", "/api/v1/environments/filed/flags/a", good, []string{"If-None-Match", "*"}, 403, "read-only", "a file"},
		{"PUT", "/api/v1/environments/none/flags/a", good, []string{"If-None-Match", "*"}, 404, "environment-unknown", "none"},

		{"GET", "/healthz", "", []string{"Host", "rebound.example"}, 421, "foreign-host", "localhost"},
		{"GET", flags, "", []string{"Host", "192.168.0.1:8017"}, 421, "foreign-host", "localhost"},
		{"PUT", flags + "/base", good, []string{"If-Match", base, "Origin", "https://evil.example"}, 403, "foreign-origin", "another site"},
		{"DELETE", flags + "/base", "", []string{"If-Match", base, "Sec-Fetch-Site", "cross-site"}, 403, "foreign-origin", "another site"},
	}
	for _, test := range tests {
		a := r.ask(test.method, test.path, test.body, test.headers...)
		where := test.method + " " + test.path[:min(len(test.path), 60)]
		if a.status != test.status || a.problem.Type != "urn:flagside:problem:"+test.kind || a.problem.Status != test.status ||
			!strings.Contains(a.problem.Detail, test.detail) || a.problem.Title != http.StatusText(test.status) {
			t.Errorf("%s answers %d %s\nwant %d %s: %s", where, a.status, a.body, test.status, test.kind, test.detail)
		}
	}
	if got := r.ask(http.MethodGet, flags+"/base", "").header.Get("ETag"); got != base {
		t.Errorf("one of the refused requests changed the flag: revision %s, was %s", got, base)
	}
}

// A problem as a whole, so that a change of its shape is seen.
func TestProblemOfABrokenDocument(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	r.put("prod", "base", flagBody("on", ""), absent())
	r.put("prod", "user", flagBody("on", `,"offVariant":"off","prerequisites":[{"flag":"base","variants":["on"]}]`), absent())
	base := r.ask(http.MethodGet, flags+"/base", "").header.Get("ETag")

	a := r.ask(http.MethodPut, flags+"/base", `{"state":"ENABLED","variants":{"off":false},"defaultVariant":"red"}`, "If-Match", base)
	named := slices.ContainsFunc(a.problem.Errors, func(p api.ProblemPlace) bool {
		return p.Kind == "flag" && p.Key == "base" && p.Pointer == "/defaultVariant" && p.Reason != ""
	})
	if !named {
		t.Errorf("the place of the mistake is not named: %s", a.body)
	}
	// A mistake may make another flag impossible, which is then named.
	a = r.ask(http.MethodPut, flags+"/base", `{"state":"ENABLED","variants":{"off":false},"defaultVariant":"off"}`, "If-Match", base)
	if len(a.problem.Errors) != 1 || a.problem.Errors[0].Key != "user" || a.problem.Errors[0].Pointer == "" {
		t.Errorf("the dependant is not named: %s", a.body)
	}

	a = r.ask(http.MethodPut, flags+"/base", string(flagBody("off", "")), "If-Match", `"`+base[1:9]+`-1"`)
	if a.problem.Current != strings.Trim(base, `"`) {
		t.Errorf("the refusal names %q as the current revision, want %s", a.problem.Current, base)
	}
	const golden = `{"type":"urn:flagside:problem:precondition-failed","title":"Precondition Failed","status":412,` +
		`"detail":"The flag \"base\" was changed since revision EPOCH-1: read it again.","current":"EPOCH-3"}`
	if diff := cmp.Diff(golden, strings.ReplaceAll(a.body, base[1:9], "EPOCH")); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

// A bound that no sidecar can keep, because a beat comes once a second and two may be late, is refused and the least is named.
func TestTooShortMaxStalenessIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	for staleness, want := range map[string]string{
		"2999ms": "maxStaleness must be at least 3s",
		"1s":     "maxStaleness must be at least 3s",
		"0s":     "maxStaleness must be positive",
		"-1m":    "maxStaleness must be positive",
		"soon":   "maxStaleness must be a duration",
		"3s":     "",
	} {
		a := r.ask(http.MethodPut, flags+"/"+staleness, string(flagBody("on", `,"maxStaleness":"`+staleness+`"`)), "If-None-Match", "*")
		if want == "" {
			if a.status != http.StatusCreated {
				t.Errorf("%s is answered with %d %s, want that it is written", staleness, a.status, a.body)
			}
			continue
		}
		named := slices.ContainsFunc(a.problem.Errors, func(p api.ProblemPlace) bool {
			return p.Key == staleness && p.Pointer == "/maxStaleness" && strings.Contains(p.Reason, want)
		})
		if a.status != http.StatusUnprocessableEntity || !named {
			t.Errorf("%s is answered with %d %s, want 422: %s", staleness, a.status, a.body, want)
		}
	}
}

// A rule that takes more work than an evaluation may is refused with its place, and published where the limit is higher.
func TestARuleThatTakesTooMuchWorkIsRefused(t *testing.T) {
	t.Parallel()
	condition := `{"or":[` + strings.Repeat(`{"==":[{"var":""},-1]},`, 2999) + `false]}`
	body := string(flagBody("on", `,"targeting":{"if":[{"all":[[`+strings.Repeat("1,", 39_999)+`1],{"!":[`+condition+`]}]},"on"]}`))
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	a := r.ask(http.MethodPut, flags+"/heavy", body, "If-None-Match", "*")
	if a.status != http.StatusUnprocessableEntity || len(a.problem.Errors) != 1 || a.problem.Errors[0].Pointer != "/targeting/if/0/all" ||
		!strings.Contains(a.problem.Errors[0].Reason, "one evaluation may visit") {
		t.Errorf("answered with %d %s", a.status, a.body)
	}
	r = start(t, publisher.Options{DataDir: t.TempDir(), MaxEvaluationWork: 1_000_000_000})
	r.create("prod")
	if a := r.ask(http.MethodPut, flags+"/heavy", body, "If-None-Match", "*"); a.status != http.StatusCreated {
		t.Errorf("within a higher limit: %d %s", a.status, a.body)
	}
	if err := (publisher.Options{DataDir: t.TempDir(), MaxEvaluationWork: 5}).Validate(); err == nil || !strings.Contains(err.Error(), "--max-evaluation-work") {
		t.Errorf("a limit of 5: %v", err)
	}
}

// A flag's life: created, read, changed, repeated, deleted, and all of it in its history.
func TestLifeOfAFlag(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	for _, key := range []string{"plain", "with/slash", "ünï cödé", "a%2Fb", ".", "..", "?#&=", "a//b", `"quoted"`} {
		t.Run(key, func(t *testing.T) {
			id := flagID(key)
			written, first, err := r.client.Put(t.Context(), "prod", id, flagBody("on", ""), absent(), api.ChangeHeaders{Reason: "begin"})
			if err != nil {
				t.Fatal(err)
			}
			if !written.Changed || written.OpID == "" || written.Revision != first.Match.String() {
				t.Errorf("creating answers %+v and revision %v", written, first.Match)
			}
			body, seen, err := r.client.Document(t.Context(), "prod", id)
			if err != nil || string(body) != string(flagBody("on", "")) || seen != first {
				t.Errorf("read %q, %v, %v; want what was put at %v", body, seen, err, first)
			}
			same, unmoved, err := r.client.Put(t.Context(), "prod", id, flagBody("on", ""), first, api.ChangeHeaders{Reason: "again"})
			if err != nil || same.Changed || same.OpID != "" || unmoved != first {
				t.Errorf("repeating answers %+v, %v, %v", same, unmoved, err)
			}
			_, second, err := r.client.Put(t.Context(), "prod", id, flagBody("off", ""), first, api.ChangeHeaders{Reason: "größer"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.client.Delete(t.Context(), "prod", id, second, api.ChangeHeaders{Reason: "end"}); err != nil {
				t.Fatal(err)
			}
			history, err := r.client.History(t.Context(), "prod", id, api.HistoryQuery{})
			if err != nil {
				t.Fatal(err)
			}
			type change struct{ Action, Reason, Actor, Document string }
			var got []change
			for _, c := range history.Items {
				got = append(got, change{c.Action, c.Reason, c.Actor, string(c.Document)})
				if c.OpID == "" || c.Time.IsZero() || c.Revision == "" {
					t.Errorf("%+v lacks something", c)
				}
			}
			want := []change{
				{"delete", "end", "somebody", ""},
				{"put", "größer", "somebody", string(flagBody("off", ""))},
				{"put", "begin", "somebody", string(flagBody("on", ""))},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
			if _, _, err := r.client.Document(t.Context(), "prod", id); err == nil {
				t.Error("the deleted flag can be read")
			}
		})
	}
}

// The statuses and headers that tell a client what became of a change.
func TestAnswersToChanges(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	var tags []string
	f := func(method, body string, status int, headers ...string) {
		t.Helper()
		a := r.ask(method, flags+"/f", body, headers...)
		if a.status != status {
			t.Errorf("%s answers %d %s, want %d", method, a.status, a.body, status)
		}
		tags = append(tags, a.header.Get("ETag")+" in "+a.header.Get("Flagside-Revision"))
	}
	f(http.MethodPut, string(flagBody("on", "")), http.StatusCreated, "If-None-Match", "*")
	first := r.ask(http.MethodGet, flags+"/f", "").header.Get("ETag")
	f(http.MethodPut, string(flagBody("on", "")), http.StatusOK, "If-Match", first)
	f(http.MethodPut, string(flagBody("off", "")), http.StatusOK, "If-Match", first)
	f(http.MethodDelete, "", http.StatusOK, "If-Match", strings.Replace(first, "-3", "-4", 1))
	want := []string{`"E-3" in E-3`, `"E-3" in E-3`, `"E-4" in E-4`, " in E-5"}
	for i := range tags {
		tags[i] = strings.ReplaceAll(tags[i], first[1:9], "E")
	}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

func TestSegmentsAndSettings(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	segment := document.ID{Kind: document.KindSegment, Key: "staff"}
	settings := document.ID{Kind: document.KindSettings, Key: document.SettingsKey}
	_, seen, err := r.client.Put(t.Context(), "prod", segment, []byte(`{"==":[{"var":"team"},"staff"]}`), absent(), api.ChangeHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	r.put("prod", "f", flagBody("on", `,"targeting":{"if":[{"$ref":"staff"},"on","off"]}`), absent())
	if _, err := r.client.Delete(t.Context(), "prod", segment, seen, api.ChangeHeaders{}); err == nil || !strings.Contains(err.Error(), "f") {
		t.Errorf("deleting a segment in use: %v, want a refusal that names the flag", err)
	}
	if _, _, err := r.client.Put(t.Context(), "prod", settings, []byte(`{"metadata":{"team":"shop"}}`), absent(), api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	body, _, err := r.client.Document(t.Context(), "prod", settings)
	if err != nil || string(body) != `{"metadata":{"team":"shop"}}` {
		t.Errorf("settings are %s, %v", body, err)
	}
}

func TestListInParts(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	for _, key := range []string{"c", "a/1", "b"} {
		r.put("prod", key, flagBody("on", ""), absent())
	}
	var keys []string
	path := flags + "?limit=2"
	for path != "" {
		a := r.ask(http.MethodGet, path, "")
		var list api.DocumentList
		if err := json.Unmarshal([]byte(a.body), &list, json.RejectUnknownMembers(true)); err != nil {
			t.Fatal(err)
		}
		if list.AgeMs == nil || list.Revision == "" || a.header.Get("Flagside-Revision") != list.Revision {
			t.Errorf("the list does not say what it rests on: %s", a.body)
		}
		for _, item := range list.Items {
			keys = append(keys, item.Key)
			if string(item.Document) != string(flagBody("on", "")) || item.Revision == "" {
				t.Errorf("item %+v", item)
			}
		}
		path = ""
		if list.Next != "" {
			path = flags + "?limit=2&after=" + list.Next
		}
	}
	if diff := cmp.Diff([]string{"a/1", "b", "c"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestHistoryInParts(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	seen := absent()
	for i := range 5 {
		seen = r.put("prod", "f", flagBody([]string{"on", "off"}[i%2], ""), seen)
	}
	var revisions []string
	path := flags + "/f/history?limit=2"
	for path != "" {
		a := r.ask(http.MethodGet, path, "")
		var history api.History
		if err := json.Unmarshal([]byte(a.body), &history, json.RejectUnknownMembers(true)); err != nil {
			t.Fatal(err)
		}
		for _, item := range history.Items {
			_, revision, _ := strings.Cut(item.Revision, "-")
			revisions = append(revisions, revision)
		}
		path = ""
		if history.Next != "" {
			path = flags + "/f/history?limit=2&before=" + history.Next
		}
	}
	if diff := cmp.Diff([]string{"7", "6", "5", "4", "3"}, revisions); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

package publisher_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// declared is the description of the API, as it stands in the repository.
type declared struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	ID        string              `json:"operationId"`
	Responses map[string]response `json:"responses"`
}

type response struct {
	Headers map[string]any `json:"headers"`
	Content map[string]struct {
		Schema schema `json:"schema"`
	} `json:"content"`
}

// schema is what the description uses of JSON Schema.
type schema struct {
	Ref        string            `json:"$ref"`
	Type       any               `json:"type"` // a name, or a list of them
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
	Items      *schema           `json:"items"`
	Enum       []any             `json:"enum"`
	Additional any               `json:"additionalProperties"`
}

func readContract(t *testing.T) declared {
	t.Helper()
	text, err := os.ReadFile("../../api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var d declared
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// operations returns all operations by their id.
func (d declared) operations() map[string]operation {
	all := make(map[string]operation)
	for _, methods := range d.Paths {
		for _, o := range methods {
			all[o.ID] = o
		}
	}
	return all
}

// check returns how an answer differs from what is declared.
func (d declared) check(id string, a answer) error {
	o, ok := d.operations()[id]
	if !ok {
		return fmt.Errorf("there is no operation %s", id)
	}
	r, explicit := o.Responses[strconv.Itoa(a.status)]
	if !explicit {
		if a.status < http.StatusBadRequest {
			return fmt.Errorf("status %d is not declared", a.status)
		}
		r = o.Responses["default"]
	}
	if _, declared := r.Headers["Location"]; declared != (a.header.Get("Location") != "") {
		return fmt.Errorf("status %d: Location is %q, is it declared: %t", a.status, a.header.Get("Location"), declared)
	}
	if len(r.Content) == 0 && a.body == "" {
		return nil
	}
	media := a.header.Get("Content-Type")
	content, ok := r.Content[media]
	if !ok {
		return fmt.Errorf("status %d: the media type %q is not declared", a.status, media)
	}
	var value any
	if media == api.ExportMedia { // its lines are verified by package audit
		value = a.body
	} else if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		return fmt.Errorf("status %d: %w", a.status, err)
	}
	return d.conforms(content.Schema, value, "")
}

// conforms returns where a value is not as a schema says.
func (d declared) conforms(s schema, value any, at string) error {
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, "#/components/schemas/")
		referred, ok := d.Components.Schemas[name]
		if !ok {
			return fmt.Errorf("%s: there is no schema %s", at, name)
		}
		return d.conforms(referred, value, at)
	}
	if !isOf(s.Type, value) {
		return fmt.Errorf("%s: %v is no %v", at, value, s.Type)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
		return fmt.Errorf("%s: %v is none of %v", at, value, s.Enum)
	}
	switch v := value.(type) {
	case map[string]any:
		return d.conformsObject(s, v, at)
	case []any:
		for i, item := range v {
			if s.Items == nil {
				break
			}
			if err := d.conforms(*s.Items, item, fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// conformsObject also refuses members that are not declared, where any are: what is answered is to be described.
func (d declared) conformsObject(s schema, value map[string]any, at string) error {
	for _, name := range s.Required {
		if _, ok := value[name]; !ok {
			return fmt.Errorf("%s: %s is missing", at, name)
		}
	}
	for name, member := range value {
		inner, ok := s.Properties[name]
		if !ok && len(s.Properties) > 0 {
			return fmt.Errorf("%s: %s is not declared", at, name)
		}
		if err := d.conforms(inner, member, at+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

// isOf reports whether a value is of a type, or of one of several.
func isOf(types, value any) bool {
	if list, ok := types.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return isOf(one, value) })
	}
	number, isNumber := value.(float64)
	switch types {
	case nil:
		return true
	case "object":
		_, ok := value.(map[string]any)
		return ok
	case "array":
		_, ok := value.([]any)
		return ok
	case "string":
		_, ok := value.(string)
		return ok
	case "boolean":
		_, ok := value.(bool)
		return ok
	case "integer":
		return isNumber && number == math.Trunc(number)
	case "number":
		return isNumber
	case "null":
		return value == nil
	default:
		return false
	}
}

// The checker itself refuses what is not declared.
func TestContractCheckerRefuses(t *testing.T) {
	t.Parallel()
	d := readContract(t)
	problem := http.Header{"Content-Type": {"application/problem+json"}}
	plain := http.Header{"Content-Type": {"application/json"}}
	for what, a := range map[string]answer{
		"a member that is not declared": {status: 404, header: problem, body: `{"type":"t","title":"t","status":404,"colour":"red"}`},
		"a member that is missing":      {status: 404, header: problem, body: `{"type":"t","title":"t"}`},
		"another type":                  {status: 404, header: problem, body: `{"type":"t","title":"t","status":"404"}`},
		"another media type":            {status: 404, header: plain, body: `{"type":"t","title":"t","status":404}`},
		"another status":                {status: 204, header: plain},
		"a value of no enumeration":     {status: 200, header: plain, body: `{"id":"i","kind":"stranger","groups":[]}`},
	} {
		if err := d.check("whoami", a); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	if err := d.check("whoami", answer{status: 200, header: plain, body: `{"id":"i","kind":"token","groups":[]}`}); err != nil {
		t.Errorf("what is declared is refused: %v", err)
	}
}

// Every operation that is declared does what it is for, and answers as it is declared.
func TestEveryOperationAnswersAsDeclared(t *testing.T) {
	t.Parallel()
	d := readContract(t)
	server := natstest.Start(t)
	i := newIdentities(t)
	o := i.options()
	o.NATS = server.URL()
	o.Webhooks = webhooks(t, newHooks(t).address)
	r := governed(t, o)
	r.create("staging")
	r.create("other")
	first := r.revision("staging")
	r.put("other", "shared", flagBody("on", ""), absent())
	r.settings("staging")
	succeeded, used := make(map[string]bool), true
	var s stage
	askAs := func(role, id, method, path, body string, headers ...string) answer {
		a := r.ask(method, path, body, append(headers, "Authorization", "Bearer "+secretOf(role))...)
		if err := d.check(id, a); err != nil {
			t.Errorf("%s %s answers what is not declared: %v\n%s", method, path, err, a.body)
		}
		succeeded[id] = succeeded[id] || a.status < http.StatusBadRequest
		return a
	}
	ask := func(id, method, path, body string, headers ...string) answer {
		return askAs("admin", id, method, path, body, headers...)
	}
	for n, attempt := range attempts() {
		id, _, _ := strings.Cut(attempt.name, " ")
		if used {
			s = r.newStage("staging", strconv.Itoa(n))
		}
		method, path, body, headers := attempt.make(s)
		used = method != http.MethodGet
		ask(id, method, path, strings.ReplaceAll(body, "{first}", first), headers...)
		ask(id, method, strings.ReplaceAll(path, "staging", "unknown"), body, headers...) // a problem, where there is an environment
	}
	const only = "/openfeature/v0/manifest" // of the only environment that the caller may read
	askAs("elsewhere", "readOnlyManifest", "GET", only, "")
	askAs("elsewhere", "createOnlyManifestFlag", "POST", only+"/flags", `{"key":"pushed","type":"string","description":null,"defaultValue":"x"}`)
	askAs("elsewhere", "updateOnlyManifestFlag", "PUT", only+"/flags/pushed", `{"key":"pushed","type":"string","description":"y"}`)
	askAs("elsewhere", "archiveOnlyManifestFlag", "DELETE", only+"/flags/pushed", "")
	ask("createEnvironment", "POST", "/api/v1/environments", `{"name":"brief"}`)
	ask("putSettings", "PUT", "/api/v1/environments/brief/settings", `{"compatibility":"flagd"}`, "If-None-Match", "*")
	ask("recreateEnvironment", "POST", "/api/v1/environments/brief/recreate", "")
	ask("restoreEnvironment", "POST", "/api/v1/environments/brief/restore", string(snapshot(t, "brief")), "Content-Type", "application/octet-stream",
		"Flagside-Break-Glass", "true", "Flagside-Reason", "it is needed")
	ask("archiveEnvironment", "POST", "/api/v1/environments/brief/archive", "")
	ask("reviveEnvironment", "POST", "/api/v1/environments/brief/revive", "")
	r.create("gone")
	if _, err := r.client.ArchiveEnvironment(t.Context(), "gone", api.AdministrationHeaders{Reason: "it leaks", BreakGlass: true}); err != nil {
		t.Fatal(err)
	}
	review := fmt.Sprintf("/api/v1/control/records/%d/review", r.ledgerOf("gone")[0].Control)
	ask("reviewControl", "POST", review, "")
	ask("reviewControl", "POST", review, "", "Flagside-Reason", "twice")
	ask("listWebhooks", "GET", "/api/v1/webhooks", "")
	r.begun("other")
	ask("testWebhook", "POST", "/api/v1/webhooks/audit/test", "")
	created := ask("createToken", "POST", "/api/v1/tokens", `{"name":"n","groups":["flagside:viewer"]}`)
	ask("revokeToken", "DELETE", "/api/v1/tokens/"+member(t, created, "token", "id"), "")
	r.signIn(secretOf("viewer"))
	ask("listSessions", "GET", "/api/v1/sessions", "")
	ask("revokeSession", "DELETE", "/api/v1/sessions/"+r.sessionOf("viewer").ID, "")
	ada := i.token("ada", access.RoleEditor, "flagside", time.Hour)
	if _, _, err := r.as(ada).Put(t.Context(), "staging", flagID("hers"), []byte(offDocument), absent(), api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	ask("listPersons", "GET", "/api/v1/persons", "")
	ask("erasePerson", "POST", "/api/v1/persons/erase", `{"person":"corp:ada"}`)
	written := ask("putFlag", "PUT", "/api/v1/environments/staging/flags/last", offDocument, "If-None-Match", "*")
	ask("listTasks", "GET", "/api/v1/environments/staging/tasks", "")
	ask("getOperation", "GET", "/api/v1/environments/staging/operations/"+member(t, written, "opId"), "")
	own := ask("openRequest", "POST", "/api/v1/environments/staging/requests", `{"command":{"type":"put","key":"mine","ifAbsent":true,"document":`+offDocument+`}}`)
	ask("rebaseRequest", "POST", "/api/v1/environments/staging/requests/"+member(t, own, "id")+"/rebase",
		`{"command":{"type":"put","key":"mine2","ifAbsent":true,"document":`+offDocument+`}}`)
	deleteStream(t, server, "LEDGER_staging")
	ask("repairLedger", "POST", "/api/v1/environments/staging/ledger/repair", "", "Flagside-Reason", "it was deleted")
	deleteStream(t, server, "CONTROL")
	ask("repairControl", "POST", "/api/v1/control/repair", "", "Flagside-Reason", "it was deleted")
	ask("adoptEnvironment", "POST", "/api/v1/environments/other/adopt", "")
	succeeded["followActivity"] = true // which has no end: TestFollowingTheActivity
	for id := range d.operations() {
		if !succeeded[id] {
			t.Errorf("%s was never carried out", id)
		}
	}
}

// member returns a text in a JSON answer.
func member(t *testing.T, a answer, path ...string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatal(err)
	}
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			t.Fatalf("%s has no %v", a.body, path)
		}
		value = object[name]
	}
	text, ok := value.(string)
	if !ok {
		t.Fatalf("%s has no text %v", a.body, path)
	}
	return text
}

package sidecar_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/waiting"
)

const explainedFlags = `{"flags":{
	"team/color":{"state":"ENABLED","variants":{"staff":"blue","public":"red"},"defaultVariant":"public","metadata":{"flagSetId":"web"},
		"targeting":{"if":[{"ends_with":[{"var":"email"},"@example.com"]},"staff"]}},
	"demanding":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","maxStaleness":"3s","onUnreachable":"error",
		"targeting":{"if":[true,"on"]}}
}}`

// explain returns the answer of the management port about a flag.
func (r *running) explain(key, body string) (status int, answer map[string]any) {
	r.t.Helper()
	status, content, err := r.request(http.MethodPost, "http://"+r.ManagementAddr().String()+"/explain/"+key, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(content), &answer); err != nil {
		r.t.Fatalf("%v: %s", err, content)
	}
	return status, answer
}

// at returns the member of a decoded answer at a path of names.
func at(answer any, path ...string) any {
	for _, name := range path {
		members, _ := answer.(map[string]any)
		answer = members[name]
	}
	return answer
}

func TestExplain(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, explainedFlags)
	s := start(t, o)
	s.awaitReady()
	status, answer := s.explain("team%2Fcolor", `{"context":{"targetingKey":"u","email":"ada@example.com"}}`)
	if status != http.StatusOK {
		t.Fatalf("%d: %v", status, answer)
	}
	want := map[string]any{"reason": "TARGETING_MATCH", "variant": "staff", "value": "blue", "metadata": at(answer, "answer", "metadata")}
	if diff := cmp.Diff(want, answer["answer"]); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if at(answer, "answer", "metadata", "flagSetId") != "web" || answer["environment"] != "prod" || answer["revision"] != nil {
		t.Errorf("got %v", answer)
	}
	if at(answer, "freshness", "serving") != "bootstrap" || at(answer, "freshness", "ageSeconds") != nil {
		t.Errorf("freshness %v", answer["freshness"])
	}
	rule, err := json.Marshal(at(answer, "explanation", "rule"))
	if err != nil || !strings.Contains(string(rule), `"operator":"ends_with"`) || !strings.Contains(string(rule), "ada@example.com") {
		t.Errorf("rule %s", rule)
	}
	if len(s.logs.Lines("ada@example.com")) > 0 {
		t.Error("the context is in the log")
	}
	if _, metrics := s.get("/metrics"); !strings.Contains(metrics, `flagside_evaluations_total{reason="targeting_match"} 0`) {
		t.Error("an explanation counts as an evaluation")
	}
}

// What applications get because of freshness stands beside what the rule says.
func TestExplainTellsOfStaleness(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, explainedFlags)
	s := start(t, o)
	s.awaitReady()
	status, answer := s.explain("demanding", "")
	if status != http.StatusOK || at(answer, "freshness", "stale") != true || at(answer, "answer", "errorCode") != "GENERAL" ||
		at(answer, "explanation", "variant") != "on" {
		t.Errorf("%d: %v", status, answer)
	}
}

func TestExplainNamesTheRevision(t *testing.T) {
	server := natstest.Start(t)
	p, stop := publish(t, server)
	defer stop()
	position := p.put(map[string]string{"greeting": flag(1)})
	s := start(t, options(server.URL()))
	s.awaitValue("greeting", 1.0)
	status, answer := s.explain("greeting", "{}")
	if status != http.StatusOK || answer["revision"] != position.Token().String() || at(answer, "freshness", "serving") != "live" {
		t.Errorf("%d: %v", status, answer)
	}
	if at(answer, "freshness", "ageSeconds") == nil {
		t.Errorf("no age: %v", answer["freshness"])
	}
}

func TestExplainRefuses(t *testing.T) {
	o := options(nowhere)
	empty := start(t, o)
	waiting.Until(t, "the management server", func() bool { status, _ := empty.get("/healthz"); return status == http.StatusOK })
	if status, answer := empty.explain("a", ""); status != http.StatusServiceUnavailable || answer["detail"] == "" {
		t.Errorf("without flags: %d, %v", status, answer)
	}
	o.BootstrapFile = write(t, explainedFlags)
	s := start(t, o)
	s.awaitReady()
	cases := []struct {
		name, key, body string
		status          int
	}{
		{"missing flag", "missing", "{}", http.StatusNotFound},
		{"no key", "", "{}", http.StatusNotFound},
		{"broken body", "demanding", `{"context":{"email":"secret`, http.StatusBadRequest},
		{"body that is no object", "demanding", `["secret"]`, http.StatusBadRequest},
		{"context that is no object", "demanding", `{"context":"secret"}`, http.StatusBadRequest},
		{"large body", "demanding", `{"context":{"a":"` + strings.Repeat("secret", 200_000) + `"}}`, http.StatusRequestEntityTooLarge},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			status, answer := s.explain(c.key, c.body)
			detail, _ := answer["detail"].(string)
			if status != c.status || detail == "" || strings.Contains(detail, "secret") {
				t.Errorf("%d, %v; want %d", status, answer, c.status)
			}
		})
	}
	if status, body := s.get("/explain/demanding"); status != http.StatusMethodNotAllowed || !strings.Contains(body, `"detail"`) {
		t.Errorf("GET: %d, %s", status, body)
	}
}

// An explanation is given for the bodies that OFREP answers, and for no other, as strictly as the flags are read.
func TestExplainReadsBodiesAsOFREPDoes(t *testing.T) {
	for _, compatibility := range []eval.Compatibility{"", eval.CompatibilityFlagd} {
		o := options(nowhere)
		o.BootstrapFile, o.Compatibility = write(t, explainedFlags), compatibility
		s := start(t, o)
		s.awaitReady()
		for _, body := range []string{
			``, ` {} `, `null`, `[]`, `{"context":null}`, `{"context":7}`, `{"Context":{}}`, `{"context":{},"context":{}}`, `{"context":{}} more`, `{"context":{"a":1,"a":2}}`,
		} {
			want, answer, err := s.request(http.MethodPost, "http://"+s.OFREPAddr().String()+"/ofrep/v1/evaluate/flags/team%2Fcolor", body)
			if err != nil {
				t.Fatal(err)
			}
			if got, explained := s.explain("team%2Fcolor", body); got != want {
				t.Errorf("compatibility %q, %s: explained %d, %v; answered %d, %s", compatibility, body, got, explained, want, answer)
			}
		}
	}
}

func TestExplainRefusesCompressedBodies(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, explainedFlags)
	s := start(t, o)
	s.awaitReady()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.ManagementAddr().String()+"/explain/demanding", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Encoding", "gzip")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnsupportedMediaType || response.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("%d, %v", response.StatusCode, response.Header)
	}
}

// A text that was cut in the middle of an emoji, as JSON.stringify spells it, and Latin-1 are replaced as in evaluations.
func TestExplainReplacesIllFormedText(t *testing.T) {
	o := options(nowhere)
	o.BootstrapFile = write(t, explainedFlags)
	s := start(t, o)
	s.awaitReady()
	for _, body := range []string{`{"context":{"name":"cut \ud83d"}}`, "{\"context\":{\"\xe9\":\"\xe9\"}}"} {
		if status, answer := s.explain("team%2Fcolor", body); status != http.StatusOK {
			t.Errorf("%q: %d, %v", body, status, answer)
		}
	}
}

func TestProfilesAreServedOnRequestOnly(t *testing.T) {
	o := options(nowhere)
	for _, on := range []bool{false, true} {
		o.Profiling = on
		s := start(t, o)
		want := http.StatusNotFound
		if on {
			want = http.StatusOK
		}
		for _, path := range []string{"/debug/pprof/profile?seconds=1", "/debug/pprof/goroutine", "/debug/pprof/heap"} {
			status, body := s.get(path)
			if status != want || on && !strings.HasPrefix(body, "\x1f\x8b") {
				t.Errorf("profiling %v: %s: %d, %d bytes; want %d", on, path, status, len(body), want)
			}
		}
		if status, _ := s.get("/debug/pprof/cmdline"); status != http.StatusNotFound {
			t.Errorf("the command line is shown: %d", status)
		}
		if status, _ := s.get("/debug/pprof/profile?seconds=0"); on && status != http.StatusBadRequest {
			t.Errorf("a profile over no time: %d", status)
		}
	}
}

// TestExplainObeysTheLimit asks about a flag that takes too much work, and then about one that does not.
func TestExplainObeysTheLimit(t *testing.T) {
	o := options(nowhere)
	o.MaxEvaluationWork = 5000
	o.BootstrapFile = write(t, `{"flags":{
		"heavy":{"state":"ENABLED","variants":{"on":true},"targeting":{"if":[{"none":[{"var":"list"},{"some":[{"var":"list"},{"==":[{"var":""},2]}]}]},"on"]}},
		"light":{"state":"ENABLED","variants":{"on":true},"targeting":{"if":[{"none":[{"var":"list"},{"==":[{"var":""},2]}]},"on"]}}}}`)
	s := start(t, o)
	s.awaitReady()
	body := `{"context":{"list":[` + strings.Repeat("1,", 199) + `1]}}`
	status, answer := s.explain("heavy", body)
	if detail, _ := at(answer, "explanation", "errorDetails").(string); status != http.StatusOK || at(answer, "answer", "errorCode") != "PARSE_ERROR" ||
		at(answer, "explanation", "reason") != "ERROR" || !strings.Contains(detail, "the limit is 5000 nodes") {
		t.Errorf("got %d %v %v", status, answer["answer"], at(answer, "explanation", "errorDetails"))
	}
	if _, answer := s.explain("light", body); at(answer, "answer", "variant") != "on" {
		t.Errorf("got %v", answer["answer"])
	}
}

package ofrep_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/eval"
)

const (
	bulk   = "/ofrep/v1/evaluate/flags"
	single = bulk + "/"
)

// object is the body of an answer. Metadata are compared apart: what a flag's metadata hold is up to the evaluator.
type object = map[string]any

// withoutMetadata removes the metadata, which must be there and an object.
func withoutMetadata(t *testing.T, body object) object {
	t.Helper()
	if _, ok := body["metadata"].(object); !ok {
		t.Errorf("metadata are not an object: %v", body)
	}
	delete(body, "metadata")
	return body
}

func TestSingleAnswers(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	cases := []struct {
		key, body string
		status    int
		want      object
	}{
		{"on", `{"context":{}}`, 200, object{"key": "on", "reason": "STATIC", "variant": "on", "value": true}},
		{"text", ``, 200, object{"key": "text", "reason": "STATIC", "variant": "x", "value": `a "quoted" ü`}},
		{"number", `{}`, 200, object{"key": "number", "reason": "STATIC", "variant": "x", "value": 9007199254740991.0}},
		{
			"object", `{"context":null}`, 200,
			object{"key": "object", "reason": "STATIC", "variant": "x", "value": object{"a": []any{1.0, object{"b": nil}}}},
		},
		{
			"targeted", `{"context":{"plan":"gold"}}`, 200,
			object{"key": "targeted", "reason": "TARGETING_MATCH", "variant": "gold", "value": 1.0},
		},
		{
			"targeted", `{"context":{"plan":"none"}}`, 200,
			object{"key": "targeted", "reason": "DEFAULT", "variant": "free", "value": 2.0},
		},
		{"disabled", `{}`, 200, object{"key": "disabled", "reason": "DISABLED"}},
		{"code", `{}`, 200, object{"key": "code", "reason": "DEFAULT"}},
		{"broken", `{"context":{"variant":"none"}}`, 400, object{"key": "broken", "errorCode": "GENERAL"}},
		{"missing", `{}`, 404, object{"key": "missing", "errorCode": "FLAG_NOT_FOUND"}},
		{"on", `{"context":`, 400, object{"key": "on", "errorCode": "INVALID_CONTEXT"}},
		{"missing", `[]`, 400, object{"key": "missing", "errorCode": "INVALID_CONTEXT"}},
	}
	for _, c := range cases {
		t.Run(c.key+c.body, func(t *testing.T) {
			got := s.do("POST", single+c.key, c.body)
			if got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
			body := withoutMetadata(t, got.body)
			if c.status != 200 {
				requireDetails(t, body)
			}
			if diff := cmp.Diff(c.want, body); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// requireDetails removes errorDetails, which must be a sentence.
func requireDetails(t *testing.T, body object) {
	t.Helper()
	if details, _ := body["errorDetails"].(string); len(details) < 10 {
		t.Errorf("errorDetails missing: %v", body)
	}
	delete(body, "errorDetails")
}

// A text that was cut in the middle of an emoji, as JSON.stringify spells it, and Latin-1 refuse no flag.
func TestIllFormedTextInContextsIsAnswered(t *testing.T) {
	s := start(t, load(t, `{"flags":{
		"switch":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"},
		"cut":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"text"},"cut \ufffd"]},"on"]}}}}`, ""), nil)
	for _, body := range []string{`{"context":{"text":"cut \ud83d","\udc00":1}}`, "{\"context\":{\"text\":\"cut \xe9\",\"\xe9\":[\"\xe9\"]},\"\xe9\":1}"} {
		for key, reason := range map[string]string{"/switch": "STATIC", "/cut": "TARGETING_MATCH", "": ""} {
			got := s.do("POST", bulk+key, body)
			if got.status != 200 || key != "" && got.body["reason"] != reason {
				t.Errorf("%q, %s: %d, %v, want %s", body, key, got.status, got.body, reason)
			}
		}
	}
	if got := s.do("POST", bulk, `{"context":{"\ud83d":1,"\udc00":1}}`); got.status != 400 || got.body["errorCode"] != "INVALID_CONTEXT" {
		t.Errorf("names that are equal once they are replaced: %d, %v", got.status, got.body)
	}
}

func TestMetadataOfTheFlagAreInItsAnswer(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	got := s.do("POST", single+"on", `{}`)
	if metadata, _ := got.body["metadata"].(object); metadata["owner"] != "shop" {
		t.Errorf("metadata %v", got.body["metadata"])
	}
}

func TestBulkAnswer(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	for _, target := range []string{bulk, bulk + "/", bulk + "?flagConfigEtag=x"} {
		got := s.do("POST", target, `{"context":{"plan":"gold","variant":"none"}}`)
		if got.status != 200 {
			t.Fatalf("%s: status %d", target, got.status)
		}
		var keys []string
		answers := make(map[string]object)
		items, _ := withoutMetadata(t, got.body)["flags"].([]any)
		for _, item := range items {
			answer := withoutMetadata(t, item.(object))
			keys = append(keys, answer["key"].(string))
			answers[answer["key"].(string)] = answer
		}
		want := []string{"broken", "code", "disabled", "grouped", "number", "object", "on", "targeted", "text"}
		if diff := cmp.Diff(want, keys); diff != "" {
			t.Error(diff)
		}
		requireDetails(t, answers["broken"])
		if diff := cmp.Diff(object{"key": "broken", "errorCode": "GENERAL"}, answers["broken"]); diff != "" {
			t.Error(diff)
		}
		if answers["targeted"]["variant"] != "gold" || answers["disabled"]["reason"] != "DISABLED" {
			t.Errorf("answers %v", answers)
		}
	}
}

func TestBulkRefusals(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	got := s.do("POST", bulk, `{"context":{},"context":{}}`)
	details, _ := got.body["errorDetails"].(string)
	if !strings.Contains(details, "duplicate") || !strings.Contains(details, "byte") {
		t.Errorf("details %q do not name the place", details)
	}
	requireDetails(t, got.body)
	if diff := cmp.Diff(object{"errorCode": "INVALID_CONTEXT"}, withoutMetadata(t, got.body)); diff != "" || got.status != 400 {
		t.Error(got.status, diff)
	}
}

func TestNotReady(t *testing.T) {
	s := start(t, empty(t), nil)
	for target, key := range map[string]any{bulk: nil, single + "on": "on"} {
		got := s.do("POST", target, `{"context":{}}`)
		if got.status != 503 {
			t.Errorf("status %d", got.status)
		}
		requireDetails(t, got.body)
		want := object{"errorCode": "PROVIDER_NOT_READY"}
		if key != nil {
			want["key"] = key
		}
		if diff := cmp.Diff(want, withoutMetadata(t, got.body)); diff != "" {
			t.Error(diff)
		}
	}
	if n := s.counter("flagside_evaluation_errors_total"); n != 2 {
		t.Errorf("%v errors counted", n)
	}
}

func TestEmptyEnvironment(t *testing.T) {
	s := start(t, load(t, `{"flags":{}}`, ""), nil)
	got := s.do("POST", bulk, ``)
	if diff := cmp.Diff(object{"flags": []any{}, "metadata": object{}}, got.body); diff != "" {
		t.Error(diff)
	}
	if got := s.do("POST", single+"on", ``); got.status != 404 {
		t.Errorf("status %d", got.status)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	cases := []struct {
		method, target string
		status         int
	}{
		{"GET", single + "on", 405},
		{"HEAD", single + "on", 405},
		{"PUT", bulk, 405},
		{"OPTIONS", bulk, 405},
		{"POST", "/", 404},
		{"GET", "/ofrep/v1/configuration", 404},
		{"POST", "/ofrep/v1/evaluate/flagship", 404},
		{"POST", "///ofrep/v1/evaluate/flags/on", 404},
		{"POST", "/ofrep/v1/evaluate//flags/on", 404},
		{"POST", "/ofrep/v1/../v1/evaluate/flags/on", 404},
	}
	for _, c := range cases {
		got := s.do(c.method, c.target, "")
		if got.status != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.target, got.status, c.status)
		}
		if allow := got.header.Get("Allow"); (allow == "POST") != (c.status == 405) {
			t.Errorf("%s %s: Allow %q", c.method, c.target, allow)
		}
		if c.method == "HEAD" {
			continue
		}
		requireDetails(t, got.body)
		if diff := cmp.Diff(object{"errorCode": "GENERAL"}, withoutMetadata(t, got.body)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestSelector(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	cases := []struct {
		selector, target string
		status           int
		flags            int
		metadata         object
	}{
		{"flagSetId=web", single + "grouped", 200, 0, nil},
		{"flagSetId=web", single + "on", 404, 0, object{"flagSetId": "web"}},
		{"flagSetId=other", single + "grouped", 404, 0, object{"flagSetId": "other"}},
		{"flagSetId=", single + "on", 200, 0, nil},
		{"flagSetId=", single + "grouped", 404, 0, object{"flagSetId": ""}},
		{"", single + "grouped", 200, 0, nil},
		{"flagSetId=web", bulk, 200, 1, object{"flagSetId": "web"}},
		{"flagSetId=", bulk, 200, 8, object{"flagSetId": ""}},
		{"flagSetId=other", bulk, 200, 0, object{"flagSetId": "other"}},
		{"key=on", bulk, 400, 0, object{}},
		{"source=file", single + "on", 400, 0, object{}},
		{"file", single + "on", 400, 0, object{}},
	}
	for _, c := range cases {
		got := s.do("POST", c.target, `{}`, "Flagd-Selector: "+c.selector)
		if got.status != c.status {
			t.Errorf("%q %s: status %d, want %d", c.selector, c.target, got.status, c.status)
		}
		if items, _ := got.body["flags"].([]any); len(items) != c.flags {
			t.Errorf("%q %s: %d flags, want %d", c.selector, c.target, len(items), c.flags)
		}
		if c.metadata != nil {
			if diff := cmp.Diff(c.metadata, got.body["metadata"]); diff != "" {
				t.Errorf("%q %s: %s", c.selector, c.target, diff)
			}
		}
		if code := got.body["errorCode"]; c.status == 400 && code != "GENERAL" {
			t.Errorf("%q: error code %v", c.selector, code)
		}
	}
}

func TestContextLeniencyOfTheEnvironment(t *testing.T) {
	cases := []struct {
		body            string
		strict, lenient int
	}{
		{``, 200, 200},
		{` {"context" : {} } `, 200, 200},
		{`{"context":{"a":1}} trailing`, 400, 200},
		{`{"context":{"a":1,"a":2}}`, 400, 200},
		{`{"context":{},"context":{}}`, 400, 200},
		{`{"context":[1]}`, 400, 200},
		{`{"context":"text"}`, 400, 200},
		{`{"context":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `}`, 400, 200},
		{`null`, 400, 200},
		{`[]`, 400, 400},
		{`"text"`, 400, 400},
		{`{"context":{"a":NaN}}`, 400, 400},
		{`{"context":{"a":1e999}}`, 400, 400},
		{`{"context":{"a":1}`, 400, 400},
		{`{"context"}`, 400, 400},
	}
	for compatibility, status := range map[eval.Compatibility]func(int) int{
		"":                      func(i int) int { return cases[i].strict },
		eval.CompatibilityFlagd: func(i int) int { return cases[i].lenient },
	} {
		s := start(t, load(t, flags, compatibility), nil)
		for i, c := range cases {
			if got := s.do("POST", single+"on", c.body); got.status != status(i) {
				t.Errorf("compatibility %q, body %.60q: status %d, want %d: %v", compatibility, c.body, got.status, status(i), got.body)
			}
		}
	}
}

func TestEvaluationsAreCounted(t *testing.T) {
	s := start(t, load(t, flags, ""), nil)
	s.do("POST", single+"on", `{}`)
	s.do("POST", bulk, `{"context":{"variant":"none"}}`)
	s.do("POST", single+"missing", `{}`)
	if n := s.counter("flagside_evaluations_total"); n != 11 {
		t.Errorf("%v evaluations counted, want 1 + 9 + 1", n)
	}
	if n := s.counter("flagside_evaluation_errors_total"); n != 2 {
		t.Errorf("%v errors counted, want 2", n)
	}
}

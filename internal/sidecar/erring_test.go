package sidecar

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
)

func erringRules(t *testing.T, r *eval.Ruleset, keys ...string) *eval.Ruleset {
	t.Helper()
	var documents []document.Document
	for _, key := range keys {
		documents = append(documents, document.Document{
			Kind: document.KindFlag, Key: key, Revision: 1,
			Body: []byte(`{"state":"ENABLED","variants":{"on":true},"targeting":{"if":[{"+":[{"var":"x"}]},"on"]}}`),
		})
	}
	next, problems := r.Update(documents)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return next
}

// TestErringFlags wants the flags that err named for five minutes, and a log line a minute at most.
func TestErringFlags(t *testing.T) {
	rules := erringRules(t, eval.New(), "a", "b", "c")
	var e erringFlags
	var log bytes.Buffer
	now := time.Unix(1000, 0)
	step := func(after time.Duration, keys ...string) string {
		for _, key := range keys {
			rules.Flag(key).Evaluate(nil, now)
		}
		now = now.Add(after)
		e.note(rules.Flags(), now)
		e.report(zerolog.New(&log), now)
		return namesOf(lately(e.list(), now))
	}
	if got := step(time.Second); got != "" || log.Len() > 0 {
		t.Errorf("without errors: %s %s", got, &log)
	}
	if got := step(time.Second, "a", "a", "b"); got != `"a": 2 times PARSE_ERROR; "b": 1 times PARSE_ERROR` {
		t.Errorf("got %s", got)
	}
	for range 50 {
		step(time.Second, "a")
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines within a minute:\n%s", lines, &log)
	}
	step(10*time.Second, "a")
	if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), `"errors":51`) {
		t.Errorf("%d lines after a minute:\n%s", lines, &log)
	}
	if got := step(erringLimit+time.Second, "c"); got != `"c": 1 times PARSE_ERROR` {
		t.Errorf("after five minutes: %s", got)
	}
	var many []string
	for i := range 8 {
		many = append(many, fmt.Sprint("many", i))
	}
	rules = erringRules(t, rules, many...)
	if got := step(time.Second, many...); !strings.HasSuffix(got, "and 4 more") {
		t.Errorf("of many: %s", got)
	}
	metrics := make(chan prometheus.Metric, 1000)
	if newCollector(nil).collectFlagErrors(metrics, e.list()); len(metrics) != 2*11 {
		t.Errorf("%d series of 11 flags with two codes each", len(metrics))
	}
	rules, _ = rules.Update([]document.Document{{Kind: document.KindFlag, Key: "a"}})
	step(time.Second)
	if _, known := e.known["a"]; known {
		t.Error("a deleted flag is remembered")
	}
}

// TestErringFlagsHaveFewLabels wants a label for the first flags that err, whichever err later, and one sum for the others.
func TestErringFlagsHaveFewLabels(t *testing.T) {
	var e erringFlags
	rules := eval.New()
	for i := range maxErring + 20 {
		key := fmt.Sprintf("flag-%03d", i)
		rules = erringRules(t, rules, key)
		rules.Flag(key).Evaluate(nil, time.Unix(0, 0))
		e.note(rules.Flags(), time.Unix(int64(i), 0))
	}
	metrics := make(chan prometheus.Metric, 1000)
	newCollector(nil).collectFlagErrors(metrics, e.list())
	close(metrics)
	var labels []string
	for m := range metrics {
		var sent dto.Metric
		if err := m.Write(&sent); err != nil {
			t.Fatal(err)
		}
		label := sent.GetLabel()[1].GetValue() // by name, after the code
		if n := sent.GetCounter().GetValue(); label == "other" && n > 0 && n != 20 {
			t.Errorf("the others have %v errors, want 20", n)
		}
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	if slices.Sort(labels); len(labels) != maxErring+1 || labels[0] != "flag-000" || labels[maxErring-1] != "flag-099" || labels[maxErring] != "other" {
		t.Errorf("%d labels: %v", len(labels), labels)
	}
}

package ofrep_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// TestABulkAnswerThatTakesTooLongIsAnError has a clock that a quarter of a second passes on with every look.
func TestABulkAnswerThatTakesTooLongIsAnError(t *testing.T) {
	var file strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&file, `,"f%d":{"state":"ENABLED","variants":{"on":true},"targeting":{"if":[{"var":"beta"},"on"]}}`, i)
	}
	store := load(t, `{"flags":{`+file.String()[1:]+`}}`, "")
	var looks atomic.Int64
	var hurry atomic.Bool
	r, err := resolver.New(resolver.Options{Views: store, Metrics: prometheus.NewRegistry(), Now: func() time.Time {
		if hurry.Load() {
			looks.Add(1)
		}
		return time.Unix(1_700_000_000, 0).Add(time.Duration(looks.Load()) * 250 * time.Millisecond)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, store, func(o *ofrep.Options) { o.Resolver = r })
	hurry.Store(true)
	got := s.do(http.MethodPost, "/ofrep/v1/evaluate/flags", `{}`)
	if got.status != http.StatusServiceUnavailable || got.body["errorCode"] != "GENERAL" || got.header.Get("ETag") != "" ||
		!strings.Contains(fmt.Sprint(got.body["errorDetails"]), "--request-timeout") || got.body["metadata"] == nil {
		t.Errorf("got %d %v %v", got.status, got.header, got.body)
	}
	hurry.Store(false)
	if got := s.do(http.MethodPost, "/ofrep/v1/evaluate/flags", `{}`); got.status != http.StatusOK {
		t.Errorf("the next request got %d %v", got.status, got.body)
	}
}

// TestAnAnswerWithinAnotherLimitIsAnother asks two sidecars, of which one lets an evaluation take more work, for the same.
func TestAnAnswerWithinAnotherLimitIsAnother(t *testing.T) {
	const file = `{"flags":{"heavy":{"state":"ENABLED","variants":{"on":true},"targeting":{"if":[{"none":[{"var":"list"},{"==":[{"var":""},2]}]},"on"]}}}}`
	question := `{"context":{"list":[` + strings.Repeat("1,", 999) + `1]}}`
	low := start(t, loadWithin(t, file, "", 1000), nil)
	same := start(t, loadWithin(t, file, "", 1000), nil)
	high := start(t, loadWithin(t, file, "", 1_000_000), nil)
	first, body := ask(t, low, http.MethodPost, bulkPath, question, nil)
	if first.StatusCode != http.StatusOK || !strings.Contains(body, "the limit is 1000 nodes") {
		t.Fatalf("got %d %s", first.StatusCode, body)
	}
	had := http.Header{"If-None-Match": {first.Header.Get("ETag")}}
	if got, body := ask(t, same, http.MethodPost, bulkPath, question, had); got.StatusCode != http.StatusNotModified {
		t.Errorf("within the same limit: %d %s", got.StatusCode, body)
	}
	if got, body := ask(t, high, http.MethodPost, bulkPath, question, had); got.StatusCode != http.StatusOK || strings.Contains(body, "PARSE_ERROR") {
		t.Errorf("within a higher limit: %d %s", got.StatusCode, body)
	}
}

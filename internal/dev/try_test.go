package dev_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/dev"
)

// An experiment can be tried without a key: exposures and outcomes are taken, and nothing warns.
func TestExposuresCanBeTried(t *testing.T) {
	t.Parallel()
	file := newFile(t, `{"flags":{"greeting":{"state":"ENABLED","variants":{"a":"x","b":"y"},"defaultVariant":"a","exposures":true}}}`)
	r := start(t, dev.Options{File: file})
	r.awaitAnswer("greeting", "x")
	port := "http://" + r.OFREPAddr().String()
	for range 2 {
		if status, body := r.ask(http.MethodPost, port+"/ofrep/v1/evaluate/flags/greeting", `{"context":{"targetingKey":"user-4711"}}`); status != http.StatusOK {
			t.Errorf("%d, %s", status, body)
		}
	}
	status, body := r.ask(http.MethodPost, port+"/v1/events",
		`[{"event":"purchase","targetingKey":"user-4711"},{"targetingKey":"user-4712","exposure":{"flag":"greeting","variant":"b"}}]`)
	if status != http.StatusAccepted || body != `{"accepted":2,"ignored":0}` {
		t.Errorf("%d, %s", status, body)
	}
	_, metrics := r.ask(http.MethodGet, "http://"+r.ManagementAddr().String()+"/metrics", "")
	for _, want := range []string{"flagside_usage_exposures_total 2\n", "flagside_usage_outcomes_total 1\n", `flagside_usage_exposures_dropped_total{reason="no_key"} 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics do not have %s", want)
		}
	}
	if strings.Contains(r.log.String(), "user-47") || strings.Contains(r.log.String(), "exposure-key-file") {
		t.Errorf("logged: %s", r.log)
	}
}

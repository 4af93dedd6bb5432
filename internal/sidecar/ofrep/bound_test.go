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
		fmt.Fprintf(&file, `,"f%d":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`, i)
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

package sidecar_test

import (
	"testing"

	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/telemetry"
	"github.com/flagside/flagside/internal/telemetry/metricsdoc"
)

// The metrics of a sidecar are a chapter of docs/metrics.md.
func TestMetricsAreDocumented(t *testing.T) {
	registry, err := telemetry.NewRegistry("sidecar")
	if err != nil {
		t.Fatal(err)
	}
	o := options(nowhere)
	o.MetricsPerFlag, o.Metrics = 1, registry
	o.GateAddr, o.GateGRPCAddr, o.Gate.Tag = "127.0.0.1:0", "127.0.0.1:0", "gate"
	s, err := sidecar.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	metricsdoc.Check(t, "../../docs/metrics.md", "Sidecar", registry)
}

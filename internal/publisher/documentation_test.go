package publisher_test

import (
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/telemetry"
	"github.com/flagside/flagside/internal/telemetry/metricsdoc"
)

// The metrics of a publisher are a chapter of docs/metrics.md.
func TestMetricsAreDocumented(t *testing.T) {
	registry, err := telemetry.NewRegistry("publisher")
	if err != nil {
		t.Fatal(err)
	}
	p, err := publisher.New(publisher.Options{DataDir: t.TempDir(), AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	metricsdoc.Check(t, "../../docs/metrics.md", "Publisher", registry)
}

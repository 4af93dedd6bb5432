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
	r := start(t, publisher.Options{DataDir: t.TempDir(), Metrics: registry})
	r.create("prod") // the kind of a metric with labels shows once it has some
	metricsdoc.Check(t, "../../docs/metrics.md", "Publisher", registry)
}

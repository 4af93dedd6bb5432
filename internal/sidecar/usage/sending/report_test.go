package sending

import (
	"testing"
	"time"

	"github.com/flagside/flagside/eval"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// A clock that is set, back or forth, loses no counts: the report can be sent, and read.
func TestReportsWhileTheClockIsSet(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 29, 13, 0, 0, 0, time.UTC)
	for _, jump := range []time.Duration{time.Minute, -time.Hour, -20 * 365 * 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		c := counting.Collected{Evaluations: map[counting.Series]uint64{{Flag: "f", Variant: "on", Reason: eval.ReasonStatic}: 7}}
		r := newReport(c, began, began.Add(jump))
		r.Boot, r.N, r.Version = status.NewBoot(), 1, usage.Version
		data, err := usage.Encode(r)
		if err != nil {
			t.Errorf("after %s: %v", jump, err)
			continue
		}
		if got, err := usage.Decode(data); err != nil || got.Sum() != 7 || !got.To.Equal(began.Add(jump)) {
			t.Errorf("after %s: %+v, %v", jump, got, err)
		}
	}
}

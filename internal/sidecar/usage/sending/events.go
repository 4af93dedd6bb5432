package sending

import (
	"github.com/flagside/flagside/internal/sidecar/usage/events"
	"github.com/flagside/flagside/sync/usage"
)

// addEvents adds the oldest events to a report, up to eventsAtOnce.
func addEvents(r *usage.Report, from *events.Recorder) {
	exposures, outcomes := from.Collect(eventsAtOnce)
	for i := range exposures {
		r.Exposures = append(r.Exposures, usage.Exposure(exposures[i]))
	}
	for i := range outcomes {
		r.Outcomes = append(r.Outcomes, usage.Outcome(outcomes[i]))
	}
}

// addLost adds to a report what there was no room for.
func addLost(r *usage.Report, lost events.Lost) {
	r.Lost.Exposures += lost.Exposures
	r.Lost.Outcomes += lost.Outcomes
}

package sinks

import (
	"fmt"
	"time"
)

// lostShown is how long it is shown that reports were lost.
const lostShown = 24 * time.Hour

// Late says which sinks have not got reports for longer than they should, a line for each environment.
func (s *Service) Late(now time.Time) (lines []string) {
	for _, r := range s.all() {
		k := r.known()
		if k.oldest.IsZero() || now.Sub(k.oldest) < r.sink.Every+s.timing.late {
			continue
		}
		line := fmt.Sprintf("sink %s (%s), environment %s: %d reports wait, the oldest for %s", r.tally.sink, r.where, r.environment, k.reports, now.Sub(k.oldest).Round(time.Second))
		if k.err != nil {
			line += ": " + k.err.Error()
		}
		lines = append(lines, line)
	}
	return lines
}

// Lost says which sinks have not got reports that are gone, a line for each environment.
func (s *Service) Lost(now time.Time) (lines []string) {
	for _, r := range s.all() {
		if at := r.known().lost; now.Sub(at) < lostShown {
			lines = append(lines, fmt.Sprintf("sink %s, environment %s: reports were removed before it had them, seen at %s",
				r.tally.sink, r.environment, at.UTC().Format(time.RFC3339)))
		}
	}
	return lines
}

// Refused returns why the newest file of sinks is not in use, or nil.
func (s *Service) Refused() error {
	if s.options.File == nil {
		return nil
	}
	return s.options.File.Err()
}

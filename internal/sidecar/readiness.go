package sidecar

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// DefaultReadyWhen is readiness as soon as there is anything to answer from.
const DefaultReadyWhen = "any"

// readyWhen is what readiness demands beyond something to answer from.
type readyWhen struct {
	live  bool          // the serving state must be live
	fresh time.Duration // knowledge must not be older; 0 is any age
}

// parseReadyWhen decodes any, live, or fresh: and a duration.
func parseReadyWhen(s string) (readyWhen, error) {
	age, fresh := strings.CutPrefix(s, "fresh:")
	switch {
	case s == DefaultReadyWhen:
		return readyWhen{}, nil
	case s == "live":
		return readyWhen{live: true}, nil
	case !fresh:
		return readyWhen{}, fmt.Errorf("--ready-when: %q is unknown: give any, live or fresh:DURATION, such as fresh:30s", s)
	}
	limit, err := time.ParseDuration(age)
	if err != nil || limit < silenceLimit {
		return readyWhen{}, fmt.Errorf("--ready-when: %q is no duration of %s or more: give one such as fresh:30s", s, silenceLimit)
	}
	return readyWhen{fresh: limit}, nil
}

// unmet returns why the demand is not met, "" if it is.
func (r readyWhen) unmet(f *facts) string {
	switch {
	case r.live && f.serving() != servingLive:
		return fmt.Sprintf("answers come from %s, and readiness demands that they are live", f.serving())
	case r.fresh > 0 && f.age.estimated:
		return fmt.Sprintf("nothing has confirmed the flags since the start, and readiness demands that this was at most %s ago", r.fresh)
	case r.fresh > 0 && !f.log.AgeKnown:
		return fmt.Sprintf("the age of the flags is unknown, and readiness demands at most %s", r.fresh)
	case r.fresh > 0 && f.log.Age > r.fresh:
		return fmt.Sprintf("the flags were confirmed %s ago, and readiness demands at most %s", f.log.Age.Round(time.Second), r.fresh)
	default:
		return ""
	}
}

// catchUpLook is how often the follower is looked at while it catches up.
const catchUpLook = 2 * time.Millisecond

// catchUp waits until the state of the log is served, but only as long as the grace allows and there is hope: no longer once the
// connection was refused.
func (s *Sidecar) catchUp(ctx context.Context) {
	defer close(s.caughtUp)
	defer s.started.Store(true)
	ctx, cancel := context.WithTimeout(ctx, s.options.CatchUpGrace)
	defer cancel()
	look := time.NewTicker(catchUpLook)
	defer look.Stop()
	for ctx.Err() == nil && s.mayCatchUp() {
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// mayCatchUp reports whether the log may be complete in a moment.
func (s *Sidecar) mayCatchUp() bool {
	l := s.link.Load()
	if l == nil {
		return true // still dialling
	}
	status := l.follower.Status()
	return status.Connected && !status.Synced && !status.StreamMissing
}

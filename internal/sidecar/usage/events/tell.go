package events

import (
	"encoding/hex"
	"time"

	"github.com/flagside/flagside/eval"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
)

// Tell takes over what an application tells. With ErrFull or ErrRate it takes nothing, and the outcomes count as lost. accepted is how many events were taken, those of subjects outside of the
// share among them. The others are exposures that cannot be: of flags that are not in rules or do not ask for them, of other variants than theirs,
// without a key, or without room. The recorder must not be nil.
func (r *Recorder) Tell(all []Event, rules *eval.Ruleset, a counting.Application, now time.Time) (accepted int, err error) {
	outcomes := make([]outcome, 0, len(all))
	for i := range all {
		if e := &all[i]; e.Exposure == nil {
			accepted++
			if one, chosen := r.outcomeOf(e, a, now); chosen {
				outcomes = append(outcomes, one)
			}
		}
	}
	if err := r.keepOutcomes(outcomes, now); err != nil {
		return 0, err
	}
	for i := range all {
		if e := &all[i]; e.Exposure != nil && r.shown(e, rules, a, now) {
			accepted++
		}
	}
	return accepted, nil
}

// outcomeOf returns what is reported of an event, and whether its subject is of the share.
func (r *Recorder) outcomeOf(e *Event, a counting.Application, now time.Time) (one outcome, chosen bool) {
	one = outcome{Outcome: Outcome{At: now.UTC(), Event: e.Event, Value: e.Value, Error: e.Error, Flags: e.Flags}, application: a}
	if k := r.current(); k != nil && e.TargetingKey != "" {
		sum := k.hasher.Subject(e.TargetingKey)
		one.Subject = hex.EncodeToString(sum[:])
		return one, r.chosen(&sum)
	}
	return one, true
}

// shown notes an exposure that a client tells, and reports whether it could.
func (r *Recorder) shown(e *Event, rules *eval.Ruleset, a counting.Application, now time.Time) bool {
	if rules == nil {
		return false
	}
	flag := rules.Flag(e.Exposure.Flag)
	if flag == nil || !flag.Exposures() {
		return false
	}
	variant := flag.Variant(e.Exposure.Variant)
	if variant == nil {
		return false
	}
	g := given{flag: flag, variant: variant, revision: flag.Revision()}
	if e.Exposure.Version > 0 {
		g.revision = e.Exposure.Version
	}
	return r.note(g, e.TargetingKey, a, now)
}

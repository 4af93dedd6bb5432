package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/flagside/flagside/eval"
)

// Told is what was last told of a flag that is not active.
type Told struct {
	Stage Stage
	Since time.Time
	// Revision is that of its document; 0 if the settings have changed since.
	Revision uint64
}

// holds reports whether a flag that is found at a stage is still where it was told to be. Without another document or other settings a life only
// goes forward: of two publishers whose clocks differ, the one that is behind has nothing to tell.
func (t Told) holds(f *eval.Flag, stage Stage) bool {
	return stage == cmp.Or(t.Stage, Active) || t.Revision == f.Revision() && rank(stage) < rank(t.Stage)
}

// rank orders the stages of a flag that exists.
func rank(s Stage) int { return slices.Index([]Stage{Active, Stale, Expiring, Expired}, s) }

// Transition is a flag that went from one stage to another.
type Transition struct {
	Key  string
	Flag *eval.Flag // nil of one that was archived
	To   Stage
	// Since is when that was: by its expires, or when it was noticed.
	Since time.Time
}

// Transitions returns what is to be told, in the order of the keys: flags whose stage is not what was last told of them. Flags of which nothing
// was told were active. Of flags that are archived, those are told that were not active.
func Transitions(standings []Standing, told map[string]Told, s Settings, now time.Time) []Transition {
	var news []Transition
	seen := make(map[string]bool, len(told))
	for _, standing := range standings {
		key := standing.Flag.Key()
		before, known := told[key]
		if known {
			seen[key] = true
		}
		if !before.holds(standing.Flag, standing.Stage) {
			news = append(news, Transition{Key: key, Flag: standing.Flag, To: standing.Stage, Since: standing.since(s, now)})
		}
	}
	if len(seen) < len(told) {
		for key := range told {
			if !seen[key] {
				news = append(news, Transition{Key: key, To: Archived, Since: now.UTC()})
			}
		}
	}
	slices.SortFunc(news, func(a, b Transition) int { return cmp.Compare(a.Key, b.Key) })
	return news
}

// since is when a flag came to its stage, as far as its document tells; otherwise now.
func (s Standing) since(settings Settings, now time.Time) time.Time {
	switch s.Stage {
	case Expired:
		return s.Flag.Expires().UTC()
	case Expiring:
		return s.Flag.Expires().Add(-settings.ExpiringWithin).UTC()
	default:
		return now.UTC()
	}
}

// Counts returns how many flags are at each stage, with those that have none.
func Counts(standings []Standing) map[Stage]int {
	counts := map[Stage]int{Active: 0, Stale: 0, Expiring: 0, Expired: 0}
	for _, s := range standings {
		counts[s.Stage]++
	}
	return counts
}

// OldestExpiry returns when the flag expired that did first; zero if none has.
func OldestExpiry(standings []Standing) time.Time {
	var oldest time.Time
	for _, s := range standings {
		if at := s.Flag.Expires(); s.Stage == Expired && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest
}

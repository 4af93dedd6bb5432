package folding

import (
	"time"

	"github.com/flagside/flagside/internal/publisher/usage"
	"github.com/flagside/flagside/sync/series"
)

// Known is what is known about the usage of an environment. It is immutable. The zero value knows nothing.
type Known struct {
	// Read tells that the series were read.
	Read bool
	// Place tells how far reports were folded. Its Boots are left out.
	Place usage.Place
	// FoldedUntil is the time up to which all reports that had come were folded.
	FoldedUntil time.Time
	// Waiting is how many reports have come and were not folded, and Since when the first of them did, about.
	Waiting      uint64
	WaitingSince time.Time
	// Clients has how many clients evaluate by themselves now, by application.
	Clients map[string]int
	// ClientsSeen has when there were some last, by application.
	ClientsSeen map[string]time.Time
	// Uses has when the variants of each flag were used last, by flag.
	Uses map[string][]Use
	// State is that of the streams.
	State series.State
	// Err is why the last attempt to fold failed, since when attempts do; nil if it did not.
	Err    error
	Failed time.Time
}

// Use is when an application got a variant last.
type Use struct {
	usage.Use

	// Asked is when the flag was asked for, and Bulk when it was among all flags; zero is never.
	Asked, Bulk time.Time
}

// Known returns what is known. It is never nil.
func (f *Folder) Known() *Known { return f.known.Load() }

// publish lets others know what was folded.
func (f *Folder) publish(state series.State, now time.Time) {
	before := f.known.Load()
	k := &Known{Read: true, Place: f.fold.Place, State: state, Clients: f.fold.Place.ClientsNow(), ClientsSeen: make(map[string]time.Time), Err: before.Err, Failed: before.Failed}
	k.Place.Boots = nil
	if covered := k.Place.Covered; covered < state.Last {
		k.Waiting = state.Last - covered
		k.FoldedUntil, k.WaitingSince = k.Place.Until, now
		if before.Waiting > 0 && before.Place.Covered == covered {
			k.WaitingSince = before.WaitingSince
		}
	} else {
		k.FoldedUntil = now
	}
	for c, at := range f.fold.Last.Clients {
		if seen := time.Unix(at, 0).UTC(); seen.After(k.ClientsSeen[c.Application]) {
			k.ClientsSeen[c.Application] = seen
		}
	}
	if before.Read && before.Place.Covered == k.Place.Covered && before.Place.Source == k.Place.Source {
		k.Uses = before.Uses
	} else {
		k.Uses = usesOf(f.fold.Last)
	}
	f.known.Store(k)
}

func usesOf(l *usage.Last) map[string][]Use {
	all := make(map[string][]Use)
	for u, t := range l.Uses {
		all[u.Flag] = append(all[u.Flag], Use{Use: u, Asked: timeOf(t.Asked), Bulk: timeOf(t.Bulk)})
	}
	return all
}

func timeOf(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// note keeps what became of a round, and logs when that changes.
func (f *Folder) note(err error) {
	k := *f.known.Load()
	switch {
	case err == nil:
		if k.Err != nil {
			f.options.Logger.Info().Msg("usage is folded again")
		}
		k.Err, k.Failed = nil, time.Time{}
	case k.Failed.IsZero():
		f.options.Logger.Warn().Err(err).Msg("usage not folded, trying again")
		k.Err, k.Failed = err, time.Now()
	default:
		k.Err = err
	}
	f.known.Store(&k)
}

// CompleteSince reports whether everything since a time is known: counts go back to it, nothing was lost that is known of, no client
// evaluated by itself, and none kept an answer that no count tells of.
func (k *Known) CompleteSince(t time.Time) bool {
	if !k.Read || k.Place.Since.IsZero() || k.Place.Since.After(t) {
		return false
	}
	for _, at := range []time.Time{k.Place.LostAt, k.Place.MissedAt, k.Place.MalformedAt, k.Place.UnchangedAt} {
		if at.After(t) {
			return false
		}
	}
	for _, at := range k.ClientsSeen {
		if at.After(t) {
			return false
		}
	}
	return true
}

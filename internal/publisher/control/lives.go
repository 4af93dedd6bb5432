package control

import (
	"context"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// livesInterval is how often it is looked at the lives of flags while nothing changes; when something has, at the next sweep.
	livesInterval = time.Minute
	// cutoffInterval is how long it is known which revisions are old.
	cutoffInterval = time.Hour
	// restAfterLook is how many times as long as a look took none follows.
	restAfterLook = 20
	// eventsOfOneLook bounds how many events one look may record. What is left is told by the next one.
	eventsOfOneLook = 4
)

// lives are what a publisher knows of the lives of flags beside the ledger. The zero value knows nothing.
type lives struct {
	mu       sync.Mutex
	looked   lookedAt
	cutoff   cutoff
	counts   map[lifecycle.Stage]int // nil before the first look
	oldest   time.Time               // when the flag expired that did first
	failures map[string]failure      // of what a policy wants, by the key of the flag
	rest     time.Time               // no look before, by the clock of the process
}

// lookedAt is what was known when it was looked the last time.
type lookedAt struct {
	position changelog.Position
	sequence uint64
	at       time.Time
}

// cutoff is a revision up to which everything was old at a time.
type cutoff struct {
	epoch    changelog.Epoch
	after    time.Duration
	at       time.Time
	revision uint64
}

// Lives are how many flags are at each stage, as far as it is known here.
type Lives struct {
	Counts map[lifecycle.Stage]int // nil while it is not known
	// OldestExpiry is for how long the flag is expired that expired first; 0 if none is.
	OldestExpiry time.Duration
	// Failures say what a policy wanted and could not do, again and again, a sentence each.
	Failures []string
}

// Lives returns what the last look at the lives of flags has found.
func (s *Service) Lives() Lives {
	s.lives.mu.Lock()
	defer s.lives.mu.Unlock()
	l := Lives{Counts: s.lives.counts, Failures: s.lives.failed()}
	if !s.lives.oldest.IsZero() {
		l.OldestExpiry = max(0, s.options.Now().Sub(s.lives.oldest))
	}
	return l
}

// live tells which flags went from one stage of their lives to another, and does what the policy of the environment wants of expired ones. Each
// publisher does it; the ledger tells what others have done already.
func (s *Service) live(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	state, err := s.Known()
	if err != nil || s.options.Store.Refused() != nil {
		return
	}
	looking := lookedAt{position: state.Position(), sequence: s.ledger.sequence(), at: now}
	if !s.lives.due(looking) {
		return
	}
	policy, automatic := s.automatic()
	unchanged, err := s.unchanged(ctx, state, policy.Settings(), now)
	if err != nil {
		return
	}
	begun := time.Now()
	standings := lifecycle.Of(state.Rules().Flags(), unchanged, policy.Settings(), now)
	s.lives.note(standings, time.Since(begun))
	told := s.tellLives(ctx, standings, unchanged, policy.Settings(), now)
	if s.actOnExpired(ctx, expiry{policy: policy, automatic: automatic, now: now}) && told {
		s.lives.finish(looking)
	}
}

// due reports whether there may be news.
func (l *lives) due(now lookedAt) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.rest) {
		return false
	}
	before := l.looked
	return before.position != now.position || before.sequence != now.sequence || now.at.Sub(before.at) >= livesInterval || now.at.Before(before.at)
}

func (l *lives) finish(looked lookedAt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looked = looked
}

// note takes note of what a look has found, and of how long that took: looks at many flags that change all the time are not to cost much.
func (l *lives) note(standings []lifecycle.Standing, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = time.Now().Add(restAfterLook * took)
	l.counts, l.oldest = lifecycle.Counts(standings), lifecycle.OldestExpiry(standings)
}

// lifecyclePolicy returns the policy that holds, as far as it is known here.
func (s *Service) lifecyclePolicy() lifecycle.Policy {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.ledger.governance.Lifecycle()
}

// unchanged returns a revision up to which nothing was changed for as long as it takes to become stale. It may be an hour late.
func (s *Service) unchanged(ctx context.Context, state decide.State, settings lifecycle.Settings, now time.Time) (uint64, error) {
	wanted := cutoff{epoch: state.Position().Epoch, after: settings.StaleAfter}
	s.lives.mu.Lock()
	known := s.lives.cutoff
	s.lives.mu.Unlock()
	if age := now.Sub(known.at); known.epoch == wanted.epoch && known.after == wanted.after && age >= 0 && age < cutoffInterval {
		return known.revision, nil
	}
	revision, err := s.RevisionBefore(ctx, now.Add(-settings.StaleAfter))
	if err != nil {
		return 0, err
	}
	wanted.at, wanted.revision = now, revision
	s.lives.mu.Lock()
	defer s.lives.mu.Unlock()
	s.lives.cutoff = wanted
	return revision, nil
}

// tellLives records which flags came to another stage than was last told, and reports whether all of it is recorded.
func (s *Service) tellLives(ctx context.Context, standings []lifecycle.Standing, unchanged uint64, settings lifecycle.Settings, now time.Time) bool {
	for range eventsOfOneLook {
		if !s.newLives(standings, settings, now) {
			return true
		}
		e, err := s.decideAndRecord(ctx, func(g *requests.Governance, state decide.State) (requests.Event, error) {
			if !g.Lifecycle().Settings().Same(settings) {
				return requests.Event{}, nil // the next look knows better
			}
			current := lifecycle.Of(state.Rules().Flags(), unchanged, settings, now)
			return requests.LifecycleEvent(lifecycle.Transitions(current, g.Told(), settings, now), now), nil
		})
		if err != nil || e.Type == "" {
			return false
		}
		s.options.Observer.Lived(e)
	}
	return !s.newLives(standings, settings, now)
}

// newLives reports whether something is to be told.
func (s *Service) newLives(standings []lifecycle.Standing, settings lifecycle.Settings, now time.Time) bool {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return len(lifecycle.Transitions(standings, s.ledger.governance.Told(), settings, now)) > 0
}

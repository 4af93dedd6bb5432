package control

import (
	"context"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

// FlagLife is where a flag is in its life, and what the policy of the environment wants of it.
type FlagLife struct {
	lifecycle.Standing

	// Since is when it came to its stage; zero if that is not told yet, or the flag is active.
	Since  time.Time
	Intent lifecycle.Intent
	// Request is the newest change request that a policy has opened for it, as it is now; its id is empty if there is none.
	Request requests.Request
	// Remembered tells that what the policy wants was proposed before, and rejected.
	Remembered bool
}

// LifecyclePolicy returns what holds for flags that grow old.
func (s *Service) LifecyclePolicy(ctx context.Context) (lifecycle.Policy, error) {
	if err := s.refresh(ctx); err != nil {
		return lifecycle.Policy{}, err
	}
	return s.lifecyclePolicy(), nil
}

// LastUse returns what tells when flags were asked for last, and whether everything is known since a time; nil if nothing is.
type LastUse func(since time.Time) (func(key string) (last time.Time, complete bool), error)

// LivesOf returns where all flags are in their lives now, in the order of their keys, by the policy that holds or by what change makes of it; nil
// changes nothing. Without a use, it is not known which flags are asked for.
func (s *Service) LivesOf(
	ctx context.Context, change func(lifecycle.Policy) (lifecycle.Policy, error), use LastUse,
) ([]FlagLife, lifecycle.Policy, error) {
	state, err := s.Current(ctx)
	if err != nil {
		return nil, lifecycle.Policy{}, err
	}
	policy, err := s.LifecyclePolicy(ctx)
	if err == nil && change != nil {
		policy, err = change(policy)
	}
	if err != nil {
		return nil, policy, err
	}
	now := s.options.Now()
	settings := policy.Settings()
	unchanged, err := s.RevisionBefore(ctx, now.Add(-settings.StaleAfter))
	if err == nil && use != nil {
		settings.LastUse, err = use(now.Add(-settings.StaleAfter))
	}
	if err != nil {
		return nil, policy, err
	}
	return s.livesOf(state, lifecycle.Of(state.Rules().Flags(), unchanged, settings, now), policy), policy, nil
}

func (s *Service) livesOf(state decide.State, standings []lifecycle.Standing, policy lifecycle.Policy) []FlagLife {
	dependants := lifecycle.Dependants(state.Rules().Flags())
	all := make([]FlagLife, len(standings))
	for i, standing := range standings {
		key := standing.Flag.Key()
		life := FlagLife{Standing: standing, Intent: policy.Intend(standing, dependants[key])}
		life.Since, life.Request = s.toldOf(state, standing)
		if life.Intent.Due() && life.Request.ID != "" && !life.Request.Waits() {
			spec, err := dueFlag{flag: standing.Flag, intent: life.Intent}.spec(state)
			life.Remembered = err == nil && remembered(life.Request, spec)
		}
		all[i] = life
	}
	return all
}

// toldOf returns since when a flag is at its stage, and the newest request that a policy has opened for it.
func (s *Service) toldOf(state decide.State, standing lifecycle.Standing) (since time.Time, r requests.Request) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	g := s.ledger.governance
	if told := g.Told()[standing.Flag.Key()]; told.Stage == standing.Stage {
		since = told.Since
	}
	if standing.Stage == lifecycle.Expired {
		since = standing.Flag.Expires()
	}
	if found, known := g.Automatic(standing.Flag.Key()); known {
		r = decide.Against(found, state)
	}
	return since, r
}

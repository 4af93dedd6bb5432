package publisher

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/usage/folding"
	"github.com/flagside/flagside/sync/series"
)

// DefaultUsageBytes is the room for the usage of one environment.
const DefaultUsageBytes = 1 << 30

// reportShare is the part of that room that is for reports which were not folded yet; the rest is for what they become.
const reportShare = 4

const (
	// inUseFor is how long after a flag was asked for it counts as in use.
	inUseFor = 7 * 24 * time.Hour
	// usageDelay is how old counts may be that nothing else is concluded from.
	usageDelay = 10 * time.Minute
	// usageLoss is for how long something that was not counted is a condition, and usageBehind after how long a standstill is one.
	usageLoss   = time.Hour
	usageBehind = 5 * time.Minute
)

// newFolder returns what folds the usage of an environment, nil if it is not kept.
func newFolder(e *environment, o Options) (*folding.Folder, error) {
	if o.UsageBytes < 0 {
		return nil, nil
	}
	return folding.New(folding.Options{
		Open:     func(ctx context.Context) (folding.Store, error) { return e.openSeries(ctx, o) },
		Interval: o.UsageInterval, Logger: e.logger,
	})
}

// openSeries opens the streams of the usage of the environment.
func (e *environment) openSeries(ctx context.Context, o Options) (*series.Store, error) {
	return series.Open(ctx, e.conn, series.Options{
		Environment: e.name, Replicas: e.replicas, ReportBytes: o.UsageBytes / reportShare, Bytes: o.UsageBytes - o.UsageBytes/reportShare,
	})
}

// foldUsage folds the usage of the environment until ctx ends.
func (e *environment) foldUsage(ctx context.Context) error {
	if e.usage == nil {
		return nil
	}
	return e.usage.Run(ctx)
}

// lately tells whether a flag was used in the last days. That it was not is known only if everything was counted.
func (e *environment) lately(flag string) risk.Use {
	if e.usage == nil {
		return risk.Use{}
	}
	return useOf(e.usage.Known(), flag, time.Now())
}

func useOf(k *folding.Known, flag string, now time.Time) (use risk.Use) {
	horizon := now.Add(-inUseFor)
	use.Known = k.CompleteSince(horizon) && k.FoldedUntil.After(now.Add(-usageDelay))
	for _, u := range k.Uses[flag] {
		switch {
		case u.Asked.After(horizon):
			use.InUse = true
			if u.Application != "" {
				use.By = append(use.By, u.Application)
			}
		case u.Bulk.After(horizon): // who asks for all flags may look at this one
			use.Known = false
		}
	}
	slices.Sort(use.By)
	use.By = slices.Compact(use.By)
	use.Known = use.Known || use.InUse
	return use
}

// Usage returns what the usage of an environment is read from, nil if it is not kept.
func (e *environments) Usage(_ context.Context, name string) (admin.Usage, error) {
	running, err := e.find(name)
	if err != nil || running.usage == nil {
		return nil, err
	}
	return running.usage, nil
}

// usageConditions adds what is wrong with the usage of environments.
func (p *Publisher) usageConditions(add func(c health.Code, detail string)) {
	now := time.Now()
	for _, e := range p.environments.all() {
		if e.usage == nil {
			continue
		}
		k := e.usage.Known()
		switch {
		case k.Err != nil && now.Sub(k.Failed) > usageBehind:
			add(health.UsageBehind, e.name+": "+k.Err.Error())
		case k.Waiting > 0 && now.Sub(k.WaitingSince) > usageBehind:
			add(health.UsageBehind, fmt.Sprintf("%s: %d reports wait", e.name, k.Waiting))
		}
		for what, at := range map[string]time.Time{
			"sidecars had no room for some counts": k.Place.LostAt, "reports were removed, or lost with their stream, before they were folded": k.Place.MissedAt,
			"reports could not be read": k.Place.MalformedAt,
		} {
			if now.Sub(at) < usageLoss {
				add(health.UsageIncomplete, e.name+": "+what)
			}
		}
	}
}

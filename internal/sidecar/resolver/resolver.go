// Package resolver is the one path behind every face of a sidecar: it takes the current view, decodes the evaluation context,
// evaluates and counts. A face translates a protocol to and from it.
package resolver

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
)

// ErrNotReady says that no complete set of flags is known yet.
var ErrNotReady = errors.New("no complete set of flags is known yet")

// Views gives the newest complete state of the environment, nil before the first.
type Views interface {
	View() *cache.View
}

// Resolver answers evaluations from the newest view. It is safe for concurrent use.
type Resolver struct {
	views  Views
	now    func() time.Time
	counts counts
	proven atomic.Bool
}

// New returns a resolver that answers from the newest of the views, reads the clock with now, usually time.Now, and registers its
// counters with metrics.
func New(views Views, now func() time.Time, metrics prometheus.Registerer) (*Resolver, error) {
	counts, err := newCounts(metrics)
	if err != nil {
		return nil, err
	}
	return &Resolver{views: views, now: now, counts: counts}, nil
}

// Ready returns nil once a complete set of flags is known and an evaluation of it has run, otherwise the reason why evaluations
// cannot be answered. The trial evaluation is not counted.
func (r *Resolver) Ready() error {
	if r.proven.Load() {
		return nil
	}
	view := r.views.View()
	if view == nil {
		return ErrNotReady
	}
	if err := try(view.Rules(), r.now()); err != nil {
		return err
	}
	r.proven.Store(true)
	return nil
}

// try evaluates the first flag, if there is one.
func try(rules *eval.Ruleset, now time.Time) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the trial evaluation failed: %v", v)
		}
	}()
	var c eval.Context
	if err := rules.DecodeContext(&c, nil); err != nil {
		return fmt.Errorf("the trial evaluation failed: %w", err)
	}
	if flags := rules.Flags(); len(flags) > 0 {
		flags[0].Evaluate(&c, now)
	}
	return nil
}

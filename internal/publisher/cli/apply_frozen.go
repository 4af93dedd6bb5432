package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/internal/publisher/source"
)

// keepFrozen lets the flags of a plan that the lifecycle policy has frozen stay as they are where it would freeze again what the files say. Else each
// run would undo that, for a moment. It returns what the source wants then, and whether that is something else.
func (a *applying) keepFrozen(ctx context.Context, live liveDocuments, wanted []document.Document, plan source.Plan) ([]document.Document, bool, error) {
	if !slices.ContainsFunc(plan.Changes(), changesFlag) {
		return wanted, false, nil
	}
	found, err := a.client.LifecyclePolicy(ctx, a.environment)
	if refused, ok := errors.AsType[*client.Error](err); ok && (refused.Status == http.StatusNotFound || refused.Status == http.StatusForbidden) {
		return wanted, false, nil // an older publisher, or not for this token: it is frozen again then
	}
	if err != nil {
		return nil, false, err
	}
	frozen := make(map[document.ID]bool)
	for _, f := range found.Flags {
		if f.Action == string(lifecycle.Freeze) && f.ActionState == "done" {
			frozen[document.ID{Kind: document.KindFlag, Key: f.Key}] = true
		}
	}
	again := againFrozen(policyOf(found.Policy), live.documents, wanted, time.Now())
	kept := slices.Clone(wanted)
	for _, c := range plan.Changes() {
		if !changesFlag(c) || !frozen[c.ID] || !again[c.ID] {
			continue
		}
		i := slices.IndexFunc(kept, func(d document.Document) bool { return d.ID() == c.ID })
		kept[i].Body = ownership.Unmarked(c.Before)
		a.frozen[c.Key] = true
	}
	a.report.Frozen = slices.Sorted(maps.Keys(a.frozen))
	return kept, len(a.frozen) > 0, nil
}

// changesFlag reports whether a change makes something else of a flag that exists.
func changesFlag(c source.Change) bool {
	return c.Kind == document.KindFlag && c.Before != nil && c.After != nil && !c.Adopts()
}

// againFrozen returns the flags of a source that a policy would freeze as the source has them.
func againFrozen(p lifecycle.Policy, live, wanted []document.Document, now time.Time) map[document.ID]bool {
	rules, _ := eval.New().Update(slices.Concat(live, wanted))
	again := make(map[document.ID]bool)
	for _, standing := range lifecycle.Of(rules.Flags(), 0, p.Settings(), now) {
		if intent := p.Intend(standing, nil); intent.Action == lifecycle.Freeze && intent.Due() {
			again[document.ID{Kind: document.KindFlag, Key: standing.Flag.Key()}] = true
		}
	}
	return again
}

// policyOf returns a lifecycle policy as the API has it.
func policyOf(p api.LifecyclePolicy) lifecycle.Policy {
	policy := lifecycle.Policy{ExpiringDays: p.ExpiringDays, StaleDays: p.StaleDays, OnExpiry: make(map[string]lifecycle.OnExpiry)}
	for kind, rule := range p.OnExpiry {
		policy.OnExpiry[kind] = lifecycle.OnExpiry{Action: lifecycle.Action(rule.Action), FreezeTo: rule.FreezeTo}
	}
	return policy
}

// frozenText says which flags stay frozen, nothing if none does.
func (a *applying) frozenText() (text string) {
	for _, key := range a.report.Frozen {
		text += fmt.Sprintf("\nflag %s stays frozen, because it has expired: make the files say so, or give it more time in expires", printable(key))
	}
	return text
}

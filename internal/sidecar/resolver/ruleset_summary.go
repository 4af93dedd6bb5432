package resolver

import "github.com/flagside/flagside/eval"

// rulesetSummary is what is known of a ruleset as a whole.
type rulesetSummary struct {
	generation uint64 // of the ruleset
	demand     demand // of all flags together
	whole      bool   // the newest version of every document is in use
}

// summaryOf returns the summary of the ruleset. It looks at every flag once per ruleset.
func (r *Resolver) summaryOf(rules *eval.Ruleset) *rulesetSummary {
	if known := r.summary.Load(); known != nil && known.generation == rules.Generation() {
		return known
	}
	s := &rulesetSummary{
		generation: rules.Generation(),
		demand:     demandOfFlags(rules, &Selector{}),
		whole:      rules.Problems().Err() == nil,
	}
	r.summary.Store(s)
	return s
}

// demandOfFlags returns what the selected flags demand together.
func demandOfFlags(rules *eval.Ruleset, s *Selector) demand {
	var all demand
	for _, flag := range rules.Flags() {
		if s.Selects(flag) {
			all = all.and(demandOf(flag))
		}
	}
	return all
}

package decide

import (
	"cmp"
	"slices"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

// Preview is what a command would do.
type Preview struct {
	Differences []Difference
	Risk        access.Risk
	// Refused is why it may not be written at once, also because a flag is in use; nil if it may.
	Refused *Refusal
	// Warnings are slips that would be tolerated.
	Warnings eval.Problems
}

// PreviewOf returns what a decision on a command would do, and whether that may be done at once.
func PreviewOf(g *requests.Governance, in DecisionInput, c Command, d Decision) Preview {
	k := in.check(g, d.Candidate)
	p := Preview{Risk: k.circumstances.Risk, Refused: cmp.Or(k.refusedAtOnce(), unused(in, c, d)), Warnings: d.Warnings()}
	for _, changed := range k.documents {
		live, _ := in.State.Document(changed.ID())
		p.Differences = append(p.Differences, Difference{ID: changed.ID(), Before: live.Body, After: changed.Body})
	}
	return p
}

// MayTake reports whether policies permit a principal a step with a change request, be it to propose, to approve or to apply it.
func MayTake(g *requests.Governance, in DecisionInput, r requests.Request) bool {
	k := in.checkRequest(g, r, nil)
	return slices.ContainsFunc([]access.Action{access.Propose, access.Approve, access.Apply}, func(a access.Action) bool { return k.answer(a).Permitted })
}

package control

import (
	"fmt"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

// inquiry asks policies about changes.
type inquiry struct {
	world         World
	protected     bool
	documents     []changelog.Document
	circumstances access.Circumstances
}

// ask returns an inquiry about documents that are to be changed; none means the environment itself.
func (w World) ask(g *Governance, documents []changelog.Document) *inquiry {
	return &inquiry{
		world: w, protected: g.risk.Protected, documents: documents,
		circumstances: access.Circumstances{Risk: Assess(w.State, documents, g.risk, w.Usage, w.Now)},
	}
}

// askAbout returns an inquiry about a request.
func (w World) askAbout(g *Governance, r Request) *inquiry {
	k := w.ask(g, r.Proposal.documents())
	k.circumstances.OwnRequest = r.Proposal.Author.ID == w.Origin.actor()
	return k
}

// about answers whether an action is permitted on every document. Of the approvals that some need, the most count.
func (k *inquiry) about(action access.Action) access.Answer {
	if k.world.Authorize == nil || k.world.Origin.Owner {
		return access.Answer{Permitted: true}
	}
	resources := []access.Resource{{Environment: k.world.Environment, Protected: k.protected}}
	if len(k.documents) > 0 {
		resources = resources[:0]
	}
	for _, d := range k.documents {
		resources = append(resources, resource(k.world.Environment, k.protected, k.world.State, d))
	}
	all := access.Answer{Permitted: true}
	for _, r := range resources {
		answer := k.world.Authorize(access.Question{
			Principal: k.world.Origin.Principal, Action: action, Resource: r, Circumstances: k.circumstances,
		})
		switch {
		case !answer.Permitted && answer.Approvals == 0:
			return answer
		case !answer.Permitted && (all.Permitted || answer.Approvals > all.Approvals):
			all = answer
		case all.Permitted:
			all.Policies = answer.Policies
		}
	}
	return all
}

// must refuses an action that is not permitted.
func (k *inquiry) must(action access.Action) error {
	if refusal := k.refused(action); refusal != nil {
		return refusal
	}
	return nil
}

// refused returns why an action is not permitted, nil if it is.
func (k *inquiry) refused(action access.Action) *Refusal {
	answer := k.about(action)
	if answer.Permitted {
		return nil
	}
	refusal := denied(action, k.documents, answer)
	refusal.Risk = k.circumstances.Risk
	return refusal
}

// denied returns the refusal of what policies do not permit.
func denied(action access.Action, documents []changelog.Document, answer access.Answer) *Refusal {
	r := &Refusal{Cause: CauseForbidden, Detail: fmt.Sprintf("You are not permitted to %s here.", action), Approvals: answer.Approvals}
	r.Action = &RefusedAction{Action: action, Policies: answer.Policies}
	if len(documents) > 0 {
		r.Action.Kind, r.Action.Key = string(documents[0].Kind), documents[0].Key
	}
	if answer.Approvals > 0 {
		r.Cause = CauseApprovalRequired
		r.Detail = fmt.Sprintf("This needs %d approvals in all: open a change request.", answer.Approvals)
	}
	return r
}

// forbidden returns a refusal that no policy can lift.
func forbidden(detail string) *Refusal {
	return &Refusal{Cause: CauseForbidden, Detail: detail}
}

// permit refuses the parts of a decision that the origin may not write at once: deletions are asked for as access.Archive.
func permit(g *Governance, w World, d Decision) *Refusal {
	var puts, deletions, all []changelog.Document
	for _, part := range d.Parts {
		all = append(all, part...)
	}
	for _, document := range all {
		if document.Body == nil {
			deletions = append(deletions, document)
		} else {
			puts = append(puts, document)
		}
	}
	if len(all) == 0 || w.Authorize == nil || w.Origin.Owner {
		return nil
	}
	k := w.ask(g, all)
	if k.documents = puts; len(puts) > 0 {
		if refusal := k.refused(access.Change); refusal != nil {
			return refusal
		}
	}
	if k.documents = deletions; len(deletions) > 0 {
		return k.refused(access.Archive)
	}
	return nil
}

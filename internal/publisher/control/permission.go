package control

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
)

// inquiry asks policies about changes.
type inquiry struct {
	world         World
	protected     bool
	documents     []document.Document
	after         *eval.Ruleset // with all that is to be changed
	circumstances access.Circumstances
}

// ask returns an inquiry about documents that are to be changed; none means the environment itself.
func (w World) ask(g *Governance, documents []document.Document) *inquiry {
	after, _, _ := candidate(w.State.Rules(), documents)
	return &inquiry{
		world: w, protected: g.risk.Protected, documents: documents, after: after,
		circumstances: access.Circumstances{Risk: Assess(w.State, documents, g.risk, w.Usage, w.Now)},
	}
}

// askAbout returns an inquiry about a request.
func (w World) askAbout(g *Governance, r Request) *inquiry {
	k := w.ask(g, r.concerned(w.State))
	k.circumstances.OwnRequest = r.Proposal.Author.ID == w.Origin.actor() || w.gone(r.Proposal.Author.ID)
	return k
}

// concerned returns the documents of a request as they are to become; once it has ended, those that still exist as they are.
func (r Request) concerned(s State) []document.Document {
	if !r.ended() && !r.Proposal.newEpoch() {
		return r.Proposal.documents()
	}
	var list []document.Document
	for _, c := range r.Proposal.Changes {
		if live, exists := s.Document(document.ID{Kind: c.Kind, Key: c.Key}); exists {
			list = append(list, live)
		}
	}
	return list
}

// about answers whether an action is permitted on every document. Of the approvals that some need, the most count.
func (k *inquiry) about(action access.Action) access.Answer {
	if k.world.Authorize == nil || k.world.Origin.Owner {
		return access.Answer{Permitted: true}
	}
	all := access.Answer{Permitted: true}
	for _, r := range k.resources() {
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

// resources returns the documents as policies see them: each as it is and, where policies can tell the difference, as it is to become.
// Without documents it is the environment. Settings that move flags into another flag set change those flags too.
func (k *inquiry) resources() []access.Resource {
	environment := access.Resource{Environment: k.world.Environment, Protected: k.protected}
	if len(k.documents) == 0 {
		return []access.Resource{environment}
	}
	var list []access.Resource
	for _, d := range k.documents {
		live, exists := k.world.State.Document(d.ID())
		before, after := resource(environment, live, k.world.State.Rules()), resource(environment, d, k.after)
		if exists {
			list = append(list, before)
		}
		if !exists || d.Body != nil && !reflect.DeepEqual(before, after) {
			list = append(list, after)
		}
		if d.Kind == document.KindSettings {
			list = append(list, k.moved(environment)...)
		}
	}
	return list
}

// moved returns the flags that lie in another flag set after the change and are not changed themselves, as they are and as they become.
func (k *inquiry) moved(environment access.Resource) []access.Resource {
	var list []access.Resource
	for before, after := range k.after.Difference(k.world.State.Rules()) {
		if before == nil || after == nil || before.SetID() == after.SetID() {
			continue
		}
		d := document.Document{Kind: document.KindFlag, Key: after.Key()}
		if slices.ContainsFunc(k.documents, func(changed document.Document) bool { return changed.ID() == d.ID() }) {
			continue
		}
		list = append(list, resource(environment, d, k.world.State.Rules()), resource(environment, d, k.after))
	}
	return list
}

// resource returns a document, which the rules contain, as policies see it.
func resource(r access.Resource, d document.Document, rules *eval.Ruleset) access.Resource {
	r.Kind, r.Key = string(d.Kind), d.Key
	if d.Kind != document.KindFlag {
		return r
	}
	flag := rules.Flag(d.Key)
	if flag == nil {
		return r
	}
	r.FlagSet, r.Owner, r.FlagKind, r.Tags = flag.SetID(), flag.Owner(), flag.Kind(), flag.Tags()
	return r
}

// must refuses an action that is not permitted.
func (k *inquiry) must(action access.Action) error {
	if refusal := k.refused(action); refusal != nil {
		return refusal
	}
	return nil
}

// refused returns why an action is not permitted; nil if it is, or if k is nil.
func (k *inquiry) refused(action access.Action) *Refusal {
	if k == nil {
		return nil
	}
	answer := k.about(action)
	if answer.Permitted {
		return nil
	}
	refusal := denied(action, k.documents, answer)
	refusal.Risk = k.circumstances.Risk
	return refusal
}

// denied returns the refusal of what policies do not permit.
func denied(action access.Action, documents []document.Document, answer access.Answer) *Refusal {
	r := &Refusal{Cause: CauseForbidden, Detail: fmt.Sprintf("You are not permitted to %s here.", action), Approvals: answer.Approvals}
	r.Action = &RefusedAction{Action: action, Policies: answer.Policies}
	if len(documents) > 0 {
		r.Action.Kind, r.Action.Key = string(documents[0].Kind), documents[0].Key
	}
	if answer.Approvals > 0 {
		r.Cause = CauseApprovalRequired
		r.Detail = fmt.Sprintf("This needs %s: open a change request.", approvals(answer.Approvals))
	}
	return r
}

// approvals says how many people must agree.
func approvals(n int) string {
	if n == 1 {
		return "the approval of another person"
	}
	return fmt.Sprintf("the approvals of %d other people", n)
}

// forbidden returns the refusal of something to be done to a request that no policy can permit.
func forbidden(action access.Action, r Request, detail string) *Refusal {
	refused := &RefusedAction{Action: action}
	if len(r.Proposal.Changes) > 0 { // a new epoch may change none
		refused.Kind, refused.Key = string(r.Proposal.Changes[0].Kind), r.Proposal.Changes[0].Key
	}
	return &Refusal{Cause: CauseForbidden, Detail: detail, Request: r.ID, Action: refused}
}

// permit refuses the parts of a decision that the origin may not write at once: deletions are asked for as access.Archive.
func permit(g *Governance, w World, d Decision) *Refusal {
	all := slices.Concat(d.Parts...)
	if w.Authorize == nil || w.Origin.Owner {
		return nil
	}
	k := w.ask(g, all)
	if len(all) == 0 { // that there is nothing to change tells what is there
		return k.refused(access.Read)
	}
	if refusal := k.among(puts).refused(access.Change); refusal != nil {
		return refusal
	}
	return k.among(deletions).refused(access.Archive)
}

func puts(d document.Document) bool { return d.Body != nil }

func deletions(d document.Document) bool { return d.Body == nil }

// among returns the inquiry about some of the documents; nil if there are none.
func (k *inquiry) among(which func(document.Document) bool) *inquiry {
	some := *k
	some.documents = nil
	for _, d := range k.documents {
		if which(d) {
			some.documents = append(some.documents, d)
		}
	}
	if some.documents == nil {
		return nil
	}
	return &some
}

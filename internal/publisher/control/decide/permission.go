package decide

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
)

// policyCheck asks policies about changes.
type policyCheck struct {
	in            DecisionInput
	protected     bool
	candidate     *Candidate // with all that is to be changed; nil if nothing is
	documents     []document.Document
	circumstances access.Circumstances
}

// check returns what asks policies about changes; a nil candidate means the environment itself.
func (in DecisionInput) check(g *requests.Governance, c *Candidate) *policyCheck {
	k := &policyCheck{in: in, protected: g.Risk().Protected, candidate: c}
	if c != nil {
		k.documents = c.Documents
		change := risk.Change{Before: in.State.Rules(), After: c.Rules, Documents: c.Documents}
		k.circumstances.Risk = risk.Assess(change, g.Risk(), in.Usage, in.Now)
	}
	return k
}

// checkRequest returns what asks policies about a request, of which something may be compiled already.
func (in DecisionInput) checkRequest(g *requests.Governance, r requests.Request, compiled *Candidate) *policyCheck {
	return in.checkDocuments(g, concerned(r, in.State), compiled).about(r, in.Origin)
}

// checkDocuments returns what asks policies about documents that are to be changed; none means the environment itself.
func (in DecisionInput) checkDocuments(g *requests.Governance, documents []document.Document, compiled *Candidate) *policyCheck {
	if len(documents) == 0 {
		return in.check(g, nil)
	}
	return in.check(g, compiled.Or(in.State, documents))
}

// about returns the check of what an origin does to a request.
func (k *policyCheck) about(r requests.Request, o Origin) *policyCheck {
	other := *k
	other.in.Origin = o
	other.circumstances.OwnRequest = r.Proposal.Author.ID == o.By() || k.in.gone(r.Proposal.Author.ID)
	return &other
}

// concerned returns the documents of a request as they are to become; once it has ended, those that still exist as they are.
func concerned(r requests.Request, s State) []document.Document {
	if !r.Ended() && !r.Proposal.BeginsEpoch() {
		return r.Proposal.Documents()
	}
	var list []document.Document
	for _, c := range r.Proposal.Changes {
		if live, exists := s.Document(document.ID{Kind: c.Kind, Key: c.Key}); exists {
			list = append(list, live)
		}
	}
	return list
}

// answer tells whether an action is permitted on every document. Of the approvals that some need, the most count.
func (k *policyCheck) answer(action access.Action) access.Answer {
	all := access.Answer{Permitted: true}
	for _, r := range k.resources() {
		answer := k.in.authorize(action, r, k.circumstances)
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
func (k *policyCheck) resources() []access.Resource {
	environment := access.Resource{Environment: k.in.Environment, Protected: k.protected}
	if len(k.documents) == 0 {
		return []access.Resource{environment}
	}
	var list []access.Resource
	for _, d := range k.documents {
		live, exists := k.in.State.Document(d.ID())
		before, after := resource(environment, live, k.in.State.Rules()), resource(environment, d, k.candidate.Rules)
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
func (k *policyCheck) moved(environment access.Resource) []access.Resource {
	var list []access.Resource
	for before, after := range k.candidate.Rules.Difference(k.in.State.Rules()) {
		if before == nil || after == nil || before.SetID() == after.SetID() {
			continue
		}
		d := document.Document{Kind: document.KindFlag, Key: after.Key()}
		if slices.ContainsFunc(k.documents, func(changed document.Document) bool { return changed.ID() == d.ID() }) {
			continue
		}
		list = append(list, resource(environment, d, k.in.State.Rules()), resource(environment, d, k.candidate.Rules))
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
func (k *policyCheck) must(action access.Action) error {
	if refusal := k.refused(action); refusal != nil {
		return refusal
	}
	return nil
}

// refused returns why an action is not permitted; nil if it is, or if k is nil.
func (k *policyCheck) refused(action access.Action) *Refusal {
	if k == nil {
		return nil
	}
	answer := k.answer(action)
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
	r.Action = &requests.RefusedAction{Action: action, Policies: answer.Policies}
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
func forbidden(action access.Action, r requests.Request, detail string) *Refusal {
	refused := &requests.RefusedAction{Action: action}
	if len(r.Proposal.Changes) > 0 { // a new epoch may change none
		refused.Kind, refused.Key = string(r.Proposal.Changes[0].Kind), r.Proposal.Changes[0].Key
	}
	return &Refusal{Cause: CauseForbidden, Detail: detail, Request: r.ID, Action: refused}
}

// Writable refuses a command that the origin cannot carry out at once.
func Writable(g *requests.Governance, in DecisionInput, c Command) error {
	decision, err := Change(in.State, c)
	if err != nil {
		return err
	}
	return Permit(g, in, decision)
}

// Permit refuses a decision that the origin may not write at once.
func Permit(g *requests.Governance, in DecisionInput, d Decision) error {
	if refusal := in.check(g, d.Candidate).refusedAtOnce(); refusal != nil {
		return refusal
	}
	return nil
}

// refusedAtOnce returns why the documents may not be written without a change request; nil if they may. What policies forbid comes before what tells
// who owns a document, and that before the approvals that something needs which no change request can do.
func (k *policyCheck) refusedAtOnce() *Refusal {
	refusal := k.refusedWrite()
	if refusal != nil && refusal.Cause != CauseApprovalRequired {
		return refusal
	}
	if owned := k.owned(false); owned != nil {
		return owned
	}
	return refusal
}

// refusedWrite returns why the documents may not be written at once; nil if they may. Deletions are asked for as access.Archive.
func (k *policyCheck) refusedWrite() *Refusal {
	if len(k.documents) == 0 { // that there is nothing to change tells what is there
		return k.refused(access.Read)
	}
	return k.refusedDocuments()
}

// refusedDocuments is refusedWrite of some documents.
func (k *policyCheck) refusedDocuments() *Refusal {
	if refusal := k.among(puts).refused(access.Change); refusal != nil {
		return refusal
	}
	return k.among(deletions).refused(access.Archive)
}

func puts(d document.Document) bool { return d.Body != nil }

func deletions(d document.Document) bool { return d.Body == nil }

// among returns the check of some of the documents; nil if there are none.
func (k *policyCheck) among(which func(document.Document) bool) *policyCheck {
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

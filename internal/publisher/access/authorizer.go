package access

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/cedar-policy/cedar-go"

	"github.com/flagside/flagside/sync/changelog"
)

// maxApprovals is the largest number of approvals that a policy can ask for.
const maxApprovals = 5

// What Answer.Policies names when no policy was asked.
const (
	// OutOfScope means that the token was made for less than this.
	OutOfScope = "token-scope"
	// Unauthenticated means that there is no principal.
	Unauthenticated = "unauthenticated"
)

// Authorizer answers questions by the policies that it was loaded with last.
type Authorizer struct {
	file   string
	loaded atomic.Pointer[policyText]
}

// NewAuthorizer returns an authorizer with the policies of a file; the empty name means the default policy. The error names each place
// in the file that is wrong.
func NewAuthorizer(file string) (*Authorizer, error) {
	a := &Authorizer{file: file}
	if err := a.Reload(); err != nil {
		return nil, err
	}
	return a, nil
}

// ParseAuthorizer returns an authorizer with the policies in text; name is what errors call it. Reload must not be used.
func ParseAuthorizer(name string, text []byte) (*Authorizer, error) {
	loaded, err := newPolicyText(name, text)
	if err != nil {
		return nil, err
	}
	a := &Authorizer{file: name}
	a.loaded.Store(loaded)
	return a, nil
}

// File returns the name of the policy file, empty for the default policy.
func (a *Authorizer) File() string { return a.file }

// Reload reads the policies again. When they are wrong, the former ones stay in force.
func (a *Authorizer) Reload() error {
	loaded, err := readPolicies(a.file)
	if err != nil {
		return err
	}
	a.loaded.Store(loaded)
	return nil
}

// Digest returns the SHA-256 of the text of the policies that are in force.
func (a *Authorizer) Digest() changelog.Digest { return a.loaded.Load().digest }

// Authorize answers a question. It is pure apart from which policies are loaded: the same question has the same answer. Anyone who breaks
// the glass must be permitted both that and the action itself.
func (a *Authorizer) Authorize(q Question) Answer {
	if q.Principal.PolicyID() == "" {
		return Answer{Policies: []string{Unauthenticated}}
	}
	if !q.Principal.Scope.covers(q.Action, q.Resource) {
		return Answer{Policies: []string{OutOfScope}}
	}
	if !slices.Contains(Actions(), q.Action) {
		return Answer{}
	}
	if q.Circumstances.BreakGlass && q.Action != BreakGlass {
		broken := q
		broken.Action = BreakGlass
		if answer := a.Authorize(broken); !answer.Permitted {
			return Answer{Policies: answer.Policies, Errors: answer.Errors}
		}
	}
	evaluation := newEvaluation(a.loaded.Load().policies, q)
	now := evaluation.decide(q.Circumstances.Approvals)
	if now.Permitted || len(now.Errors) > 0 {
		return now
	}
	for n := max(q.Circumstances.Approvals, 0) + 1; n <= maxApprovals; n++ {
		then := evaluation.decide(n)
		if !then.Permitted {
			continue
		}
		now.Approvals = n
		if len(now.Policies) == 0 { // no policy refuses: one permits only then
			now.Policies = then.Policies
		}
		return now
	}
	return now
}

// covers reports whether the scope leaves the action on the resource to the policies.
func (s Scope) covers(action Action, r Resource) bool {
	return (len(s.Environments) == 0 || slices.Contains(s.Environments, r.Environment)) &&
		(len(s.Actions) == 0 || slices.Contains(s.Actions, action))
}

// evaluation is a question in the terms of Cedar.
type evaluation struct {
	policies policies
	entities cedar.EntityMap
	request  cedar.Request
	question Question
}

// decide answers the question as if there were so many approvals.
func (e evaluation) decide(approvals int) Answer {
	e.request.Context = circumstances(e.question.Circumstances, approvals)
	decision, diagnostic := cedar.Authorize(e.policies, e.entities, e.request)
	answer := Answer{Permitted: decision == cedar.Allow}
	for _, reason := range diagnostic.Reasons {
		answer.Policies = append(answer.Policies, string(reason.PolicyID))
	}
	for _, failed := range diagnostic.Errors {
		answer.Errors = append(answer.Errors, fmt.Sprintf("%s: %s", failed.PolicyID, failed.Message))
		if e.policies[failed.PolicyID].Effect() == cedar.Forbid {
			if answer.Permitted {
				answer.Policies = nil
			}
			answer.Permitted = false
			answer.Policies = append(answer.Policies, string(failed.PolicyID))
		}
	}
	slices.Sort(answer.Policies)
	slices.Sort(answer.Errors)
	return answer
}

package access

import (
	"fmt"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/reload"
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

// policyPoll is how often a policy file is looked at.
const policyPoll = time.Second

// Authorizer answers questions by the policies that it was loaded with last. It is safe for concurrent use.
type Authorizer struct {
	file     string
	policies *reload.File[*policyText]
	tried    changelog.Digest // of the text that was loaded last, good or not
	seen     changelog.Digest // of the text when the file was looked at last
}

// NewAuthorizer returns an authorizer with the policies of a file; the empty name means the default policy. The error names each place
// in the file that is wrong. The logger gets what becomes of the file while Run reads it again.
func NewAuthorizer(file string, logger zerolog.Logger) (*Authorizer, error) {
	first, err := readPolicies(file)
	if err != nil {
		return nil, err
	}
	return newAuthorizer(file, first, logger), nil
}

func newAuthorizer(file string, first *policyText, logger zerolog.Logger) *Authorizer {
	a := &Authorizer{file: file, tried: first.digest}
	a.policies = reload.New(reload.Options[*policyText]{
		Subject: "the policy file", Interval: policyPoll, Load: a.load, Logger: logger.With().Str("policy", file).Logger(),
		Equal: func(a, b *policyText) bool { return a.digest == b.digest },
	}, first)
	return a
}

// ParseAuthorizer returns an authorizer with the policies in text, which are never read again; name is what errors call them.
func ParseAuthorizer(name string, text []byte) (*Authorizer, error) {
	loaded, err := newPolicyText(name, text)
	if err != nil {
		return nil, err
	}
	return newAuthorizer("", loaded, zerolog.Nop()), nil
}

// Look reads the policies again, which takes two looks: the first part of a file that is being written may permit what the rest forbids. When they
// are wrong, the former ones stay in force.
func (a *Authorizer) Look() { a.policies.Look() }

// Err returns why the newest policies are not in force, or nil.
func (a *Authorizer) Err() error { return a.policies.Err() }

// load returns the policies of a file that has changed and is no longer being written.
func (a *Authorizer) load() (*policyText, error) {
	if a.file == "" {
		return nil, reload.ErrUnchanged
	}
	text, err := readPolicyFile(a.file)
	now := changelog.Sum(text)
	if err != nil {
		now = changelog.Sum([]byte(err.Error()))
	}
	before := a.seen
	a.seen = now
	if now == a.tried || now != before {
		return nil, reload.ErrUnchanged
	}
	a.tried = now
	if err != nil {
		return nil, err
	}
	return newPolicyText(a.file, text)
}

// Digest returns the SHA-256 of the text of the policies that are in force.
func (a *Authorizer) Digest() changelog.Digest { return a.policies.Current().digest }

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
	evaluation := newEvaluation(a.policies.Current().policies, q)
	now := evaluation.decide(q.Circumstances.Approvals)
	if now.Permitted || len(now.Errors) > 0 {
		return now
	}
	last := now
	for n := max(q.Circumstances.Approvals, 0) + 1; n <= maxApprovals; n++ {
		then := evaluation.decide(n)
		if !then.Permitted {
			last = then
			continue
		}
		now.Approvals = n
		if len(now.Policies) == 0 { // no policy refuses: one permits only then
			now.Policies = then.Policies
		}
		return now
	}
	now.Policies = last.Policies // those that refuse it although others agree; none if no policy permits it
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

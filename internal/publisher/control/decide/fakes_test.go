package decide_test

import (
	"errors"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
	"github.com/flagside/flagside/sync/changelog"
)

// fakePrincipals answers what its fields say. Without one everything is permitted to all, as they are.
type fakePrincipals struct {
	authorize func(access.Question) access.Answer
	gone      func(id string) bool
	valid     func(access.Principal) (access.Principal, error)
	line      func(principal string) []string
}

func (p fakePrincipals) Authorize(q access.Question) access.Answer {
	if p.authorize == nil {
		return access.Answer{Permitted: true}
	}
	return p.authorize(q)
}

func (p fakePrincipals) Gone(id string) bool { return p.gone != nil && p.gone(id) }

func (p fakePrincipals) AuthorValid(who access.Principal) (access.Principal, error) {
	if p.valid == nil {
		return who, nil
	}
	return p.valid(who)
}

func (p fakePrincipals) Line(principal string) []string {
	if p.line == nil {
		return nil
	}
	return p.line(principal)
}

func person(id string) decide.Origin {
	return decide.Origin{Actor: id, Reason: "because", Principal: access.Principal{ID: id}}
}

func seen(revision uint64) decide.Precondition {
	return decide.Precondition{Match: changelog.Token{Epoch: statetest.Epoch.Short(), Revision: revision}}
}

func absent() decide.Precondition { return decide.Precondition{Absent: true} }

// isRefused tells for which cause something was refused.
func isRefused(err error, cause decide.Cause) bool {
	refusal, ok := errors.AsType[*decide.Refusal](err)
	return ok && refusal.Cause == cause
}

func codes(r access.Risk) []string {
	var list []string
	for _, reason := range r.Reasons {
		list = append(list, reason.Code)
	}
	return list
}

func doc(key string, body []byte) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Body: body}
}

// change returns the change that documents make to a state.
func change(s *statetest.State, documents ...document.Document) risk.Change {
	c := decide.Compile(s, documents)
	return risk.Change{Before: s.Rules(), After: c.Rules, Documents: c.Documents}
}

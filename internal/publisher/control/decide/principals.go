package decide

import (
	"slices"

	"github.com/flagside/flagside/internal/publisher/access"
)

// Principals tell what policies permit, and what is known of principals who do not ask themselves. Nothing waits.
type Principals interface {
	// Authorize answers what policies permit.
	Authorize(q access.Question) access.Answer
	// Gone reports whether an id is of a person who may be here again by another one.
	Gone(id string) bool
	// AuthorValid returns who made or approved a request, when that counts, as policies know the principal then; or why the principal no longer
	// counts: access.ErrRejected is for good, any other error may pass.
	AuthorValid(p access.Principal) (access.Principal, error)
	// Line returns the principals that a token was made by.
	Line(principal string) []string
}

// authorize answers what policies permit to the origin.
func (in DecisionInput) authorize(action access.Action, r access.Resource, c access.Circumstances) access.Answer {
	if in.Principals == nil || in.Origin.Owner {
		return access.Answer{Permitted: true}
	}
	return in.Principals.Authorize(access.Question{Principal: in.Origin.Principal, Action: action, Resource: r, Circumstances: c})
}

// gone reports whether an id is of a person who may be here again by another one.
func (in DecisionInput) gone(id string) bool {
	return in.Principals != nil && in.Principals.Gone(id)
}

// authorValid returns a principal as policies know them now, or why they no longer count.
func (in DecisionInput) authorValid(p access.Principal) (access.Principal, error) {
	if in.Principals == nil {
		return p, nil
	}
	return in.Principals.AuthorValid(p)
}

// descends reports whether a principal has a token that was made with that of another one, or with one that was.
func (in DecisionInput) descends(principal, from string) bool {
	return in.Principals != nil && slices.Contains(in.Principals.Line(principal), from)
}

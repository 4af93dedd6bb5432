package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	maxNameBytes  = 200
	maxMembership = 100 // groups, environments or actions of one token
)

// Token is an API token without its secret.
type Token struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Hint is how the secret ends, so that its owner recognises it.
	Hint    string    `json:"hint"`
	Groups  []string  `json:"groups"`
	Scope   Scope     `json:"scope,omitzero"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
	// Expires is when the token ends.
	Expires time.Time `json:"expires,omitzero"`
	// Revoked is when the token was revoked, and Revoker by whom; zero means that it was not.
	Revoked time.Time `json:"revoked,omitzero"`
	Revoker string    `json:"revoker,omitempty"`
}

// tokenPrincipal begins the ids of principals with an API token.
const tokenPrincipal = "token:"

// ended returns why the token is not accepted any more, as ErrRejected, or nil.
func (t Token) ended(now time.Time) error {
	switch {
	case !t.Revoked.IsZero():
		return rejected("the API token was revoked")
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return rejected("the API token has expired")
	}
	return nil
}

// principal is whom the token stands for.
func (t Token) principal() Principal {
	return Principal{ID: tokenPrincipal + t.ID, Name: t.Name, Kind: KindToken, Groups: slices.Clone(t.Groups), Scope: t.Scope.clone()}
}

func (s Scope) clone() Scope {
	return Scope{Environments: slices.Clone(s.Environments), Actions: slices.Clone(s.Actions)}
}

// NewToken says what a token is to be.
type NewToken struct {
	// Name tells people what the token is for; required.
	Name string
	// Groups are those of the principal; at least one.
	Groups []string
	// Scope narrows what the groups may do. It must be within that of the author.
	Scope Scope
	// Expires is when the token ends; zero means as late as it may.
	Expires time.Time
	// Why is recorded with the token.
	Why Why
}

// DefaultTokenLifetime is how long a token lasts at most.
const DefaultTokenLifetime = 366 * 24 * time.Hour

// expiry returns when the token ends, which is not after the latest time that it may.
func (n NewToken) expiry(latest time.Time) (time.Time, error) {
	switch {
	case n.Expires.IsZero():
		return latest, nil
	case n.Expires.After(latest):
		return time.Time{}, fmt.Errorf("the token would end at %s, and %s is the latest: tokens have a longest life, and outlive the one that they "+
			"are made with by nothing", n.Expires.UTC().Format(time.RFC3339), latest.Format(time.RFC3339))
	}
	return n.Expires.UTC(), nil
}

// validate returns why the author cannot have the token made.
func (n NewToken) validate(author Principal, now time.Time) error {
	switch {
	case strings.TrimSpace(n.Name) == "":
		return errors.New("a token needs a name that tells what it is for")
	case len(n.Groups) == 0:
		return errors.New("a token needs a group, or it may do nothing: the default policy has " +
			strings.Join([]string{RoleViewer, RoleEditor, RoleApprover, RoleAdmin}, ", "))
	case !n.Expires.IsZero() && !n.Expires.After(now):
		return fmt.Errorf("the token would have expired at %s already", n.Expires.UTC().Format(time.RFC3339))
	case !n.Scope.within(author.Scope):
		return errors.New("the token would reach more than the one that it is made with: narrow its environments and actions")
	}
	if err := validateName(n.Name); err != nil {
		return err
	}
	for what, all := range map[string][]string{"groups": n.Groups, "environments": n.Scope.Environments} {
		if len(all) > maxMembership {
			return fmt.Errorf("%d %s, at most %d are possible", len(all), what, maxMembership)
		}
		for _, one := range all {
			if err := validateName(one); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	for _, action := range n.Scope.Actions {
		if !slices.Contains(Actions(), action) {
			return fmt.Errorf("there is no action %q: the actions are %v", action, Actions())
		}
	}
	return nil
}

func validateName(name string) error {
	if name == "" || len(name) > maxNameBytes || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%.40q is empty, longer than %d bytes or has control characters", name, maxNameBytes)
	}
	return nil
}

// within reports whether the scope reaches nothing that the outer one does not.
func (s Scope) within(outer Scope) bool {
	return narrower(s.Environments, outer.Environments) && narrower(s.Actions, outer.Actions)
}

func narrower[T comparable](inner, outer []T) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(one T) bool { return !slices.Contains(outer, one) })
}

package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Grant is what is kept of how someone was let in once, so that it can be found out later whether they still would be. It holds no secret.
type Grant struct {
	// ID, Subject, Name, Kind, Groups and Scope are those of the principal.
	ID      string   `json:"id,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Name    string   `json:"name,omitempty"`
	Kind    Kind     `json:"kind"`
	Groups  []string `json:"groups,omitempty"`
	Scope   Scope    `json:"scope,omitzero"`
	// Fixed is the SHA-256 of a salt and a fixed token, for its holder.
	Fixed string `json:"fixed,omitempty"`
	// Settings is the SHA-256 of the settings of the issuer by which a person was let in.
	Settings string `json:"settings,omitempty"`
}

// Principal returns whom the grant was given to, as they were then.
func (g Grant) Principal() Principal {
	return Principal{ID: g.ID, Subject: g.Subject, Name: g.Name, Kind: g.Kind, Groups: g.Groups, Scope: g.Scope}
}

func grantTo(p Principal) Grant {
	return Grant{ID: p.ID, Subject: p.Subject, Name: p.Name, Kind: p.Kind, Groups: p.Groups, Scope: p.Scope}
}

// Admit returns the grant of the holder of an API token or a fixed token. A JSON Web Token is no such token: it is meant for minutes. The salt is a secret
// that Reaffirm is given again. The error is ErrRejected or ErrUnavailable.
func (a *Authenticator) Admit(token, salt string) (Grant, error) {
	p, isToken, err := a.tokenHolder(token)
	if !isToken {
		return Grant{}, rejected("it is no API token of this installation")
	}
	if err != nil {
		return Grant{}, err
	}
	g := grantTo(p)
	if _, fixed := a.fixedPrincipal(token); fixed {
		g.Fixed = salted(salt, token)
	}
	return g, nil
}

func salted(salt, secret string) string {
	sum := sha256.Sum256([]byte(salt + "\x00" + secret))
	return hex.EncodeToString(sum[:])
}

// Reaffirm returns the principal of a grant as it is now. The error is ErrRejected once its holder would not be let in any more, or not as the
// same: the token is revoked or has other groups, the person was erased, the issuer has other settings. It is ErrUnavailable while that cannot be found out.
func (a *Authenticator) Reaffirm(g Grant, salt string) (Principal, error) {
	switch {
	case g.Settings != "":
		return a.reaffirmPerson(g)
	case g.Fixed != "":
		return a.reaffirmFixed(g, salt)
	default:
		return a.reaffirmToken(g)
	}
}

func (a *Authenticator) reaffirmFixed(g Grant, salt string) (Principal, error) {
	for _, f := range a.fixed {
		if subtle.ConstantTimeCompare([]byte(salted(salt, f.Secret)), []byte(g.Fixed)) == 1 {
			return g.same(f.Principal)
		}
	}
	return Principal{}, rejected("the token that was used to sign in is not accepted any more")
}

func (a *Authenticator) reaffirmToken(g Grant) (Principal, error) {
	id, isToken := strings.CutPrefix(g.ID, tokenPrincipal)
	if !isToken || a.tokens == nil {
		return Principal{}, rejected("the token that was used to sign in is unknown")
	}
	if !a.tokens.ready() {
		return Principal{}, fmt.Errorf("%w: %w", ErrUnavailable, ErrNotReady)
	}
	stored, known := a.tokens.find(id)
	if !known {
		return Principal{}, rejected("the token that was used to sign in is unknown")
	}
	if err := a.tokens.ended(id); err != nil {
		return Principal{}, err
	}
	return g.same(stored.principal())
}

func (a *Authenticator) reaffirmPerson(g Grant) (Principal, error) {
	for _, i := range a.issuers {
		if i.SignIn == nil || i.settings() != g.Settings {
			continue
		}
		if g.ID != "" && !a.people.ready() {
			return Principal{}, fmt.Errorf("%w: the persons were not read yet", ErrUnavailable)
		}
		if g.ID != "" && a.people.Gone(g.ID) {
			return Principal{}, rejected("the person who signed in was erased")
		}
		return a.people.resolve(g.Principal()), nil
	}
	return Principal{}, rejected("the issuer by which the person signed in has other settings now")
}

// same returns what the principal is now if it may do what it could when it was let in.
func (g Grant) same(now Principal) (Principal, error) {
	if now.ID != g.ID || now.Kind != g.Kind || !slices.Equal(now.Groups, g.Groups) ||
		!slices.Equal(now.Scope.Environments, g.Scope.Environments) || !slices.Equal(now.Scope.Actions, g.Scope.Actions) {
		return Principal{}, rejected("the token that was used to sign in has other groups now")
	}
	return now, nil
}

// settings returns the SHA-256 of all that decides whom the issuer's tokens stand for.
func (i *issuer) settings() string {
	decisive := Issuer{Name: i.Name, URL: i.URL, Audiences: i.Audiences, NameClaim: i.NameClaim, GroupsClaim: i.GroupsClaim, Groups: i.Groups}
	if i.SignIn != nil {
		decisive.SignIn = &SignIn{ClientID: i.SignIn.ClientID}
	}
	text, err := json.Marshal(decisive, json.Deterministic(true))
	if err != nil {
		return "" // not for a struct of texts
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

package access

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// maxBearerBytes bounds the token of a request. Those of large issuers have a few thousand bytes.
const maxBearerBytes = 16 << 10

// minFixedBytes is how long a fixed token must be, so that it cannot be guessed.
const minFixedBytes = 32

// Errors of Authenticate.
var (
	// ErrNoCredentials means that the request has none. Answer 401, or let it read where anybody may.
	ErrNoCredentials = errors.New("the request has no bearer token: send one in the Authorization header")
	// ErrRejected means that the token is not one, or not any more. Answer 401; the error's text may be shown.
	ErrRejected = errors.New("the bearer token was not accepted")
	// ErrUnavailable means that it could not be found out who asks. Answer 503; the error's text is for operators.
	ErrUnavailable = errors.New("bearer tokens cannot be verified now")
)

func rejected(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRejected, fmt.Errorf(format, args...))
}

// FixedToken is a token that stands in no journal: the one that flagside dev prints, or the first one of an installation.
type FixedToken struct {
	// Secret has 32 bytes or more.
	Secret    string
	Principal Principal
}

// AuthenticatorOptions say whose tokens are accepted. Without any, no one is.
type AuthenticatorOptions struct {
	// Tokens are the API tokens; nil means none.
	Tokens *Tokens
	// Fixed are accepted besides.
	Fixed []FixedToken
	// Issuers are the OpenID Connect issuers whose tokens are accepted.
	Issuers []Issuer
	// People holds the ids of persons from the issuer; with nil, no person has an id.
	People *People
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Authenticator turns the credentials of a request into a principal.
type Authenticator struct {
	tokens  *Tokens
	people  *People
	fixed   []FixedToken
	issuers map[string]*issuer // by their URL
}

// NewAuthenticator validates the options. It asks no issuer yet: one that cannot be reached is asked again with the next of its tokens.
func NewAuthenticator(o AuthenticatorOptions) (*Authenticator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Authenticator{tokens: o.Tokens, people: cmp.Or(o.People, NewPeople()), fixed: o.Fixed, issuers: make(map[string]*issuer)}
	for _, f := range o.Fixed {
		if len(f.Secret) < minFixedBytes {
			return nil, fmt.Errorf("the token of %s is shorter than %d bytes and could be guessed: use a longer one", f.Principal.ID, minFixedBytes)
		}
		if f.Principal.ID == "" {
			return nil, errors.New("a fixed token needs a principal with an id")
		}
	}
	if err := validateIssuers(o.Issuers); err != nil {
		return nil, err
	}
	for _, i := range o.Issuers {
		made, err := newIssuer(i, o.Now)
		if err != nil {
			return nil, err
		}
		a.issuers[i.URL] = made
	}
	return a, nil
}

// Authenticate returns who sends a request, by the bearer token in its Authorization header (RFC 6750). The error is ErrNoCredentials,
// ErrRejected or ErrUnavailable.
func (a *Authenticator) Authenticate(r *http.Request) (Principal, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return Principal{}, err
	}
	if p, isToken, err := a.tokenHolder(token); isToken {
		return p, err
	}
	if strings.Count(token, ".") == 2 && len(a.issuers) > 0 {
		p, err := a.verify(r.Context(), token)
		return a.people.resolve(p), err
	}
	return Principal{}, rejected("it is neither an API token of this installation nor a JSON Web Token of an accepted issuer")
}

// tokenHolder returns the holder of a fixed token or of an API token; isToken is false for text that is neither.
func (a *Authenticator) tokenHolder(token string) (p Principal, isToken bool, err error) {
	if p, ok := a.fixedPrincipal(token); ok {
		return p, true, nil
	}
	if id, ok := splitSecret(token); ok && a.tokens != nil {
		p, err := a.tokens.authenticate(id, token)
		return p, true, err
	}
	return Principal{}, false, nil
}

// bearer returns the token in the Authorization header.
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	switch {
	case len(values) == 0:
		return "", ErrNoCredentials
	case len(values) > 1:
		return "", rejected("the request has several Authorization headers")
	case len(values[0]) > maxBearerBytes:
		return "", rejected("the Authorization header is longer than %d bytes", maxBearerBytes)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", rejected("the scheme of the Authorization header is not Bearer")
	}
	token = strings.Trim(token, " ")
	if token == "" || strings.ContainsFunc(token, foreign) {
		return "", rejected("the Authorization header has no token, or characters that no token has")
	}
	return token, nil
}

// foreign reports whether a character is none of those of a bearer token (RFC 6750, section 2.1).
func foreign(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~+/=", c)
}

// fixedPrincipal compares the token with all fixed ones, however they begin, in the same time.
func (a *Authenticator) fixedPrincipal(token string) (p Principal, found bool) {
	given := sha256.Sum256([]byte(token))
	for _, f := range a.fixed {
		want := sha256.Sum256([]byte(f.Secret))
		if subtle.ConstantTimeCompare(given[:], want[:]) == 1 {
			p, found = f.Principal, true
		}
	}
	return p, found
}

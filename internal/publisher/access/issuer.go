package access

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/config"
)

const (
	// issuerTimeout bounds one request to an issuer.
	issuerTimeout = 5 * time.Second
	// clockSkew is how far the clocks of an issuer and of this machine may be apart.
	clockSkew = 30 * time.Second
	// maxSubjectBytes bounds the subject of a token (OpenID Connect Core 1.0, section 2: 255 characters).
	maxSubjectBytes = 255
)

// Issuer is an OpenID Connect issuer whose tokens are accepted: an identity provider, or a Kubernetes cluster.
type Issuer struct {
	// Name begins what policies call the issuer's principals, "<name>:<subject>", so it must not change. Lower-case letters, digits and dashes.
	Name string `json:"name"`
	// URL is the issuer as it stands in the claim iss. Its discovery document is read from below it. https, unless on loopback.
	URL string `json:"url"`
	// Audiences are those that tokens may be made for; at least one.
	Audiences []string `json:"audiences"`
	// NameClaim is the claim that has a name for people; empty means name, preferred_username or email, whichever comes first.
	NameClaim string `json:"nameClaim,omitempty"`
	// GroupsClaim is the claim whose texts become groups of the principal as they are; empty means none.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Groups give further groups to principals.
	Groups []GroupRule `json:"groups,omitempty"`
	// CAFile has the CA certificates for the issuer; empty means those of the system.
	CAFile string `json:"caFile,omitempty"`
	// TokenFile has a bearer token for requests to the issuer, read each time; empty means none. Kubernetes may ask for one.
	TokenFile string `json:"tokenFile,omitempty"`
	// SignIn says how people sign in to the console by the issuer; nil means that they do not. One issuer may have it.
	SignIn *SignIn `json:"signIn,omitempty"`
}

// GroupRule gives a group to the principals in whose claim the value stands, alone or in a list.
type GroupRule struct {
	Group string `json:"group"`
	// Claim is the name of a claim, such as sub, or the JSON pointer (RFC 6901) of a nested one, such as /kubernetes.io/namespace.
	Claim string `json:"claim"`
	Value string `json:"value"`
}

// ParseIssuers reads issuers from a JSON array. Unknown members are an error.
func ParseIssuers(text []byte) ([]Issuer, error) {
	var all []Issuer
	if err := json.Unmarshal(text, &all, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("issuers: %w", err)
	}
	return all, validateIssuers(all)
}

func validateIssuers(all []Issuer) error {
	for i, issuer := range all {
		if err := issuer.validate(); err != nil {
			return fmt.Errorf("issuer %d (%q): %w", i+1, issuer.Name, err)
		}
		for _, other := range all[:i] {
			if other.Name == issuer.Name || other.URL == issuer.URL {
				return fmt.Errorf("issuer %d (%q): another issuer has the same name or URL: remove one", i+1, issuer.Name)
			}
			if other.SignIn != nil && issuer.SignIn != nil {
				return fmt.Errorf("issuer %d (%q): another issuer has signIn, and people sign in by one: remove it here or there", i+1, issuer.Name)
			}
		}
	}
	return nil
}

func (i Issuer) validate() error {
	reserved := []string{string(KindToken), string(KindDev), string(KindLocal), string(KindSource)}
	if i.Name == "" || strings.Trim(i.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || slices.Contains(reserved, i.Name) {
		return fmt.Errorf("the name must be lower-case letters, digits and dashes, and none of %v", reserved)
	}
	u, err := url.Parse(i.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not a URL such as https://issuer.example", i.URL)
	}
	if u.Scheme != "https" && !onLoopback(u) {
		return fmt.Errorf("the URL %q must begin with https://: otherwise an attacker on the network could forge every token", i.URL)
	}
	if len(i.Audiences) == 0 || slices.Contains(i.Audiences, "") {
		return errors.New("audiences is empty: name the audience of your tokens, or tokens for other programs would be accepted")
	}
	if i.SignIn != nil {
		if err := i.SignIn.validate(); err != nil {
			return fmt.Errorf("signIn: %w", err)
		}
	}
	for _, rule := range i.Groups {
		if rule.Group == "" || rule.Claim == "" || rule.Value == "" {
			return errors.New("each of groups needs a group, a claim and a value")
		}
		if strings.HasPrefix(rule.Claim, "/") && !jsontext.Pointer(rule.Claim).IsValid() {
			return fmt.Errorf("the claim %q is not a JSON pointer such as /groups", rule.Claim)
		}
	}
	return nil
}

// onLoopback reports whether a URL leads to this machine, where no one is between.
func onLoopback(u *url.URL) bool {
	return u.Scheme == "http" && config.LoopbackOnly(net.JoinHostPort(u.Hostname(), "0")) == nil
}

// issuer verifies the tokens of one issuer. Its keys are asked for when they are needed, and kept.
type issuer struct {
	Issuer

	now    func() time.Time
	client *http.Client

	mu    sync.Mutex // held while the discovery document is read
	keys  oidc.KeySet
	found discovery
}

func newIssuer(i Issuer, now func() time.Time) (*issuer, error) {
	transport, err := newTransport(i)
	if err != nil {
		return nil, fmt.Errorf("issuer %q: %w", i.Name, err)
	}
	return &issuer{Issuer: i, now: now, client: &http.Client{Transport: transport, Timeout: issuerTimeout}}, nil
}

// verify returns whom a JSON Web Token stands for.
func (a *Authenticator) verify(ctx context.Context, token string) (Principal, error) {
	named, err := issuerIn(token)
	if err != nil {
		return Principal{}, err
	}
	i, known := a.issuers[named]
	if !known {
		return Principal{}, rejected("the issuer %.100q is none of those that are accepted", named)
	}
	return i.verify(ctx, token)
}

// issuerIn returns the claim iss of a token that is not verified yet.
func issuerIn(token string) (string, error) {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		return "", rejected("the token is no JSON Web Token")
	}
	return claims.Issuer, nil
}

// algorithms are those by which a token may be signed: all that need a private key.
func algorithms() []string {
	return []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
	}
}

// verify returns whom a token stands for that is for us.
func (i *issuer) verify(ctx context.Context, token string) (Principal, error) {
	verified, claims, err := i.verified(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	return i.principal(verified, claims)
}

// verified returns what is in a token that the issuer has signed, for whomever and whenever.
func (i *issuer) verified(ctx context.Context, token string) (*oidc.IDToken, jsontext.Value, error) {
	keys, err := i.discovered(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: issuer %q: %w", ErrUnavailable, i.Name, err)
	}
	watched := &watchedKeys{KeySet: keys}
	// Time and audience are checked here: there may be several audiences, and clocks may differ.
	verifier := oidc.NewVerifier(i.URL, watched, &oidc.Config{
		SupportedSigningAlgs: algorithms(), SkipClientIDCheck: true, SkipExpiryCheck: true,
	})
	verified, err := verifier.Verify(ctx, token)
	if unreachable, ok := errors.AsType[*unreachableError](watched.err); ok {
		return nil, nil, fmt.Errorf("%w: issuer %q: %w", ErrUnavailable, i.Name, unreachable)
	}
	if err != nil {
		return nil, nil, rejected("its signature or form is wrong: %w", err)
	}
	var claims jsontext.Value
	if err := verified.Claims(&claims); err != nil {
		return nil, nil, rejected("its claims cannot be read: %w", err)
	}
	return verified, claims, nil
}

// watchedKeys remembers why no key was found, which the verifier says only in words.
type watchedKeys struct {
	oidc.KeySet

	err error
}

// VerifySignature implements oidc.KeySet.
func (w *watchedKeys) VerifySignature(ctx context.Context, token string) (payload []byte, err error) {
	payload, w.err = w.KeySet.VerifySignature(ctx, token)
	return payload, w.err
}

// discovered returns the keys of the issuer, once its discovery document (OpenID Connect Discovery 1.0) was read.
func (i *issuer) discovered(ctx context.Context) (oidc.KeySet, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.keys != nil {
		return i.keys, nil
	}
	// Others wait for the answer too, so it does not end with this request.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), i.client)
	provider, err := oidc.NewProvider(ctx, i.URL)
	if err != nil {
		return nil, fmt.Errorf("its discovery document cannot be read: %w", err)
	}
	var document discovery
	if err := provider.Claims(&document); err != nil {
		return nil, fmt.Errorf("its discovery document cannot be read: %w", err)
	}
	if !private(document.Keys) {
		return nil, fmt.Errorf("its discovery document names %.100q for its keys, which does not begin with https://", document.Keys)
	}
	i.keys, i.found = oidc.NewRemoteKeySet(ctx, document.Keys), document
	return i.keys, nil
}

// discovery is what is used of a discovery document.
type discovery struct {
	Keys          string   `json:"jwks_uri"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`
}

// private reports whether a URL is one whose traffic others cannot read.
func private(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || onLoopback(u))
}

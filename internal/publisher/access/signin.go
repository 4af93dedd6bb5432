package access

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// CallbackPath is the path, below the address of the API, to which an issuer sends people back.
const CallbackPath = "/console/callback"

// maxCodeBytes bounds what an issuer sends people back with.
const maxCodeBytes = 4 << 10

// SignIn says how people sign in to the console by an issuer, with an authorization code and PKCE (RFC 6749, RFC 7636).
type SignIn struct {
	// ClientID is what the issuer calls the console. ID tokens must be made for it alone.
	ClientID string `json:"clientId"`
	// ClientSecretFile has the secret of the client, read each time; empty means that the issuer has none of it.
	ClientSecretFile string `json:"clientSecretFile,omitempty"`
	// RedirectURL is where the issuer sends people back: the address of the console as browsers know it, with CallbackPath. https, unless on loopback.
	RedirectURL string `json:"redirectUrl"`
	// Scopes are asked for besides openid; empty means profile and email.
	Scopes []string `json:"scopes,omitempty"`
}

func (s SignIn) validate() error {
	if s.ClientID == "" {
		return errors.New("clientId is empty: register the console as a client of the issuer")
	}
	u, err := url.Parse(s.RedirectURL)
	if err != nil || !private(s.RedirectURL) || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != CallbackPath {
		return fmt.Errorf("redirectUrl %q must be https:// and the name by which browsers know the API, with the path %s", s.RedirectURL, CallbackPath)
	}
	return nil
}

// SignInSecrets are what one browser signs in with. All three are random and made for it.
type SignInSecrets struct {
	// State comes back with the code, Nonce in the ID token, and Verifier (RFC 7636) shows the issuer who asked for the code.
	State, Nonce, Verifier string
}

// CodeFlow is how people sign in by an issuer. It is safe for concurrent use.
type CodeFlow struct {
	issuer *issuer
	people *People
	client *http.Client // which asks as often as people sign in
}

// CodeFlow returns how people sign in by an issuer, nil if no issuer is for that.
func (a *Authenticator) CodeFlow() *CodeFlow {
	for _, i := range a.issuers {
		if i.SignIn == nil {
			continue
		}
		flow := &CodeFlow{issuer: i, people: a.people, client: &http.Client{Timeout: issuerTimeout, CheckRedirect: stay}}
		if t, ok := i.client.Transport.(*transport); ok {
			flow.client.Transport = t.base
		}
		return flow
	}
	return nil
}

// stay keeps the secret of the client from going elsewhere.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Issuer returns the name of the issuer.
func (f *CodeFlow) Issuer() string { return f.issuer.Name }

// Settings returns the SHA-256 of the settings of the issuer that decide whom its tokens stand for, as grants have it.
func (f *CodeFlow) Settings() string { return f.issuer.settings() }

// Begin returns the address of the issuer at which a person signs in. The error is ErrUnavailable.
func (f *CodeFlow) Begin(ctx context.Context, s SignInSecrets) (string, error) {
	config, err := f.config(ctx)
	if err != nil {
		return "", err
	}
	return config.AuthCodeURL(s.State, oauth2.SetAuthURLParam("nonce", s.Nonce), oauth2.S256ChallengeOption(s.Verifier)), nil
}

// Finish returns the grant of the person whom the issuer has sent back with a query. The error is ErrRejected or ErrUnavailable; it holds nothing of what
// the issuer and the browser sent but the code of the issuer's error.
func (f *CodeFlow) Finish(ctx context.Context, query url.Values, s SignInSecrets) (Grant, error) {
	code, err := f.code(query, s.State)
	if err != nil {
		return Grant{}, err
	}
	config, err := f.config(ctx)
	if err != nil {
		return Grant{}, err
	}
	token, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, f.client), code, oauth2.VerifierOption(s.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return Grant{}, rejected("issuer %q gave no token for the code: %.40q", f.issuer.Name, refused.ErrorCode)
	}
	if err != nil {
		return Grant{}, fmt.Errorf("%w: issuer %q gave no token for the code: it did not answer as it should", ErrUnavailable, f.issuer.Name)
	}
	text, _ := token.Extra("id_token").(string)
	if strings.Count(text, ".") != 2 || len(text) > maxBearerBytes {
		return Grant{}, rejected("issuer %q gave no ID token: does it know the scope openid?", f.issuer.Name)
	}
	return f.grant(ctx, text, s.Nonce)
}

// code returns the code in a query with which the issuer sends a person back (RFC 6749, section 4.1.2; RFC 9207 for iss).
func (f *CodeFlow) code(query url.Values, state string) (string, error) {
	if state == "" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) != 1 {
		return "", rejected("this browser has not begun to sign in, or has begun again since: sign in again")
	}
	if by := query.Get("iss"); by != "" && by != f.issuer.URL {
		return "", rejected("another issuer has answered")
	}
	if fault := query.Get("error"); fault != "" {
		return "", rejected("issuer %q did not let you in: %.40q", f.issuer.Name, fault)
	}
	code := query.Get("code")
	if code == "" || len(code) > maxCodeBytes {
		return "", rejected("issuer %q sent no code", f.issuer.Name)
	}
	return code, nil
}

// grant returns the grant of the person whom an ID token names that was made for the console and this browser (OpenID Connect Core 1.0, section 3.1.3.7).
func (f *CodeFlow) grant(ctx context.Context, text, nonce string) (Grant, error) {
	verified, claims, err := f.issuer.verified(ctx, text)
	if err != nil {
		return Grant{}, err
	}
	if !slices.Equal(verified.Audience, []string{f.issuer.SignIn.ClientID}) {
		return Grant{}, rejected("the ID token is made for %.100q and not for the console", verified.Audience)
	}
	if nonce == "" || subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(nonce)) != 1 {
		return Grant{}, rejected("the ID token was made for another browser: sign in again")
	}
	p, err := f.issuer.person(verified, claims)
	if err != nil {
		return Grant{}, err
	}
	g := grantTo(f.people.resolve(p))
	g.Settings = f.Settings()
	return g, nil
}

// config returns how to ask the issuer, with the present secret.
func (f *CodeFlow) config(ctx context.Context) (*oauth2.Config, error) {
	if _, err := f.issuer.discovered(ctx); err != nil {
		return nil, fmt.Errorf("%w: issuer %q: %w", ErrUnavailable, f.issuer.Name, err)
	}
	found := f.issuer.foundDocument()
	if !private(found.Authorization) || !private(found.Token) {
		return nil, fmt.Errorf("%w: issuer %q: its discovery document lacks authorization_endpoint or token_endpoint with https://", ErrUnavailable, f.issuer.Name)
	}
	settings := f.issuer.SignIn
	config := &oauth2.Config{
		ClientID: settings.ClientID, RedirectURL: settings.RedirectURL, Scopes: append([]string{"openid"}, settings.scopes()...),
		Endpoint: oauth2.Endpoint{AuthURL: found.Authorization, TokenURL: found.Token, AuthStyle: oauth2.AuthStyleInParams},
	}
	if settings.ClientSecretFile == "" {
		return config, nil
	}
	secret, err := readBounded(settings.ClientSecretFile, maxTokenFileBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: issuer %q: the client secret: %w", ErrUnavailable, f.issuer.Name, err)
	}
	config.ClientSecret = strings.TrimSpace(string(secret))
	// The first is what holds for an issuer that names none (OpenID Connect Discovery 1.0, section 3). Never both: the code counts once.
	if methods := found.Methods; len(methods) == 0 || slices.Contains(methods, "client_secret_basic") {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	return config, nil
}

func (s SignIn) scopes() []string {
	if len(s.Scopes) == 0 {
		return []string{"profile", "email"}
	}
	return slices.DeleteFunc(slices.Clone(s.Scopes), func(scope string) bool { return cmp.Or(scope, "openid") == "openid" })
}

// foundDocument returns what the discovery document says, once it was read.
func (i *issuer) foundDocument() discovery {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.found
}

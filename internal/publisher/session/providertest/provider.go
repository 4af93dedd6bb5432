// Package providertest is an identity provider for tests of signing in: with authorization codes and PKCE, over HTTP on this machine.
package providertest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/flagside/flagside/internal/publisher/access"
)

// ClientID is the client that the console is to the provider.
const ClientID = "flagside-console"

const clientSecret = "the-secret-of-the-client-topsecret"

// Provider is an identity provider at which one person, Ada, signs in without being asked. Create it with New. Safe for concurrent use.
type Provider struct {
	*httptest.Server

	t   testing.TB
	key *rsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values // what was asked for, by the code that was given for it
	claims map[string]any        // that ID tokens have in place of the right ones; nil removes one
	forge  func(token string) string
	given  int // codes that were exchanged
}

// New returns a provider that serves until the test ends.
func New(t testing.TB) *Provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{t: t, key: key, codes: make(map[string]url.Values)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *Provider) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		p.t.Error(err)
	}
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	p.answer(w, http.StatusOK, map[string]any{
		"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// authorize sends the browser back with a code.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" {
		p.t.Errorf("the authorization request is %v", q)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := rand.Text()
	p.codes[code] = q
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode(), http.StatusFound) //nolint:gosec // a provider in tests, which sends its caller where that asks
}

// token gives an ID token for a code, once.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	asked, known := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case id != ClientID || secret != clientSecret:
		p.answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	case !known || base64.RawURLEncoding.EncodeToString(challenge[:]) != asked.Get("code_challenge") || r.FormValue("redirect_uri") != asked.Get("redirect_uri"):
		p.answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	p.given++
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "sub": "8f3a", "aud": ClientID, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "nonce": asked.Get("nonce"),
		"name": "Ada", "groups": []string{access.RoleEditor},
	}
	maps.Copy(claims, p.claims)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	token := p.Sign(claims)
	if p.forge != nil {
		token = p.forge(token)
	}
	p.answer(w, http.StatusOK, map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": token})
}

// Sign returns a token that the provider has signed.
func (p *Provider) Sign(claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k"}}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// Set changes what ID tokens say, and how they are spoiled.
func (p *Provider) Set(claims map[string]any, forge func(string) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims, p.forge = claims, forge
}

// Given returns how many codes were exchanged.
func (p *Provider) Given() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.given
}

// Issuer is the provider as publishers are told of it.
func (p *Provider) Issuer(redirect string) access.Issuer {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "client-secret")
	if err := os.WriteFile(file, []byte(clientSecret+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return access.Issuer{
		Name: "corp", URL: p.URL, Audiences: []string{"api"}, GroupsClaim: "groups",
		SignIn: &access.SignIn{ClientID: ClientID, ClientSecretFile: file, RedirectURL: redirect},
	}
}

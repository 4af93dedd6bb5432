package access_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/waiting"
)

// testIssuer is an OpenID Connect issuer: discovery document and keys over TLS.
type testIssuer struct {
	*httptest.Server

	tb testing.TB

	mu      sync.Mutex
	down    bool
	wanted  string // Authorization header that requests must have; empty means none
	keys    []jose.JSONWebKey
	fetched int // how often the keys were
}

func newTestIssuer(tb testing.TB) *testIssuer {
	tb.Helper()
	i := &testIssuer{tb: tb}
	i.Server = httptest.NewTLSServer(i)
	tb.Cleanup(i.Close)
	i.rotate("first")
	return i
}

func (i *testIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var answer any
	switch {
	case i.down:
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	case r.Header.Get("Authorization") != i.wanted:
		http.Error(w, "who?", http.StatusUnauthorized)
		return
	case r.URL.Path == "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}}
	case r.URL.Path == "/keys":
		i.fetched++
		public := jose.JSONWebKeySet{}
		for _, k := range i.keys {
			public.Keys = append(public.Keys, k.Public())
		}
		answer = public
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		i.tb.Error(err)
	}
}

func (i *testIssuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

// rotate replaces the keys.
func (i *testIssuer) rotate(id string) {
	i.tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.tb.Fatal(err)
	}
	i.set(func() { i.keys = []jose.JSONWebKey{{Key: private, KeyID: id, Algorithm: string(jose.ES256)}} })
}

// claims returns good claims, changed; a nil value removes one.
func (i *testIssuer) claims(changes map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": i.URL, "sub": "u1", "aud": "flagside", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "name": "Ada",
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// sign returns a token with the claims, signed by the present key.
func (i *testIssuer) sign(claims map[string]any) string {
	i.tb.Helper()
	return signWith(i.tb, jose.SigningKey{Algorithm: jose.ES256, Key: i.keys[0]}, claims)
}

func signWith(tb testing.TB, key jose.SigningKey, claims map[string]any) string {
	tb.Helper()
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		tb.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// options accepts the tokens of the issuer.
func (i *testIssuer) options(tb testing.TB) access.Issuer {
	tb.Helper()
	ca := filepath.Join(tb.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return access.Issuer{Name: "corp", URL: i.URL, Audiences: []string{"other", "flagside"}, GroupsClaim: "groups", CAFile: ca}
}

func authenticator(tb testing.TB, o access.AuthenticatorOptions) *access.Authenticator {
	tb.Helper()
	a, err := access.NewAuthenticator(o)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// authenticate sends a bearer token.
func authenticate(tb testing.TB, a *access.Authenticator, token string) (access.Principal, error) {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return a.Authenticate(r)
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	a := authenticator(t, access.AuthenticatorOptions{Issuers: []access.Issuer{i.options(t)}})
	got, err := authenticate(t, a, i.sign(i.claims(map[string]any{"groups": []string{"b", "a", "b"}, "aud": []string{"x", "flagside"}})))
	want := access.Principal{Subject: "corp:u1", Name: "Ada", Kind: access.KindOIDC, Groups: []string{"a", "b"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// The token of a Kubernetes service account has no groups: rules give them.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte("pod-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.set(func() { i.wanted = "Bearer pod-token" })
	o := i.options(t)
	o.TokenFile = tokenFile
	o.GroupsClaim = ""
	o.Groups = []access.GroupRule{
		{Group: access.RoleEditor, Claim: "sub", Value: "system:serviceaccount:ci:deployer"},
		{Group: "ci", Claim: "/kubernetes.io/namespace", Value: "ci"},
		{Group: access.RoleAdmin, Claim: "/kubernetes.io/serviceaccount/name", Value: "someone"},
	}
	a := authenticator(t, access.AuthenticatorOptions{Issuers: []access.Issuer{o}})
	got, err := authenticate(t, a, i.sign(i.claims(map[string]any{
		"sub": "system:serviceaccount:ci:deployer", "name": nil, "aud": []string{"flagside"},
		"kubernetes.io": map[string]any{"namespace": "ci", "serviceaccount": map[string]any{"name": "deployer", "uid": "1"}},
	})))
	want := access.Principal{Subject: "corp:system:serviceaccount:ci:deployer", Kind: access.KindOIDC, Groups: []string{"ci", access.RoleEditor}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestHostileTokens(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	a := authenticator(t, access.AuthenticatorOptions{Issuers: []access.Issuer{i.options(t)}})
	if _, err := authenticate(t, a, i.sign(i.claims(nil))); err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(i.keys[0].Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	good := strings.Split(i.sign(i.claims(nil)), ".")
	now := time.Now()
	symmetric := jose.SigningKey{
		Algorithm: jose.HS256,
		Key:       jose.JSONWebKey{Key: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), KeyID: "first"},
	}
	forged := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: stranger, KeyID: "first"}}
	for name, token := range map[string]string{
		"alg none":                  part(map[string]string{"alg": "none"}) + "." + good[1] + ".",
		"alg None, with signature":  part(map[string]string{"alg": "None"}) + "." + good[1] + "." + good[2],
		"HS256 with the public key": signWith(t, symmetric, i.claims(nil)),
		"signed by another key":     signWith(t, forged, i.claims(nil)),
		"other claims":              good[0] + "." + part(i.claims(map[string]any{"sub": "root"})) + "." + good[2],
		"no signature":              good[0] + "." + good[1] + ".",
		"expired":                   i.sign(i.claims(map[string]any{"exp": now.Add(-31 * time.Second).Unix()})),
		"never expires":             i.sign(i.claims(map[string]any{"exp": nil})),
		"expires at zero":           i.sign(i.claims(map[string]any{"exp": 0})),
		"not yet valid":             i.sign(i.claims(map[string]any{"nbf": now.Add(time.Minute).Unix()})),
		"nbf is a text":             i.sign(i.claims(map[string]any{"nbf": "soon"})),
		"another audience":          i.sign(i.claims(map[string]any{"aud": "someone"})),
		"no audience":               i.sign(i.claims(map[string]any{"aud": nil})),
		"another issuer":            i.sign(i.claims(map[string]any{"iss": "https://issuer.invalid"})),
		"issuer with a slash":       i.sign(i.claims(map[string]any{"iss": i.URL + "/"})),
		"no issuer":                 i.sign(i.claims(map[string]any{"iss": nil})),
		"no subject":                i.sign(i.claims(map[string]any{"sub": nil})),
		"long subject":              i.sign(i.claims(map[string]any{"sub": strings.Repeat("x", 256)})),
		"subject with a line end":   i.sign(i.claims(map[string]any{"sub": "a\nb"})),
		"huge":                      i.sign(i.claims(map[string]any{"x": strings.Repeat("x", 20000)})),
		"not base64":                "a.!.c",
		"dots":                      "..",
		"not JSON":                  "e30." + base64.RawURLEncoding.EncodeToString([]byte("[]")) + ".e30",
		"two issuers":               good[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"x","iss":"`+i.URL+`"}`)) + "." + good[2],
	} {
		if p, err := authenticate(t, a, token); !errors.Is(err, access.ErrRejected) || p.ID != "" {
			t.Errorf("%s: %+v, %v, want that it is rejected", name, p, err)
		}
	}
	for name, token := range map[string]string{
		"expired within the skew": i.sign(i.claims(map[string]any{"exp": now.Add(-5 * time.Second).Unix()})),
		"valid within the skew":   i.sign(i.claims(map[string]any{"nbf": now.Add(20 * time.Second).Unix()})),
	} {
		if _, err := authenticate(t, a, token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// until repeats an attempt until it gives the wanted error, because an issuer is asked at most once a second.
func until(tb testing.TB, a *access.Authenticator, token string, want error) {
	tb.Helper()
	waiting.UntilNil(tb, "the wanted answer", func() error {
		if _, err := authenticate(tb, a, token); !errors.Is(err, want) {
			return errors.New(fmt.Sprint(err, ", want ", want))
		}
		return nil
	})
}

// Keys are rotated, and the issuer goes away and comes back.
func TestRotation(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	i.set(func() { i.down = true })
	a := authenticator(t, access.AuthenticatorOptions{Issuers: []access.Issuer{i.options(t)}})
	first := i.sign(i.claims(nil))
	if _, err := authenticate(t, a, first); !errors.Is(err, access.ErrUnavailable) || !strings.Contains(err.Error(), "corp") {
		t.Errorf("an issuer that cannot be reached: %v", err)
	}
	i.set(func() { i.down = false })
	until(t, a, first, nil)

	i.rotate("second")
	second := i.sign(i.claims(nil))
	until(t, a, second, nil)
	until(t, a, first, access.ErrRejected)

	i.set(func() { i.down = true })
	if _, err := authenticate(t, a, second); err != nil {
		t.Errorf("keys that are known: %v", err)
	}
	until(t, a, first, access.ErrUnavailable)
	i.set(func() { i.down = false })

	before := i.fetched
	for range 200 {
		if _, err := authenticate(t, a, first); err == nil {
			t.Fatal("a key that is gone is accepted")
		}
	}
	if asked := i.fetched - before; asked > 5 {
		t.Errorf("200 tokens with an unknown key made %d requests", asked)
	}
}

func TestIssuerOptions(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		_, err := access.ParseIssuers([]byte(text))
		if got := err == nil; got != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f(`[]`, "")
	f(`[{"name":"corp","url":"https://i.example","audiences":["a"]}]`, "")
	f(`[{"name":"corp","url":"http://127.0.0.1:1","audiences":["a"]}]`, "")
	f(`[{"name":"corp","url":"http://localhost","audiences":["a"]}]`, "")
	f(`[{"name":"corp","url":"http://i.example","audiences":["a"]}]`, "https")
	f(`[{"name":"corp","url":"https://","audiences":["a"]}]`, "URL")
	f(`[{"name":"corp","url":"https://u:p@i.example","audiences":["a"]}]`, "URL")
	f(`[{"name":"Corp","url":"https://i.example","audiences":["a"]}]`, "name")
	f(`[{"name":"token","url":"https://i.example","audiences":["a"]}]`, "name")
	f(`[{"name":"corp","url":"https://i.example"}]`, "audiences")
	f(`[{"name":"corp","url":"https://i.example","audiences":["a"],"grups":[]}]`, "grups")
	f(`[{"name":"corp","url":"https://i.example","audiences":["a"],"groups":[{"group":"g","claim":"/a~","value":"v"}]}]`, "pointer")
	f(`[{"name":"corp","url":"https://i.example","audiences":["a"],"groups":[{"group":"g"}]}]`, "claim")
	f(`[{"name":"a","url":"https://i.example","audiences":["a"]},{"name":"a","url":"https://j.example","audiences":["a"]}]`, "same")
	f(`{}`, "issuers")
}

// FuzzAuthenticate sends anything as a header.
func FuzzAuthenticate(f *testing.F) {
	i := newTestIssuer(f)
	secret := access.NewSecret()
	tokens := access.NewTokens(nil, 0)
	a := authenticator(f, access.AuthenticatorOptions{
		Tokens: tokens, Fixed: []access.FixedToken{{Secret: secret, Principal: access.Principal{ID: "dev"}}},
		Issuers: []access.Issuer{i.options(f)},
	})
	good := i.sign(i.claims(nil))
	for _, seed := range []string{"Bearer " + good, "bearer  " + secret, "Basic eA==", "Bearer a.b.c", "Bearer " + access.NewSecret(), ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{header}
		p, err := a.Authenticate(r)
		if (err == nil) != (p.PolicyID() != "") {
			t.Fatalf("%+v, %v", p, err)
		}
		if err == nil && !strings.Contains(header, secret) && !strings.Contains(header, good) {
			t.Fatalf("%q lets %+v in", header, p)
		}
	})
}

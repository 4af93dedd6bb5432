package publisher_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// identities is an OpenID Connect issuer on loopback.
type identities struct {
	*httptest.Server

	t *testing.T

	mu   sync.Mutex
	down bool
	key  jose.JSONWebKey
}

func newIdentities(t *testing.T) *identities {
	t.Helper()
	i := &identities{t: t}
	i.rotate("first")
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

// ServeHTTP has the discovery document and the keys.
func (i *identities) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	answer := any(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
	if r.URL.Path == "/keys" {
		answer = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.Public()}}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		i.t.Error(err)
	}
}

// rotate replaces the key.
func (i *identities) rotate(id string) {
	i.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key = jose.JSONWebKey{Key: private, KeyID: id, Algorithm: string(jose.ES256)}
}

func (i *identities) setDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// nameOf is the name that the issuer has for a subject.
func nameOf(subject string) string { return "Name of " + subject }

// token is what someone gets who logs in, for an audience and a time.
func (i *identities) token(subject, group, audience string, lifetime time.Duration) string {
	i.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.key}, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{
		"iss": i.URL, "sub": subject, "aud": audience, "exp": time.Now().Add(lifetime).Unix(), "iat": time.Now().Unix(), "roles": []string{group},
		"name": nameOf(subject),
	})
	if err != nil {
		i.t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

func (i *identities) options() publisher.Options {
	i.t.Helper()
	text, err := json.Marshal([]access.Issuer{{Name: "corp", URL: i.URL, Audiences: []string{"flagside"}, GroupsClaim: "roles"}})
	if err != nil {
		i.t.Fatal(err)
	}
	file := filepath.Join(i.t.TempDir(), "issuers.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		i.t.Fatal(err)
	}
	return publisher.Options{Issuers: file}
}

// People who log in at an issuer change a flag together, as who they are there, and no other token is accepted.
func TestLogin(t *testing.T) {
	t.Parallel()
	i := newIdentities(t)
	r := governed(t, i.options())
	r.create("prod")
	ada := i.token("ada", access.RoleEditor, "flagside", time.Hour)
	bob := i.token("bob", access.RoleApprover, "flagside", time.Hour)
	who, err := r.as(ada).WhoAmI(t.Context())
	if err != nil || who.ID != "" || who.Subject != "corp:ada" || who.Kind != string(access.KindOIDC) || !slices.Equal(who.Groups, []string{access.RoleEditor}) {
		t.Fatalf("%+v, %v", who, err)
	}
	q, err := r.as(ada).OpenRequest(t.Context(), "prod", api.NewRequest{
		Command: api.Command{Type: "put", Key: "f", IfAbsent: true, Document: []byte(offDocument)},
	}, api.ChangeHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.as(bob).ApproveRequest(t.Context(), "prod", q.ID, q.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.as(ada).ApplyRequest(t.Context(), "prod", q.ID, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	adas, bobs := r.idOf(ada), r.idOf(bob)
	history, err := r.as(ada).History(t.Context(), "prod", flagID("f"), api.HistoryQuery{})
	if err != nil || len(history.Items) != 1 || history.Items[0].Actor != adas || !slices.Equal(history.Items[0].Approvers, []string{bobs}) {
		t.Errorf("%+v, %v", history.Items, err)
	}
	if names := history.Items[0].Names; len(names) != 2 || names[adas] != nameOf("ada") || names[bobs] != nameOf("bob") {
		t.Errorf("the history names %v", names)
	}
	for name, token := range map[string]string{
		"expired":                i.token("ada", access.RoleAdmin, "flagside", -time.Hour),
		"for another client":     i.token("ada", access.RoleAdmin, "another", time.Hour),
		"of an unknown key":      newIdentities(t).token("ada", access.RoleAdmin, "flagside", time.Hour),
		"without a signature":    ada[:len(ada)-10],
		"not of this kind alone": "a.b.c",
	} {
		if _, err := r.as(token).WhoAmI(t.Context()); !refusedWith(err, http.StatusUnauthorized, "unauthenticated") {
			t.Errorf("a token that is %s: %v", name, err)
		}
	}
}

// Anyone who has logged in goes on while the issuer changes its key, and while it is away.
func TestLoginWhileTheIssuerChanges(t *testing.T) {
	t.Parallel()
	i := newIdentities(t)
	r := governed(t, i.options())
	ada := i.token("ada", access.RoleEditor, "flagside", time.Hour)
	if _, err := r.as(ada).WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	i.rotate("second")
	again := i.token("ada", access.RoleEditor, "flagside", time.Hour)
	r.await("the new key", func() bool {
		_, err := r.as(again).WhoAmI(t.Context())
		return err == nil
	})
	r.await("the end of the former key", func() bool {
		_, err := r.as(ada).WhoAmI(t.Context())
		return refusedWith(err, http.StatusUnauthorized, "unauthenticated")
	})
	i.setDown(true)
	if _, err := r.as(again).WhoAmI(t.Context()); err != nil {
		t.Errorf("a key that is known, while the issuer is away: %v", err)
	}
	i.rotate("third")
	third := i.token("ada", access.RoleEditor, "flagside", time.Hour)
	r.await("that no one can tell", func() bool {
		_, err := r.as(third).WhoAmI(t.Context())
		return refusedWith(err, http.StatusServiceUnavailable, "unavailable")
	})
}

// What someone was refused stands in the ledger with who, what and by which policies; and nothing else does.
func TestRefusalsAreFacts(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governed(t, publisher.Options{NATS: server.URL()})
	r.create("prod")
	viewer := r.as(secretOf("viewer"))
	if _, _, err := viewer.Put(t.Context(), "prod", flagID("f"), []byte(offDocument), absent(), api.ChangeHeaders{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Fatal(err)
	}
	if _, err := viewer.PutRisk(t.Context(), "prod", api.RiskSettings{}, api.ChangeHeaders{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Fatal(err)
	}
	if _, _, err := r.as("unknown").Put(t.Context(), "prod", flagID("f"), []byte(offDocument), absent(), api.ChangeHeaders{}); !refusedWith(err, http.StatusUnauthorized, "unauthenticated") {
		t.Fatal(err)
	}
	if _, err := r.as(secretOf("elsewhere")).History(t.Context(), "prod", flagID("f"), api.HistoryQuery{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Fatal(err) // a read: counted, and told once a minute
	}
	want := []access.Action{access.Change, access.Administer}
	var got []access.Action
	for _, e := range ledgerOf(t, server.URL()) {
		if e.Type != requests.EventRefused || e.By != "viewer" || e.Refusal == nil || e.Text == "" {
			t.Errorf("the ledger has %+v", e)
			continue
		}
		got = append(got, e.Refusal.Action)
	}
	if !slices.Equal(got, want) {
		t.Errorf("refused %v, want %v", got, want)
	}
}

// ledgerOf returns what the ledger of prod has.
func ledgerOf(t *testing.T, url string) []requests.Event {
	t.Helper()
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: url, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Name: t.Name(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	journal, err := writer.OpenLedger(t.Context(), conn, writer.LedgerOf("prod"), 1)
	if err != nil {
		t.Fatal(err)
	}
	var all []requests.Event
	for fact, err := range journal.Read(t.Context(), 1) {
		if changelog.RecordType(fact.Body) == changelog.RecordKeys {
			continue
		}
		e, decoding := requests.DecodeEvent(fact.Body)
		if err != nil || decoding != nil {
			t.Fatal(err, decoding)
		}
		all = append(all, e)
	}
	return all
}

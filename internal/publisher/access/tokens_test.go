package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

const patience = 20 * time.Second

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func openLedger(tb testing.TB, url string) *writer.Ledger {
	tb.Helper()
	c, err := flagsync.Connect(tb.Context(), flagsync.ConnectOptions{URL: url, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Logger: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	journal, err := writer.OpenLedger(tb.Context(), c, writer.ControlLedger(), 1)
	if err != nil {
		tb.Fatal(err)
	}
	return journal
}

// runTokens keeps tokens current until the end of the test, and waits until they are read.
func runTokens(tb testing.TB, journal access.Ledger, now func() time.Time) *access.Tokens {
	tb.Helper()
	tokens := access.NewTokens(now, 0)
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	go func() { ended <- tokens.Run(ctx, journal) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	waiting.Until(tb, "the tokens to be read", func() bool {
		_, err := tokens.List()
		return err == nil
	})
	return tokens
}

func TestTokens(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	journal, time0 := openLedger(t, url), newClock()
	tokens := runTokens(t, journal, time0.Now)
	elsewhere := runTokens(t, openLedger(t, url), time0.Now)
	admin := principal(access.RoleAdmin)

	token, secret, err := tokens.Create(t.Context(), admin, access.NewToken{
		Name: "CI", Groups: []string{access.RoleEditor}, Scope: access.Scope{Environments: []string{"staging"}},
		Expires: time0.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, "flagside_"+token.ID+"_") || !strings.HasSuffix(secret, token.Hint) || len(secret) != 75 {
		t.Errorf("the secret of %+v has %d characters", token, len(secret))
	}
	a := authenticator(t, access.AuthenticatorOptions{Tokens: tokens})
	b := authenticator(t, access.AuthenticatorOptions{Tokens: elsewhere})
	want := access.Principal{
		ID: "token:" + token.ID, Name: "CI", Kind: access.KindToken, Groups: []string{access.RoleEditor},
		Scope: access.Scope{Environments: []string{"staging"}},
	}
	got, err := authenticate(t, a, secret)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	until(t, b, secret, nil)
	if err := tokens.Standing(want); err != nil {
		t.Errorf("anyone who holds it does not count: %v", err)
	}
	if err := access.NewTokens(nil, 0).Standing(want); !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("before the tokens are read: %v", err)
	}

	for name, wrong := range map[string]string{
		"another secret":   access.NewSecret(),
		"a changed one":    secret[:len(secret)-1] + "x",
		"upper case":       strings.ToUpper(secret),
		"a shortened one":  secret[:len(secret)-1],
		"nothing but id":   "flagside_" + token.ID + "_",
		"no such alphabet": secret[:len(secret)-1] + "1",
	} {
		if wrong == secret {
			wrong = secret[:len(secret)-1] + "y"
		}
		if _, err := authenticate(t, a, wrong); !errors.Is(err, access.ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
	}

	revoked, err := elsewhere.Revoke(t.Context(), admin, token.ID, access.Why{})
	if err != nil || revoked.Revoked.IsZero() || revoked.Revoker != admin.ID {
		t.Errorf("%+v, %v", revoked, err)
	}
	until(t, a, secret, access.ErrRejected)
	if err := tokens.Standing(want); !errors.Is(err, access.ErrRejected) {
		t.Errorf("anyone who held it still counts: %v", err)
	}
	for _, other := range []access.Principal{{ID: "corp:x", Kind: access.KindOIDC}, {ID: "token:admin-file", Kind: access.KindToken}} {
		if err := tokens.Standing(other); err != nil {
			t.Errorf("%s does not count: %v", other.ID, err)
		}
	}
	if _, err := elsewhere.Revoke(t.Context(), admin, token.ID, access.Why{}); err != nil {
		t.Errorf("revoked again: %v", err)
	}
	if _, err := tokens.Revoke(t.Context(), admin, "none", access.Why{}); !errors.Is(err, access.ErrTokenUnknown) {
		t.Errorf("%v, want that it is unknown", err)
	}

	_, short, err := tokens.Create(t.Context(), admin, access.NewToken{
		Name: "short", Groups: []string{access.RoleViewer}, Expires: time0.Now().Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, a, short, nil)
	time0.advance(time.Minute)
	if _, err := authenticate(t, a, short); !errors.Is(err, access.ErrRejected) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v, want that it has expired", err)
	}
	noSecrets(t, journal, tokens, secret, short)
}

// noSecrets looks at all that is kept and shown.
func noSecrets(t *testing.T, journal *writer.Ledger, tokens *access.Tokens, secrets ...string) {
	t.Helper()
	all, err := tokens.List()
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	shown, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	kept := string(shown)
	for r, err := range journal.Read(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		kept += string(r.Body)
	}
	for _, secret := range secrets {
		random := secret[strings.LastIndex(secret, "_")+1:]
		if strings.Contains(kept, random) || strings.Contains(kept, random[:16]) {
			t.Error("a secret is kept or shown")
		}
	}
}

// Many are created through two publishers at once, beside records of other types; none is lost.
func TestTokensAtOnce(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	journal := openLedger(t, url)
	if _, err := journal.Append(t.Context(), 0, "other", []byte(`{"type":"environment.created","token":7}`)); err != nil {
		t.Fatal(err)
	}
	both := []*access.Tokens{runTokens(t, journal, nil), runTokens(t, openLedger(t, url), nil)}
	const each = 15
	var wg sync.WaitGroup
	for _, tokens := range both {
		wg.Go(func() {
			for range each {
				n := access.NewToken{Name: "n", Groups: []string{"g"}}
				if _, _, err := tokens.Create(t.Context(), principal(access.RoleAdmin), n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, tokens := range both {
		waiting.Until(t, "all tokens", func() bool {
			all, err := tokens.List()
			return err == nil && len(all) == 2*each
		})
	}
}

func TestNewTokenRefuses(t *testing.T) {
	t.Parallel()
	tokens := runTokens(t, openLedger(t, natstest.Start(t).URL()), newClock().Now)
	narrow := principal(access.RoleAdmin)
	narrow.Scope.Actions = []access.Action{access.Read, access.Administer}
	groups := []string{access.RoleViewer}
	for name, c := range map[string]struct {
		author access.Principal
		token  access.NewToken
		want   string
	}{
		"no name":         {principal(), access.NewToken{Groups: groups}, "name"},
		"no group":        {principal(), access.NewToken{Name: "n"}, "group"},
		"a long name":     {principal(), access.NewToken{Name: strings.Repeat("n", 201), Groups: groups}, "200"},
		"a line end":      {principal(), access.NewToken{Name: "a\nb", Groups: groups}, "control"},
		"an empty group":  {principal(), access.NewToken{Name: "n", Groups: []string{""}}, "groups"},
		"expired":         {principal(), access.NewToken{Name: "n", Groups: groups, Expires: newClock().Now()}, "expired"},
		"unknown action":  {principal(), access.NewToken{Name: "n", Groups: groups, Scope: access.Scope{Actions: []access.Action{"x"}}}, "x"},
		"wider":           {narrow, access.NewToken{Name: "n", Groups: groups}, "narrow"},
		"wider by action": {narrow, access.NewToken{Name: "n", Groups: groups, Scope: access.Scope{Actions: []access.Action{access.Change}}}, "narrow"},
	} {
		_, _, err := tokens.Create(t.Context(), c.author, c.token)
		if !errors.Is(err, access.ErrInvalidToken) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	within := access.NewToken{Name: "n", Groups: groups, Scope: access.Scope{Actions: []access.Action{access.Read}}}
	if _, _, err := tokens.Create(t.Context(), narrow, within); err != nil {
		t.Error(err)
	}
}

// Before the tokens are read, no one knows whether one was revoked.
func TestTokensBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	tokens := access.NewTokens(nil, 0)
	a := authenticator(t, access.AuthenticatorOptions{Tokens: tokens})
	if _, err := authenticate(t, a, access.NewSecret()); !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("%v, want that it cannot be known", err)
	}
	if _, err := tokens.Revoke(t.Context(), principal(), "x", access.Why{}); !errors.Is(err, access.ErrNotReady) {
		t.Errorf("%v, want not ready", err)
	}
}

func TestFixedTokensAndHeaders(t *testing.T) {
	t.Parallel()
	secret := access.NewSecret()
	dev := access.Principal{ID: "dev", Kind: access.KindDev, Groups: []string{access.RoleAdmin}}
	a := authenticator(t, access.AuthenticatorOptions{Fixed: []access.FixedToken{{Secret: secret, Principal: dev}}})
	f := func(want error, headers ...string) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if headers != nil {
			r.Header["Authorization"] = headers
		}
		p, err := a.Authenticate(r)
		if !errors.Is(err, want) || (err == nil) != (p.ID == "dev") {
			t.Errorf("%.60q: %+v, %v, want %v", headers, p, err, want)
		}
	}
	f(nil, "Bearer "+secret)
	f(nil, "bearer "+secret)
	f(access.ErrNoCredentials)
	f(access.ErrRejected, "")
	f(access.ErrRejected, "Bearer")
	f(access.ErrRejected, "Bearer ")
	f(access.ErrRejected, secret)
	f(access.ErrRejected, "Basic "+secret)
	f(access.ErrRejected, "Bearer "+secret, "Bearer "+secret)
	f(access.ErrRejected, "Bearer "+secret+" "+secret)
	f(access.ErrRejected, "Bearer "+strings.Repeat("x", 1<<20))
	f(access.ErrRejected, "Bearer "+access.NewSecret())
	if _, err := access.NewAuthenticator(access.AuthenticatorOptions{
		Fixed: []access.FixedToken{{Secret: "short", Principal: dev}},
	}); err == nil {
		t.Error("a fixed token that can be guessed is accepted")
	}
}

// A token ends within a year, and with the token that it was made with: by time, and when that is revoked.
func TestTokensEndWithTheirAuthor(t *testing.T) {
	t.Parallel()
	journal, now := openLedger(t, natstest.Start(t).URL()), newClock()
	tokens := runTokens(t, journal, now.Now)
	make := func(author access.Principal, expires time.Time) (access.Token, access.Principal, error) {
		token, secret, err := tokens.Create(t.Context(), author, access.NewToken{Name: "n", Groups: []string{access.RoleAdmin}, Expires: expires})
		if err != nil {
			return token, access.Principal{}, err
		}
		p, err := authenticate(t, authenticator(t, access.AuthenticatorOptions{Tokens: tokens}), secret)
		return token, p, err
	}
	admin := principal(access.RoleAdmin)
	first, holder, err := make(admin, time.Time{})
	if err != nil || !first.Expires.Equal(first.Created.Add(access.DefaultTokenLifetime)) {
		t.Fatalf("without an expiry: %+v, %v", first, err)
	}
	if _, _, err := make(admin, now.Now().Add(access.DefaultTokenLifetime+time.Hour)); !errors.Is(err, access.ErrInvalidToken) {
		t.Errorf("a token for longer than a year: %v", err)
	}
	brief, briefHolder, err := make(holder, now.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := make(briefHolder, now.Now().Add(2*time.Hour)); !errors.Is(err, access.ErrInvalidToken) {
		t.Errorf("a token that outlives its author: %v", err)
	}
	last, lastHolder, err := make(briefHolder, time.Time{})
	if err != nil || !last.Expires.Equal(brief.Expires) {
		t.Errorf("a token of one that ends soon: %+v, %v", last, err)
	}
	if diff := cmp.Diff([]string{briefHolder.ID, holder.ID, admin.ID}, tokens.Line(lastHolder.ID)); diff != "" {
		t.Errorf("the line of the last (-want +got):\n%s", diff)
	}
	if err := tokens.Standing(lastHolder); err != nil {
		t.Errorf("before anything is revoked: %v", err)
	}
	if _, err := tokens.Revoke(t.Context(), admin, first.ID, access.Why{}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []access.Principal{holder, briefHolder, lastHolder} {
		if err := tokens.Standing(p); !errors.Is(err, access.ErrRejected) {
			t.Errorf("%s after the first of the line was revoked: %v", p.ID, err)
		}
	}
}
